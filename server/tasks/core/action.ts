/**
 * Acting on a search as a task of its own: it goes on without its caller, survives its worker, and is the record of who
 * changed what.
 */
import {
  type ActOptions,
  actionType,
  actOnSet,
  checkAct,
  countSet,
  fixedSet,
  type TaskAction,
} from "./act.ts";
import type { TaskContext } from "./attempt.ts";
import { enqueueOf } from "./enqueue.ts";
import type { TaskFilter } from "./filter.ts";
import { fixedSearch, rangeFilter, toStoreSearch } from "./find.ts";
import type { Instance } from "./instance.ts";
import { checkOptions, integerBetween, stringUpTo } from "./options.ts";
import { parseQuery } from "./query.ts";
import { formatQuery } from "./query-text.ts";
import type { RegisteredDefinition } from "./registry.ts";
import type { TaskSearchOptions } from "./search.ts";
import type { Task } from "./task.ts";

/** The queue of the tasks that Dure itself enqueues. Every worker takes it, whatever queues it is limited to. */
const ownQueue = "dure";
const attemptsMax = 20;
const queryMax = 10_000;
const sampleSize = 10;
/** Reports go out once a second. */
const keptMsMax = 1_500;
const keptLookMs = 50;

export interface StartActionOptions {
  /** Of the action 'edit': what to change. */
  edit?: ActOptions["edit"];
  /** At most this many tasks a second. Default: as fast as the store takes them. */
  rate?: number;
  /** Who wants it, for the record: at most 200 characters. */
  by?: string;
}

/** The payload of a task that is an action. */
export interface ActionPayload {
  action: TaskAction;
  /** The search as a query, its times fixed; absent where no query can say it. */
  query?: string;
  /** The search where no query can say it. */
  filter?: TaskFilter;
  /** Only tasks that were last changed before this instant, at which the action was asked for. */
  before: Date;
  edit?: ActOptions["edit"];
  rate?: number;
  by?: string;
}

/** The result of a task that is an action. */
export interface ActionResult {
  /** How many tasks were in the set when it began; may be an estimate, see `summarizeTasks`. */
  matched: number;
  /** After a worker died on it, without what was changed in its last second. */
  changed: number;
  /** Changed or deleted by others meanwhile. */
  skipped: number;
  /** The first of those that were skipped, at most 10, and why. */
  skippedSample: { id: string; code: string; message: string }[];
}

/**
 * Enqueues an action on every task that fits and that has a status which the action is for. The set is fixed now.
 * @throws DureError INVALID_OPTION, INVALID_QUERY, DATABASE_…
 */
export async function startActionIn(
  instance: Instance,
  search: TaskSearchOptions,
  action: TaskAction,
  options: StartActionOptions = {},
): Promise<Task<ActionPayload, ActionResult>> {
  const { edit, ...rest } = options;
  checkAct("startAction", action, { edit });
  checkOptions("startAction", rest, { rate: integerBetween(1, 1_000_000), by: stringUpTo(200) });
  const fixed = await fixedSearch(instance, search);
  toStoreSearch(instance, fixed);
  // Due from then on, so that nothing it changes is still of the set.
  const before = new Date(instance.clock.now() + 1);
  const asked = searchedBy(instance, fixed);
  const payload: ActionPayload = { action, ...asked, before, ...(edit && { edit }), ...rest };
  const what = asked.query === undefined ? "tasks by a filter" : asked.query || "all tasks";
  return enqueueOf(instance, instance.registry.get(actionType)!, payload, {
    runAt: before,
    description: `${action}: ${what}`.slice(0, 1_000),
  });
}

/** The definition that every instance has beside its user's. */
export function actionDefinition(instance: Instance): RegisteredDefinition {
  return {
    id: actionType,
    handler: (task, context) => runAction(instance, task, context),
    description: "One thing done to every task that fits a search",
    maxAttempts: attemptsMax,
    backoff: undefined,
    timeoutMs: null,
    abortGraceMs: 30_000,
    queue: ownQueue,
    priority: 0,
    tags: [],
    rerunAfterCrash: true,
    schema: undefined,
    attributes: [],
    definedAt: "Dure itself",
  };
}

/** The search as it is kept: what `created:>2h` meant when it was asked for, it means for good. */
function searchedBy(instance: Instance, search: TaskSearchOptions): Pick<ActionPayload, "query" | "filter"> {
  const {
    query,
    createdAtRange,
    updatedAtRange,
    limit: _limit,
    offset: _offset,
    sortBy: _by,
    sortOrder: _order,
    definitions: _definitions,
    cursor: _cursor,
    budget: _budget,
    ...filter
  } = search;
  const parts = [
    ...(query === undefined ? [] : [parseQuery(query, { now: instance.clock.now() }).filter]),
    filter,
    ...rangeFilter("createdAt", createdAtRange),
    ...rangeFilter("updatedAt", updatedAtRange),
  ];
  const text = formatQuery({ filter: { and: parts } });
  return text !== undefined && text.length <= queryMax ? { query: text } : { filter: { and: parts } };
}

/**
 * From where an earlier attempt came to. What that one changed has left the set; what it skipped at the very place is
 * skipped again.
 */
async function runAction(
  instance: Instance,
  { id, payload }: Task<ActionPayload>,
  context: TaskContext,
): Promise<ActionResult> {
  const { action, query, filter, before, edit, rate } = payload;
  const search: TaskSearchOptions = query === undefined ? { ...filter } : { query };
  const set = fixedSet({ ...search, budget: "none" }, action, before);
  const place = placeOf(context.lastProgress);
  const matched = place?.matched ?? (await countSet(instance, { ...set, budget: "1s" }));
  const result: ActionResult = {
    ...{ matched, changed: place?.changed ?? 0, skipped: place?.skipped ?? 0, skippedSample: [] },
  };
  const from = place ? { createdAtRange: { start: place.at } } : {};
  const aborted = await actOnSet(instance, { ...set, ...from }, action, {
    ...(edit && { edit }),
    ...(rate !== undefined && { perSecond: rate }),
    signal: context.signal,
    onPortion: (tasks, refused) => {
      result.changed += tasks.length - refused.length;
      result.skipped += refused.length;
      for (const { task, error } of refused) {
        const { code, message } = error;
        if (result.skippedSample.length < sampleSize)
          result.skippedSample.push({ id: task.id, code, message });
      }
      const at = tasks.at(-1)!.createdAt;
      context.progress(result.changed + result.skipped, matched, placeText({ ...result, at }));
    },
  });
  const { changed, skipped } = result;
  context.log.info(`${action}: ${changed} changed, ${skipped} skipped of ${matched}.`);
  if (!aborted) return result;
  await untilKept(instance, id, context);
  throw context.signal.reason;
}

/** A last report may be overtaken by the attempt's end; whoever goes on wants to know the place. */
async function untilKept(instance: Instance, id: string, { lastProgress }: TaskContext): Promise<void> {
  const store = await instance.store();
  for (let waitedMs = 0; waitedMs < keptMsMax; waitedMs += keptLookMs) {
    const task = await store.getTask(id);
    if (task?.progress?.message === lastProgress?.message) return;
    await instance.clock.sleep(keptLookMs);
  }
}

interface Place {
  matched: number;
  changed: number;
  skipped: number;
  /** When the last task that was acted on was created. */
  at: Date;
}

function placeText({ changed, skipped, at }: Omit<Place, "matched">): string {
  return `${changed} changed, ${skipped} skipped, up to ${at.toISOString()}`;
}

/** Undefined where there is none, and in what somebody else wrote. */
function placeOf(progress: TaskContext["lastProgress"]): Place | undefined {
  const found = /^(\d+) changed, (\d+) skipped, up to (\S+)$/.exec(progress?.message ?? "");
  const at = new Date(found?.[3] ?? Number.NaN);
  if (!found || progress?.total === undefined || Number.isNaN(at.getTime())) return undefined;
  return { matched: progress.total, changed: Number(found[1]), skipped: Number(found[2]), at };
}
