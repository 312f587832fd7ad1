/** What cannot be taken back is asked for first: on a terminal by a question, elsewhere by --yes. */
import { createInterface } from "node:readline/promises";
import { CommandError } from "./exit-codes.ts";
import type { Output } from "./output.ts";
import { plainLines } from "./text.ts";

/**
 * Whether to go on.
 * @param what such as `Delete 3 tasks`
 * @throws CommandError when nobody can be asked and --yes was not given
 */
export async function confirm(output: Output, what: string, yes: boolean | undefined): Promise<boolean> {
  if (yes) return true;
  if (!process.stdin.isTTY || !process.stderr.isTTY || output.json) {
    throw new CommandError(
      `${what}? This cannot be taken back, and there is no terminal to ask on: add --yes. Nothing was changed.`,
    );
  }
  const question = createInterface({ input: process.stdin, output: process.stderr });
  try {
    const answer = await question.question(`${plainLines(what)}? This cannot be taken back. [y/N] `);
    if (/^y(es)?$/i.test(answer.trim())) return true;
    output.note("Nothing was changed.");
    return false;
  } finally {
    question.close();
  }
}
