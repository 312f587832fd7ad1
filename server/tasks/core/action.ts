/**
 * Acting on a search as a task of its own: it goes on without its caller, survives its worker, and is the record of who
 * changed what.
 */
import {
  type ActionSearch,
  type ActOptions,
  actionType,
  actOnSet,
  checkAct,
  checkActionSearch,
  checkIsMeant,
  countSet,
  editAsJson,
  fixedSet,
  type TaskAction,
} from "./act.ts";
import type { AbortReason, TaskContext } from "./attempt.ts";
import { byRule, callerOf, recordIn } from "./audit.ts";
import { enqueueOf } from "./enqueue.ts";
import type { TaskFilter } from "./filters/filter.ts";
import { fixedSearch, hintOfUnfilled, searchTaskPageIn } from "./find.ts";
import { asGiven } from "./given.ts";
import type { Instance } from "./instance.ts";
import { checkOptions, integerBetween } from "./options.ts";
import type { AskedBy, AuditAction, AuditState, By } from "./port/store-audit.ts";
import type { RegisteredDefinition } from "./registry.ts";
import { searchedBy } from "./searched-by.ts";
import type { Task } from "./task.ts";

/** The queue of the tasks that Dure itself enqueues. Every worker takes it, whatever queues it is limited to. */
const ownQueue = "dure";
const attemptsMax = 20;
const nameMax = 200;
const sampleSize = 10;
/** Whoever starts it waits for this count, which the audit log keeps; where it takes longer it is an estimate. */
const startCountBudget = "100ms";
/** Reports go out once a second. */
const keptMsMax = 1_500;
const keptLookMs = 50;

export interface StartActionOptions {
  /** Of the action 'edit': what to change. */
  edit?: ActOptions["edit"];
  /** At most this many tasks a second. Default: as fast as the store takes them. */
  rate?: number;
  /** Who asks for it, for the audit log: a name, or more than that. */
  by?: string | AskedBy;
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
  /** The name of who asked for it. */
  by?: string;
}

/** The result of a task that is an action. */
export interface ActionResult {
  /** How many tasks were in the set when it began; may be an estimate, see `summarizeTasks`. */
  matched: number;
  changed: number;
  /** A worker died on it: what that one changed in its last second is done, and not counted. */
  isAtLeast?: true;
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
  search: ActionSearch,
  action: TaskAction,
  options: StartActionOptions = {},
): Promise<Task<ActionPayload, ActionResult>> {
  const { edit: _edit, by: _by, ...rest } = options;
  checkAct("startAction", action, { edit: options.edit }, instance.clock.now());
  checkOptions("startAction", { by: options.by }, { by: byRule });
  checkActionSearch("startAction", search);
  checkOptions("startAction", rest, { rate: integerBetween(1, 1_000_000) });
  // As they are now: a caller may ask for something else by the same objects while this waits.
  const given = asGiven(search);
  const { edit, by } = asGiven(options);
  const fixed = await fixedSearch(instance, given);
  checkIsMeant("startAction", instance, given, fixed);
  // Until the store is open the clock may be the machine's.
  await instance.store();
  // Due from then on, so that nothing it changes is still of the set.
  const before = new Date(instance.clock.now() + 1);
  const asked = searchedBy(instance, fixed);
  const caller = callerOf(by);
  const payload: ActionPayload = {
    ...{ action, ...asked, before, ...(edit && { edit }), ...rest },
    ...(caller.who !== undefined && { by: caller.who.slice(0, nameMax) }),
  };
  const what = asked.query === undefined ? "tasks by a filter" : asked.query || "all tasks";
  const matched = await countSet(instance, { ...fixedSet(fixed, action, before), budget: startCountBudget });
  return enqueueOf(instance, instance.registry.get(actionType)!, payload, {
    runAt: before,
    description: `${action}: ${what}`.slice(0, 1_000),
    by: {
      ...caller,
      action: "start-action",
      after: { action, of: what, matched, ...(edit && { edit: editAsJson(edit) }) },
    },
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

/**
 * From where an earlier attempt came to. What that one changed has left the set; what it skipped at the very place is
 * skipped again.
 */
async function runAction(
  instance: Instance,
  { id, payload }: Task<ActionPayload>,
  context: TaskContext,
): Promise<ActionResult> {
  const ended = await endOf(instance, id);
  if (ended) return ended;
  const { action, query, filter, before, edit, rate } = payload;
  const search: ActionSearch = query === undefined ? { ...filter } : { query };
  const set = fixedSet({ ...search, budget: "none" }, action, before);
  const place = placeOf(context.lastProgress);
  const matched = place?.matched ?? (await countSet(instance, { ...set, budget: "1s" }));
  const atLeast = (await hasLostAttempt(instance, id)) && ({ isAtLeast: true } as const);
  const result: ActionResult = {
    ...{ matched, changed: place?.changed ?? 0, ...atLeast },
    ...{ skipped: place?.skipped ?? 0, skippedSample: [] },
  };
  const record = await recordOfStart(instance, id);
  const { unfilled } = await searchTaskPageIn(instance, { ...set, limit: 1 });
  if (unfilled) context.log.warn(hintOfUnfilled(unfilled));
  const from = place ? { createdAtRange: { start: place.at } } : {};
  const aborted = await actOnSet(instance, { ...set, ...from }, action, {
    ...(edit && { edit }),
    record,
    ...(rate !== undefined && { rate }),
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
  context.log.info(
    `${action}: ${atLeast ? "at least " : ""}${changed} changed, ${skipped} skipped of ${matched}.`,
  );
  if (!aborted || (context.signal.reason as AbortReason).kind === "cancelled")
    await recordEnd(instance, { id, payload }, context, {
      ...{ action, matched, changed, ...atLeast },
      ...{ skipped, aborted },
    });
  if (!aborted) return result;
  await untilKept(instance, id, context);
  throw context.signal.reason;
}

/** Undefined when it is past its retention. */
async function recordOfStart(instance: Instance, id: string): Promise<string | undefined> {
  return (await latestRecord(instance, id, "start-action"))?.id;
}

/** What an earlier attempt came to that did all there was to do, and whose worker died before it was settled. */
async function endOf(instance: Instance, id: string): Promise<ActionResult | undefined> {
  const { after } = (await latestRecord(instance, id, "end-action")) ?? {};
  if (after?.aborted !== false) return undefined;
  const { matched, changed, isAtLeast, skipped } = after as unknown as ActionResult;
  return { matched, changed, ...(isAtLeast && { isAtLeast }), skipped, skippedSample: [] };
}

async function hasLostAttempt(instance: Instance, id: string): Promise<boolean> {
  const attempts = await (await instance.store()).listAttempts(id);
  return attempts.some(({ outcome }) => outcome === "lost");
}

async function latestRecord(instance: Instance, id: string, action: AuditAction) {
  const store = await instance.store();
  const { records } = await store.readAudit({ target: id, actions: [action], limit: 1, looksMax: 100 });
  return records[0];
}

/** Before the attempt is settled. One that ends for another reason than its own or a cancellation is gone on with elsewhere. */
async function recordEnd(
  instance: Instance,
  { id, payload: { by: who } }: Pick<Task<ActionPayload>, "id" | "payload">,
  { attemptKey }: TaskContext,
  after: AuditState,
): Promise<void> {
  const by: By = { id: attemptKey, via: "worker", ...(who !== undefined && { who }) };
  await recordIn(instance, by, { action: "end-action", kind: "task", target: id, type: actionType, after });
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
