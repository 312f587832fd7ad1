/** `dure reindex`: makes the index of texts anew, or empties it. */
import type { Command } from "commander";
import { confirm } from "../confirm.ts";
import type { Action } from "../context.ts";
import { withContext } from "../context.ts";
import { progressBar } from "../progress-bar.ts";
import { firstStop } from "../signals.ts";
import { counted } from "../text.ts";

interface Options {
  clear?: boolean;
  yes?: boolean;
}

/** Adds the command. */
export function addReindex(program: Command): void {
  program
    .command("reindex")
    .summary("make the index of texts anew")
    .description(
      "Forgets the index that searches by text use, and makes it anew; until it is done they find what is indexed so far. " +
        "Running workers help, and go on after Ctrl-C. With --clear it only forgets, which frees its space; workers index " +
        "again unless they run with fullText: false (dure worker --no-full-text). Asks first on a terminal; elsewhere it wants --yes.",
    )
    .option("--clear", "only forget")
    .option("-y, --yes", "do not ask")
    .addHelpText(
      "after",
      `
Examples:
  dure reindex --yes
  dure reindex --clear`,
    )
    .action(withContext(reindex));
}

const reindex: Action<Options> = async (context, { clear = false, yes }) => {
  const { output, shownDatabase } = context;
  const what = `${clear ? "Forget" : "Make anew"} the index of texts of ${shownDatabase}`;
  if (!(await confirm(output, what, yes))) return 1;
  const stop = new AbortController();
  void firstStop(async () => {}).then(() => stop.abort());
  const bar = progressBar(output);
  const { indexed } = await context.open().rebuildTexts({
    clear,
    signal: stop.signal,
    onProgress: (progress) => bar.update(progress.indexed, progress.total, "task"),
  });
  bar.end();
  output.document({ indexed });
  if (clear) output.note("The index of texts is empty.");
  else if (stop.signal.aborted) output.note(`${counted(indexed, "text")} indexed; running workers go on.`);
  else output.note(`${counted(indexed, "text")} indexed.`);
  return 0;
};
