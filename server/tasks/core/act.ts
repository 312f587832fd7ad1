/** One thing done to every task that fits a search: cancel, retry, delete or edit. */
import { byOf, byRule, recordIn } from "./audit.ts";
import { summarizeTasksIn } from "./counts/summary.ts";
import { parseDuration } from "./duration.ts";
import { DureError } from "./errors.ts";
import type { Condition } from "./filters/condition.ts";
import { fixedSearch, searchTaskPageIn, toStoreSearch } from "./find.ts";
import { asGiven } from "./given.ts";
import { grouped } from "./grouped.ts";
import type { Instance } from "./instance.ts";
import {
  cancelTaskIn,
  checkEdit,
  deleteTaskIn,
  type EditOptions,
  editTaskIn,
  retryTaskIn,
} from "./manage.ts";
import { booleanRule, checkOptions, functionRule, integerBetween, oneOf, signalRule } from "./options.ts";
import type { AskedBy, AuditAction, AuditState, By } from "./port/store-audit.ts";
import type { TaskSearchOptions } from "./search.ts";
import { searchedBy } from "./searched-by.ts";
import type { Task, TaskStatusName } from "./task.ts";
import { showValue } from "./values/show.ts";

export type TaskAction = "cancel" | "retry" | "delete" | "edit";

/** Pages and orders are of lists; an action is done to all that fits, and would not stop at a `limit`. */
const ofLists = ["limit", "offset", "sortBy", "sortOrder", "cursor", "updatedSince"] as const;

/** What an action is done to: the filters of a search. */
export type ActionSearch = Omit<
  TaskSearchOptions,
  "limit" | "offset" | "sortBy" | "sortOrder" | "cursor" | "updatedSince"
>;

export interface ActOptions {
  /** Of `edit`: what to change. */
  edit?: Omit<EditOptions, "expectedVersion" | "by">;
  /** Does nothing, but says how many fit and shows some. Default false. */
  dryRun?: boolean;
  /** At most this many a second. Default: as fast as the store takes them. */
  rate?: number;
  /** Ends it between two tasks; what is done stays done. */
  signal?: AbortSignal;
  /** Told of the progress after each batch: of a hundred, or of a tenth of what `rate` allows a second. */
  onProgress?: (report: ActReport) => void;
  /** Who asks for it, for the audit log: a name, or more than that. */
  by?: string | AskedBy;
}

export interface ActReport {
  /** How many fit when it began and had a status that the action is for; may be an estimate, see `summarizeTasks`. */
  matched: number;
  /** How many the action was done to. */
  changed: number;
  /** Changed or deleted by others meanwhile. */
  skipped: number;
  /** The first of those that fit, at most 10. */
  sample: readonly Task[];
  /** Whether the signal ended it. */
  aborted: boolean;
  /** About how many tasks were judged without an attribute that waits to be filled in, when it began; absent for none. */
  unfilled?: number;
  /** Where nothing fits: why nothing can, or how many would if the action were for tasks of their status. */
  hint?: string;
}

const batchSize = 100;
const sampleSize = 10;
const refusals = ["STATUS_CONFLICT", "TASK_NOT_FOUND", "VERSION_CONFLICT"];

/** The type of the tasks that are actions themselves. No action is done to those by a search: they are the record of it. */
export const actionType = "dure.act-on-tasks";

/** Which tasks an action can be done to. */
const statusesFor: Record<TaskAction, readonly TaskStatusName[]> = {
  cancel: ["PENDING", "RUNNING"],
  retry: ["FAILED", "CANCELLED"],
  delete: ["COMPLETED", "FAILED", "CANCELLED"],
  edit: ["PENDING"],
};

/**
 * Acts on every task that fits, has a status that the action is for, and that nobody has changed since this began: the set
 * is fixed at the start, so a task that is retried and fails again is not retried twice.
 * @throws DureError INVALID_OPTION, INVALID_QUERY, and what the action throws beside refusals of single tasks
 */
export async function actOnTasksIn(
  instance: Instance,
  search: ActionSearch,
  action: TaskAction,
  actOptions: ActOptions = {},
): Promise<ActReport> {
  checkAct("actOnTasks", action, actOptions, instance.clock.now());
  checkActionSearch("actOnTasks", search);
  // As they are now: a caller may ask for something else by the same objects while this waits.
  const given = asGiven(search);
  const options = asGiven(actOptions);
  // Until the store is open the clock may be the machine's, and the set is what was changed before now.
  await instance.store();
  // Nothing happens to what is only counted: without an end of its own the kept counts tell how much that is.
  const before = options.dryRun ? undefined : new Date(instance.clock.now() + 1);
  const asked = await fixedSearch(instance, given);
  checkIsMeant("actOnTasks", instance, given, asked);
  const fixed = fixedSet(asked, action, before);
  const { tasks: sample, unfilled } = await searchTaskPageIn(instance, { ...fixed, limit: sampleSize });
  // An estimate may be of tasks of which none fits.
  const matched = Math.max(sample.length, await countSet(instance, fixed));
  const report: ActReport = {
    ...{ matched, changed: 0, skipped: 0, sample, aborted: false },
    ...(unfilled && { unfilled }),
  };
  const hint = matched === 0 ? await whyNone(instance, asked, action) : undefined;
  if (hint !== undefined) report.hint = hint;
  if (options.dryRun) return report;
  const target = searchedBy(instance, asked).query ?? "a filter";
  const told = (by: By, action: AuditAction, after: AuditState) =>
    recordIn(instance, by, { action, kind: "tasks", target, after });
  const by = byOf(instance, options.by);
  const { edit } = options;
  await told(by, "start-action", { action, matched, ...(edit && { edit: editAsJson(edit) }) });
  try {
    report.aborted = await actOnSet(instance, fixed, action, {
      ...options,
      record: by.id,
      onPortion: (tasks, refused) => {
        report.changed += tasks.length - refused.length;
        report.skipped += refused.length;
        options.onProgress?.({ ...report });
      },
    });
  } finally {
    const { changed, skipped, aborted } = report;
    await told(byOf(instance, options.by), "end-action", { action, changed, skipped, aborted });
  }
  return report;
}

/** How long is looked for tasks of other statuses. */
const otherStatusesBudget = "200ms";

/** What a search of all statuses would say where an action finds nothing to do. */
async function whyNone(
  instance: Instance,
  asked: ActionSearch,
  action: TaskAction,
): Promise<string | undefined> {
  const search = { ...asked, definitions: false, budget: otherStatusesBudget };
  const { tasks, hint } = await searchTaskPageIn(instance, { ...search, limit: 1 });
  if (tasks.length === 0) return hint;
  const { count, errorMax } = (await summarizeTasksIn(instance, { ...search, by: [] })).total;
  const names = statusesFor[action];
  const allowed = names.length === 1 ? names[0] : `${names.slice(0, -1).join(", ")} or ${names.at(-1)}`;
  const many = errorMax > 0 ? `About ${grouped(Math.max(1, count))}` : grouped(count);
  return `${many} ${count === 1 ? "task fits" : "tasks fit"}, but the action '${action}' is for those that are ${allowed}.`;
}

/**
 * The tasks of a search that an action is for and that were last changed before an instant, if one is given. Oldest first by creation, which
 * no action changes; what is changed from then on has left the set.
 */
export function fixedSet(
  search: ActionSearch,
  action: TaskAction,
  before: Date | undefined,
): TaskSearchOptions {
  const { updatedAtRange: range } = search;
  const end = before && range?.end && range.end < before ? range.end : (before ?? range?.end);
  return {
    ...search,
    and: [...(search.and ?? []), { status: statusesFor[action] }],
    ...((range || end) && { updatedAtRange: { ...range, ...(end && { end }) } }),
    sortBy: "createdAt",
    sortOrder: "asc",
    definitions: false,
  };
}

/** How many there are; may be an estimate, see `summarizeTasks`. */
export async function countSet(instance: Instance, fixed: TaskSearchOptions): Promise<number> {
  const { sortBy: _by, sortOrder: _order, ...search } = fixed;
  return (await summarizeTasksIn(instance, { ...search, by: [] })).total.count;
}

/** A task that was left as it is, and why. */
export interface Refused {
  task: Task;
  error: DureError;
}

export interface ActOnSetOptions extends Pick<ActOptions, "edit" | "rate" | "signal"> {
  /** The id of the action's record in the audit log, which the tasks remember. */
  record: string | undefined;
  /** Told what was acted on, in the order of the set, and which of it was refused. */
  onPortion(tasks: readonly Task[], refused: readonly Refused[]): void;
}

/** Answers whether the signal ended it. */
export async function actOnSet(
  instance: Instance,
  fixed: TaskSearchOptions,
  action: TaskAction,
  options: ActOnSetOptions,
): Promise<boolean> {
  let cursor: string | undefined;
  do {
    const asked = { ...fixed, limit: batchSize, ...(cursor && { cursor }) };
    let page = await searchTaskPageIn(instance, asked);
    // Tasks whose texts wait to be indexed are of the set, too, and so are those that no budget was long enough to come to, or to put in order.
    const isNoFurther =
      page.tasks.length === 0 && page.nextCursor !== undefined && page.nextCursor === cursor;
    const isPart = !page.complete && page.nextCursor === undefined;
    if (page.unindexed || isNoFurther || isPart)
      page = await searchTaskPageIn(instance, { ...asked, budget: "none" });
    // Left out here and not by the search, which an index may then serve by itself.
    const tasks = page.tasks.filter(({ type }) => type !== actionType);
    if (await actOnPage(instance, tasks, action, options)) return true;
    cursor = page.nextCursor;
  } while (cursor !== undefined);
  return false;
}

const actionRule = oneOf("cancel", "retry", "delete", "edit");

/** @throws DureError INVALID_OPTION */
export function checkAct(what: string, action: TaskAction, options: ActOptions, now: number): void {
  const problem = actionRule(action, "action");
  if (problem !== undefined) throw new DureError("INVALID_OPTION", `${what}: ${problem}`);
  checkOptions(what, options, {
    edit: () => (action === "edit" ? undefined : "edit is only for the action 'edit'."),
    dryRun: booleanRule,
    rate: integerBetween(1, 1_000_000),
    signal: signalRule,
    onProgress: functionRule,
    by: byRule,
  });
  if (action === "edit" && options.edit === undefined) {
    throw new DureError(
      "INVALID_OPTION",
      `${what}: the action 'edit' needs what to change, as edit: { priority: 5 }.`,
    );
  }
  if (options.edit !== undefined) checkEdit(`${what}: edit`, options.edit, now);
}

/** The audit log keeps JSON. */
export function editAsJson({ runAt, ...edit }: NonNullable<ActOptions["edit"]>): AuditState {
  return { ...edit, ...(runAt && { runAt: runAt.toISOString() }) };
}

/** @throws DureError INVALID_OPTION for what would be dropped, and the action done to more than was meant */
export function checkActionSearch(what: string, search: TaskSearchOptions): void {
  if (typeof search !== "object" || search === null) {
    throw new DureError(
      "INVALID_OPTION",
      `${what}: the search is ${showValue(search)}; it must be filters, or {} for all tasks.`,
    );
  }
  const dropped = ofLists.filter((name) => search[name] !== undefined);
  if (dropped.length === 0) return;
  throw new DureError(
    "INVALID_OPTION",
    `${what}: ${dropped.join(", ")} would not be kept, since an action is done to all that fits; narrow that by filters, such as a range of createdAt.`,
  );
}

/** What of a search is no filter. */
const beside: readonly string[] = ["budget", "definitions"] satisfies (keyof ActionSearch)[];

/**
 * Every task is meant by {} alone: filters of which none has a value, an empty query for instance, are a value that was forgotten.
 * @param fixed the same, with what its saved searches stand for
 * @throws DureError INVALID_OPTION
 */
export function checkIsMeant(
  what: string,
  instance: Instance,
  search: ActionSearch,
  fixed: ActionSearch,
): void {
  const given = Object.keys(search).filter((name) => !beside.includes(name));
  const { id, types, statuses, queues, created = {}, updated = {}, where } = toStoreSearch(instance, fixed);
  const bounds = [...Object.values(created), ...Object.values(updated)];
  const asked = [id, types, statuses, queues, ...bounds].some((one) => one !== undefined);
  if (given.length === 0 || asked || (where && !holdsAlways(where))) return;
  throw new DureError(
    "INVALID_OPTION",
    `${what}: the search asks for nothing by ${given.join(", ")}, so that every task would fit; give {} to mean every task.`,
  );
}

function holdsAlways(where: Condition): boolean {
  if (where.kind === "and") return where.parts.every(holdsAlways);
  return where.kind === "or" && where.parts.some(holdsAlways);
}

/** Answers whether the signal ended it. */
async function actOnPage(
  instance: Instance,
  tasks: readonly Task[],
  action: TaskAction,
  { edit, record, rate, signal, onPortion }: ActOnSetOptions,
): Promise<boolean> {
  const size = rate === undefined ? batchSize : Math.max(1, Math.floor(rate / 10));
  for (let start = 0; start < tasks.length; start += size) {
    if (signal?.aborted) return true;
    const portion = tasks.slice(start, start + size);
    // Together, so that they share commits.
    const errors = await Promise.all(
      portion.map((task) => actOnOne(instance, task, action, { edit, record })),
    );
    onPortion(
      portion,
      errors.flatMap((error, index) => (error ? [{ task: portion[index]!, error }] : [])),
    );
    if (rate !== undefined) {
      await instance.clock.sleep(parseDuration((portion.length / rate) * 1_000, "rate"), signal);
    }
  }
  return false;
}

/** Why it was not done. A task that has moved on since it was read is left alone. */
async function actOnOne(
  instance: Instance,
  { id, version }: Task,
  action: TaskAction,
  { edit, record }: Pick<ActOnSetOptions, "edit" | "record">,
): Promise<DureError | undefined> {
  const expected = version === undefined ? {} : { expectedVersion: version };
  try {
    const part = { action: { record } };
    if (action === "cancel") await cancelTaskIn(instance, id, expected, part);
    else if (action === "retry") await retryTaskIn(instance, id, expected, part);
    else if (action === "delete") await deleteTaskIn(instance, id, expected, part);
    else await editTaskIn(instance, id, { ...edit, ...expected }, part);
    return undefined;
  } catch (error) {
    if (error instanceof DureError && refusals.includes(error.code)) return error;
    throw error;
  }
}
