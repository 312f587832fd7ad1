/** Doing one thing to every task that a query finds: how many first, a bar meanwhile, what was done last. */
import type { ActOptions, TaskAction } from "../tasks/core/act.ts";
import { confirm } from "./confirm.ts";
import type { Context } from "./context.ts";
import { CommandError } from "./exit-codes.ts";
import { progressBar } from "./progress-bar.ts";
import { renderTable } from "./table.ts";
import { taskColumns, taskDocument } from "./task-view.ts";
import { counted } from "./text.ts";

/** The options of commands that take tasks by a query instead of their ids. */
export interface QueryOptions {
  query?: string;
  dryRun?: boolean;
  yes?: boolean;
}

export const queryOption = ["--query <query>", "every task that this query finds, instead of ids"] as const;
export const dryRunOption = [
  "--dry-run",
  "with --query: only say how many there are, and show some",
] as const;
export const yesOption = ["-y, --yes", "do not ask"] as const;

/** @throws CommandError unless either ids or a query are given */
export function isByQuery({ query, dryRun }: QueryOptions, ids: readonly string[]): boolean {
  if (query !== undefined && ids.length > 0) {
    throw new CommandError("Ids and --query were both given; give one of them.");
  }
  if (query === undefined && ids.length === 0) {
    throw new CommandError("Give the ids of tasks, or --query with what finds them.");
  }
  if (dryRun && query === undefined) throw new CommandError("--dry-run is for --query.");
  return query !== undefined;
}

/** Answers the exit code. @param verb such as `retried` */
export async function changeFound(
  context: Context,
  { query, dryRun = false, yes }: QueryOptions,
  action: TaskAction,
  verb: string,
  options: ActOptions = {},
): Promise<number> {
  const { output } = context;
  const dure = context.open();
  const search = { query: query!, budget: "none" as const };
  const before = await dure.actOnTasks(search, action, { ...options, dryRun: true });
  if (dryRun || before.matched === 0) {
    output.document({ matched: before.matched, sample: before.sample.map(taskDocument) });
    if (before.sample.length > 0)
      output.print(renderTable(output, taskColumns(output, Date.now()), [...before.sample]));
    output.note(`${counted(before.matched, "task")} would be ${verb}.`);
    return 0;
  }
  const what = `${action[0]!.toUpperCase()}${action.slice(1)} ${counted(before.matched, "task")} of ${context.shownDatabase}`;
  if (!(await confirm(output, what, yes))) return 1;
  const bar = progressBar(output);
  const report = await dure.actOnTasks(search, action, {
    ...options,
    onProgress: ({ done, skipped, matched }) => bar.update(done + skipped, matched, "task"),
  });
  bar.end();
  const { matched, done, skipped } = report;
  output.document({ matched, done, skipped });
  output.note(`${counted(done, "task")} ${verb}${skipped > 0 ? `, ${skipped} left as they are` : ""}.`);
  return 0;
}
