/** `dure doctor`: is the database well, and what to do where it is not. */
import type { Command } from "commander";
import { DureError } from "../../tasks/core/errors.ts";
import type { HealthFinding } from "../../tasks/core/store.ts";
import type { Action, Context } from "../context.ts";
import { withContext } from "../context.ts";
import { exitFindings } from "../exit-codes.ts";
import type { Output } from "../output.ts";
import { counted, plainLine } from "../text.ts";
import { wrapped } from "../width.ts";

const levelWidth = "warning".length;
const gap = 2;

interface Options {
  full?: boolean;
}

/** Adds the command. */
export function addDoctor(program: Command): void {
  program
    .command("doctor")
    .summary("check the database, the workers and the backlog")
    .description(
      "Checks the database and says what to do about what it finds. Exits 1 when it finds an error.",
    )
    .option("--full", "read every page of the database; slow on a large one")
    .addHelpText(
      "after",
      `
Examples:
  dure doctor
  dure doctor --full --database /var/lib/app/tasks.db
  dure doctor --json | jq '.[] | select(.level != "ok")'`,
    )
    .action(withContext(doctor));
}

const doctor: Action<Options> = async (context, { full = false }) => {
  const findings = await examine(context, full);
  const { output } = context;
  output.document(findings);
  const checkWidth = Math.max(...findings.map(({ check }) => check.length));
  for (const finding of findings) output.print(findingText(output, finding, checkWidth));
  const errors = findings.filter(({ level }) => level === "error").length;
  const warnings = findings.filter(({ level }) => level === "warning").length;
  output.note(
    errors + warnings === 0
      ? "All is well."
      : `${counted(errors, "error")}, ${counted(warnings, "warning")}.`,
  );
  return errors > 0 ? exitFindings : 0;
};

/** A database that cannot be opened is a finding like others. */
async function examine(context: Context, full: boolean): Promise<HealthFinding[]> {
  try {
    return await context.open().checkHealth({ full });
  } catch (error) {
    if (!(error instanceof DureError) || !error.code.startsWith("DATABASE_")) throw error;
    return [{ level: "error", check: "database", message: error.message }];
  }
}

function findingText(
  output: Output,
  { level, check, message, next }: HealthFinding,
  checkWidth: number,
): string {
  const margin = levelWidth + gap + checkWidth + gap;
  const hanging = (text: string, extra: number) =>
    wrapped(plainLine(text), output.width - margin - extra).join(`\n${" ".repeat(margin + extra)}`);
  const line = `${paintLevel(output, level)}  ${plainLine(check).padEnd(checkWidth)}  ${hanging(message, 0)}`;
  return next === undefined
    ? line
    : `${line}\n${" ".repeat(margin)}${output.colors.dim("→")} ${hanging(next, 2)}`;
}

function paintLevel({ colors }: Output, level: HealthFinding["level"]): string {
  const text = level.padEnd(levelWidth);
  if (level === "error") return colors.red(text);
  return level === "warning" ? colors.yellow(text) : colors.green(text);
}
