/** Doing one thing to every task that a query finds: how many first, a bar meanwhile, what was done last. */
import type { Dure } from "../dure.ts";
import type { ActOptions, TaskAction } from "../tasks/core/act.ts";
import type { StartActionOptions } from "../tasks/core/action.ts";
import { hintOfUnfilled } from "../tasks/core/find.ts";
import type { TaskSearchOptions } from "../tasks/core/search.ts";
import { given, parseInteger } from "./arguments.ts";
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
  background?: boolean;
  rate?: string;
}

export const queryOption = ["--query <query>", "every task that this query finds, instead of ids"] as const;
export const dryRunOption = [
  "--dry-run",
  "with --query: only say how many there are, and show some",
] as const;
export const backgroundOption = [
  "--background",
  "with --query: have a worker do it, as a task of its own whose id is printed; cancel that to end it early",
] as const;
export const rateOption = ["--rate <n>", "with --query: at most this many tasks a second"] as const;
export const yesOption = ["-y, --yes", "do not ask"] as const;

/** @throws CommandError unless either ids or a query are given */
export function isByQuery(options: QueryOptions, ids: readonly string[]): boolean {
  const { query } = options;
  if (query !== undefined && ids.length > 0) {
    throw new CommandError("Ids and --query were both given; give one of them.");
  }
  if (query === undefined && ids.length === 0) {
    throw new CommandError("Give the ids of tasks, or --query with what finds them.");
  }
  if (query?.trim() === "") {
    throw new CommandError(
      "--query is empty, which would be every task; a variable that is not set gives that. Write --query 'type:*' to mean every task.",
    );
  }
  if (query !== undefined) return true;
  if (options.dryRun) refuseWithIds("--dry-run", ids);
  if (options.background) refuseWithIds("--background", ids);
  if (options.rate !== undefined) refuseWithIds("--rate", ids);
  return false;
}

/** What was meant as a query may have been given where ids stand. */
function refuseWithIds(option: string, ids: readonly string[]): never {
  const query = ids.join(" ").replaceAll("'", "'\\''");
  throw new CommandError(`${option} is for --query. If that was one, write --query '${query}'.`);
}

/** Answers the exit code. @param verb such as `retried` @param edit of 'edit': what to change */
export async function changeFound(
  context: Context,
  { query, dryRun = false, yes, background, rate: rateText }: QueryOptions,
  action: TaskAction,
  verb: string,
  edit?: ActOptions["edit"],
): Promise<number> {
  const { output } = context;
  const what = edit && { edit };
  const rate = given(rateText, (text) => parseInteger(text, "--rate", 1, 1_000_000));
  const dure = context.open();
  const search = { query: query!, budget: "none" as const };
  const before = await dure.actOnTasks(search, action, { ...what, dryRun: true });
  const { unfilled, hint } = before;
  if (unfilled) output.warn(hintOfUnfilled(unfilled));
  if (dryRun || before.matched === 0) {
    output.document({
      ...{ matched: before.matched, sample: before.sample.map(taskDocument) },
      ...(unfilled && { unfilled }),
      ...(hint !== undefined && { hint }),
    });
    if (before.sample.length > 0)
      output.print(renderTable(output, taskColumns(output, Date.now()), [...before.sample]));
    output.note(`${counted(before.matched, "task")} would be ${verb}.`);
    if (hint !== undefined) output.note(hint);
    return 0;
  }
  const question = `${action[0]!.toUpperCase()}${action.slice(1)} ${counted(before.matched, "task")} of ${context.shownDatabase}`;
  if (!(await confirm(output, question, yes))) return 1;
  if (background)
    return startInBackground(context, dure, search, action, { ...what, ...(rate !== undefined && { rate }) });
  const bar = progressBar(output);
  const report = await dure.actOnTasks(search, action, {
    ...what,
    by: context.by,
    ...(rate !== undefined && { rate }),
    onProgress: ({ changed, skipped, matched }) => bar.update(changed + skipped, matched, "task"),
  });
  bar.end();
  const { matched, changed, skipped } = report;
  output.document({ matched, changed, skipped });
  output.note(`${counted(changed, "task")} ${verb}${skipped > 0 ? `, ${skipped} left as they are` : ""}.`);
  return 0;
}

async function startInBackground(
  { output, by }: Context,
  dure: Dure,
  search: TaskSearchOptions,
  action: TaskAction,
  options: Pick<StartActionOptions, "edit" | "rate">,
): Promise<number> {
  const task = await dure.startAction(search, action, { ...options, by });
  const { id } = task;
  output.document(taskDocument(task));
  output.print(id);
  const workers = await dure.listWorkers();
  if (!workers.some(({ state, types }) => state === "alive" && types.includes(task.type))) {
    output.warn(
      'No worker is alive that could do it, so it waits for one. "dure worker <files>" starts one.',
    );
  }
  output.note(`A worker does it. "dure show ${id}" says how far it is, "dure cancel ${id}" ends it early.`);
  return 0;
}
