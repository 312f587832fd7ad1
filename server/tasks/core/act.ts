/** One thing done to every task that fits a search: cancel, retry, delete or edit. */
import { parseDuration } from "./duration.ts";
import { DureError } from "./errors.ts";
import { searchTaskPageIn } from "./find.ts";
import type { Instance } from "./instance.ts";
import { cancelTaskIn, deleteTaskIn, type EditOptions, editTaskIn, retryTaskIn } from "./manage.ts";
import { booleanRule, checkOptions, integerBetween, oneOf } from "./options.ts";
import type { TaskSearchOptions } from "./search.ts";
import { summarizeTasksIn } from "./summary.ts";
import type { Task } from "./task.ts";

export type TaskAction = "cancel" | "retry" | "delete" | "edit";

export interface ActOptions {
  /** Of `edit`: what to change. */
  edit?: Omit<EditOptions, "expectedVersion">;
  /** Does nothing, but says how many fit and shows some. Default false. */
  dryRun?: boolean;
  /** At most this many a second. Default: as fast as the store takes them. */
  perSecond?: number;
  /** Ends it between two tasks; what is done stays done. */
  signal?: AbortSignal;
  /** Told of the progress after each batch. */
  onProgress?: (report: ActReport) => void;
}

export interface ActReport {
  /** How many fit when it began; may be an estimate, see `summarizeTasks`. */
  matched: number;
  done: number;
  /** Refused because of their status, or changed or deleted meanwhile. */
  skipped: number;
  /** The first of those that fit, at most 10. */
  sample: readonly Task[];
  /** Whether the signal ended it. */
  aborted: boolean;
}

const batchSize = 100;
const sampleSize = 10;
const refusals = ["STATUS_CONFLICT", "TASK_NOT_FOUND", "VERSION_CONFLICT"];

/**
 * Acts on every task that fits and that nobody has changed since this began: the set is fixed at the start, so a task that
 * is retried and fails again is not retried twice. Which tasks an action can be done to, their status says; others are skipped.
 * @throws DureError INVALID_OPTION, INVALID_QUERY, and what the action throws beside refusals of single tasks
 */
export async function actOnTasksIn(
  instance: Instance,
  search: TaskSearchOptions,
  action: TaskAction,
  options: ActOptions = {},
): Promise<ActReport> {
  checkAct(action, options);
  const fixed = withoutNewer(search, new Date(instance.clock.now()));
  const { total } = await summarizeTasksIn(instance, { ...fixed, by: [] });
  const { tasks: sample } = await searchTaskPageIn(instance, { ...fixed, limit: sampleSize });
  const report: ActReport = { matched: total.count, done: 0, skipped: 0, sample, aborted: false };
  if (options.dryRun) return report;
  let cursor: string | undefined;
  do {
    const page = await searchTaskPageIn(instance, { ...fixed, limit: batchSize, ...(cursor && { cursor }) });
    await actOnPage(instance, page.tasks, action, options, report);
    cursor = page.nextCursor;
    options.onProgress?.({ ...report });
  } while (cursor !== undefined && !report.aborted);
  return report;
}

function checkAct(action: TaskAction, options: ActOptions): void {
  checkOptions("actOnTasks", { action }, { action: oneOf("cancel", "retry", "delete", "edit") });
  checkOptions("actOnTasks", options, {
    edit: () => (action === "edit" ? undefined : "edit is only for the action 'edit'."),
    dryRun: booleanRule,
    perSecond: integerBetween(1, 1_000_000),
    signal: () => undefined,
    onProgress: () => undefined,
  });
  if (action === "edit" && options.edit === undefined) {
    throw new DureError(
      "INVALID_OPTION",
      "actOnTasks: the action 'edit' needs what to change, as edit: { priority: 5 }.",
    );
  }
}

/** Oldest first by creation, which no action changes; what is changed from now on has left the set. */
function withoutNewer(
  {
    cursor: _cursor,
    limit: _limit,
    offset: _offset,
    sortBy: _by,
    sortOrder: _order,
    ...search
  }: TaskSearchOptions,
  now: Date,
): TaskSearchOptions {
  const { updatedAtRange } = search;
  const end =
    updatedAtRange?.end && updatedAtRange.end < now ? updatedAtRange.end : new Date(now.getTime() + 1);
  return { ...search, updatedAtRange: { ...updatedAtRange, end }, sortOrder: "asc", definitions: false };
}

async function actOnPage(
  instance: Instance,
  tasks: readonly Task[],
  action: TaskAction,
  { edit, perSecond, signal }: ActOptions,
  report: ActReport,
): Promise<void> {
  const size = perSecond === undefined ? batchSize : Math.max(1, Math.floor(perSecond / 10));
  for (let start = 0; start < tasks.length; start += size) {
    if (signal?.aborted) {
      report.aborted = true;
      return;
    }
    const portion = tasks.slice(start, start + size);
    // Together, so that they share commits.
    const results = await Promise.all(portion.map((task) => actOnOne(instance, task, action, edit)));
    report.done += results.filter(Boolean).length;
    report.skipped += results.filter((isDone) => !isDone).length;
    if (perSecond !== undefined) {
      await instance.clock.sleep(parseDuration((portion.length / perSecond) * 1_000, "perSecond"), signal);
    }
  }
}

/** Whether it was done. A task that has moved on since it was read is left alone. */
async function actOnOne(
  instance: Instance,
  { id, version }: Task,
  action: TaskAction,
  edit: ActOptions["edit"],
): Promise<boolean> {
  const expected = version === undefined ? {} : { expectedVersion: version };
  try {
    if (action === "cancel") await cancelTaskIn(instance, id, expected);
    else if (action === "retry") await retryTaskIn(instance, id, expected);
    else if (action === "delete") await deleteTaskIn(instance, id, expected);
    else await editTaskIn(instance, id, { ...edit, ...expected });
    return true;
  } catch (error) {
    if (error instanceof DureError && refusals.includes(error.code)) return false;
    throw error;
  }
}
