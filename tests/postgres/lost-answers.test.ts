/**
 * F07, F09, F47, F48: of every verb that changes something, the answer is lost once, with the statement that the server has
 * carried out or before it saw it. The caller is told `ok` or `unknown`, never a refusal; of what is unknown either all or
 * nothing is there; and the same call once more makes it whole, and not twice.
 */
import { beforeEach, describe, expect, test, vi } from "vitest";
import { endings } from "../../server/tasks/core/port/store-history.ts";
import type { By, ClaimedTask, HistoryRow, TaskStore, Written } from "../../server/tasks/core/store.ts";
import {
  newDefinition,
  newRecord,
  newTask,
  newWorker,
  settlementOf,
  someError,
  startAt,
} from "../support/builders.ts";
import { direct, proxy, schema, store, useLossyStore } from "../support/lossy-store.ts";
import { claimRequest, ok } from "../support/stores.ts";

vi.setConfig({ testTimeout: 60_000 });

type Step = (store: TaskStore) => Promise<Written<unknown, string>>;

interface Case {
  /** What the statement begins with that commits it. */
  lost: RegExp;
  /** Makes what there has to be before, and answers the step. */
  prepare(store: TaskStore): Promise<Step> | Step;
  /** What of it can be read. */
  facts(store: TaskStore): Promise<unknown>;
  before: unknown;
  after: unknown;
}

type Changing = NonNullable<
  {
    [Verb in keyof TaskStore]: TaskStore[Verb] extends (...given: any[]) => Promise<Written<any, any>>
      ? Verb
      : never;
  }[keyof TaskStore]
>;

const id = "send-17";
const hour = Math.floor(startAt / 3_600_000) * 3_600_000;
const historyRow: HistoryRow = {
  ...{ type: "resize-image", start: hour, completed: 1, failed: 0, cancelled: 0, retried: 0 },
  ...{ waits: { counts: {}, max: 0 }, runs: { counts: {}, max: 0 } },
};
const days = { span: "day", start: 0, end: Number.MAX_SAFE_INTEGER, limit: 10 } as const;

const taskIn = async (store: TaskStore) => {
  const task = await store.getTask(id);
  return (
    task && `${task.status} ${(await store.listAttempts(id)).map(({ outcome }) => outcome ?? "…").join()}`
  );
};
/** How many attempts the history has. */
const endedIn = async (store: TaskStore) => {
  const rows = await store.readHistory(days);
  return rows.reduce((sum, row) => sum + endings.reduce((own, ending) => own + row[ending], 0), 0);
};
const enqueue = async (store: TaskStore) =>
  void ok(await store.enqueueTasks([newTask({ id, maxAttempts: 3 })]));
const claim = async (store: TaskStore): Promise<ClaimedTask> => {
  await enqueue(store);
  return ok(await store.claimTasks(claimRequest())).claimed[0]!;
};
const end = async (store: TaskStore) => {
  const claimed = await claim(store);
  ok(await store.settleTasks([settlementOf(claimed, "failed", { error: someError })]));
};
const after = (prepare: (store: TaskStore) => Promise<unknown>, step: Step) => async (store: TaskStore) => {
  await prepare(store);
  return step;
};
const statesOf = async (store: TaskStore) =>
  (await store.listWorkers()).map(({ id, state }) => `${id} ${state}`).sort();

const by: By = { id: "asked", who: "anna", via: "cli" };
const recorded = async (store: TaskStore) =>
  (await store.readAudit({ limit: 10, looksMax: 10 })).records.map(({ action }) => action);

const cases: Record<Changing, Case> = {
  saveDefinitions: {
    lost: /^COMMIT/,
    prepare: () => (store) => store.saveDefinitions([newDefinition("nightly-report")]),
    facts: async (store) => (await store.listDefinitions()).map((one) => one.id),
    before: [],
    after: ["nightly-report"],
  },
  enqueueTasks: {
    lost: /dure:insert/,
    prepare: () => {
      const task = newTask({ id });
      return (store) => store.enqueueTasks([task]);
    },
    facts: taskIn,
    before: undefined,
    after: "PENDING ",
  },
  registerWorker: {
    lost: /dure:registerWorker/,
    prepare: () => (store) => store.registerWorker(newWorker("worker-2")),
    facts: statesOf,
    before: ["worker-1 alive"],
    after: ["worker-1 alive", "worker-2 alive"],
  },
  stopWorker: {
    lost: /dure:stopWorker/,
    prepare: () => (store) => store.stopWorker("worker-1"),
    facts: statesOf,
    before: ["worker-1 alive"],
    after: ["worker-1 stopped"],
  },
  claimTasks: {
    lost: /dure:claim/,
    prepare: after(enqueue, (store) => store.claimTasks(claimRequest())),
    facts: taskIn,
    before: "PENDING ",
    after: "RUNNING …",
  },
  settleTasks: {
    lost: /dure:settle/,
    prepare: async (store) => {
      const settlement = settlementOf(await claim(store), "completed", { result: { json: "1" } });
      return (store) => store.settleTasks([settlement]);
    },
    facts: async (store) => [await taskIn(store), await endedIn(store)],
    before: ["RUNNING …", 0],
    after: ["COMPLETED completed", 1],
  },
  reportProgress: {
    lost: /dure:reportProgress/,
    prepare: async (store) => {
      const { ref, fence } = await claim(store);
      const report = { ref, taskId: id, fence, workerId: "worker-1", progress: { done: 1, total: 2 } };
      return (store) => store.reportProgress([report]);
    },
    facts: async (store) => (await store.getTask(id))?.progress,
    before: undefined,
    after: { done: 1, total: 2 },
  },
  reapWorkers: {
    lost: /dure:reapWorkers/,
    prepare: async (store) => {
      await claim(store);
      const { renewals } = (await store.listWorkers())[0]!;
      const suspects = [{ workerId: "worker-1", renewals }];
      return (store) => store.reapWorkers({ suspects, crashBudget: 3, cancelGraceMs: 60_000 });
    },
    facts: async (store) => [await taskIn(store), await statesOf(store)],
    before: ["RUNNING …", ["worker-1 alive"]],
    after: ["PENDING lost", ["worker-1 dead"]],
  },
  cancelTask: {
    lost: /^COMMIT/,
    prepare: after(enqueue, (store) => store.cancelTask(id)),
    facts: taskIn,
    before: "PENDING ",
    after: "CANCELLED ",
  },
  retryTask: {
    lost: /^COMMIT/,
    prepare: after(end, (store) => store.retryTask(id)),
    facts: taskIn,
    before: "FAILED failed",
    after: "PENDING failed",
  },
  editTask: {
    lost: /^COMMIT/,
    prepare: after(enqueue, (store) => store.editTask(id, { priority: 7 })),
    facts: async (store) => (await store.getTask(id))?.priority,
    before: 0,
    after: 7,
  },
  deleteTask: {
    lost: /^COMMIT/,
    prepare: after(end, (store) => store.deleteTask(id)),
    facts: taskIn,
    before: "FAILED failed",
    after: undefined,
  },
  pruneTasks: {
    lost: /dure:pruneTasks/,
    prepare: after(end, (store) => store.pruneTasks({ status: "FAILED", limit: 10 })),
    facts: taskIn,
    before: "FAILED failed",
    after: undefined,
  },
  writeAttributes: {
    lost: /^COMMIT/,
    prepare: async (store) => {
      await enqueue(store);
      ok(await store.saveDefinitions([{ ...newDefinition(), attributes: ["widthPx"] }]));
      const unfilled = await store.readUnfilled({ types: ["resize-image"], limit: 10 });
      const filled = unfilled.map(({ ref }) => ({ ref, attributes: { widthPx: 640 } }));
      expect(filled).toHaveLength(1);
      return (store) => store.writeAttributes(filled);
    },
    facts: async (store) => store.readAttributes([id]),
    before: [],
    after: [[id, { widthPx: 640 }]],
  },
  writeTexts: {
    lost: /dure:writeTexts/,
    prepare: async (store) => {
      await enqueue(store);
      await store.stats();
      const unindexed = await store.readUnindexed({ limit: 10 });
      expect(unindexed).toHaveLength(1);
      return (store) => store.writeTexts(unindexed.map(({ ref }) => ({ ref, text: "640" })));
    },
    facts: () => schema.query("SELECT task_id, body FROM :schema.texts"),
    before: [],
    after: [{ task_id: id, body: "640" }],
  },
  clearTexts: {
    lost: /^COMMIT/,
    prepare: async (store) => {
      await enqueue(store);
      await store.stats();
      const unindexed = await store.readUnindexed({ limit: 10 });
      ok(await store.writeTexts(unindexed.map(({ ref }) => ({ ref, text: "640" }))));
      return (store) => store.clearTexts();
    },
    facts: () => schema.query("SELECT task_id, body FROM :schema.texts"),
    before: [{ task_id: id, body: "640" }],
    after: [],
  },
  writeRecords: {
    lost: /^COMMIT/,
    prepare: async (store) => {
      await end(store);
      const records = await store.readRecords({ ids: [id] });
      ok(await store.deleteTask(id));
      return (store) => store.writeRecords(records);
    },
    facts: taskIn,
    before: undefined,
    after: "FAILED failed",
  },
  seal: {
    lost: /^COMMIT/,
    prepare: () => (store) => store.seal("elsewhere"),
    facts: (store) =>
      store.enqueueTasks([newTask()]).then(
        ({ kind }) => kind,
        ({ code }) => code,
      ),
    before: "ok",
    after: "DATABASE_MOVED",
  },
  writeHistory: {
    lost: /dure:writeHistory/,
    prepare: () => (store) => store.writeHistory([{ ...historyRow, span: "day" }]),
    facts: async (store) => (await store.readHistory(days)).map(({ completed }) => completed),
    before: [],
    after: [1],
  },
  pruneHistory: {
    lost: /dure:pruneHistory/,
    prepare: after(
      (store) => store.writeHistory([{ ...historyRow, span: "day" }]),
      (store) => store.pruneHistory({ span: "day", before: Number.MAX_SAFE_INTEGER, limit: 10 }),
    ),
    facts: async (store) => (await store.readHistory(days)).length,
    before: 1,
    after: 0,
  },
  saveSearch: {
    lost: /^COMMIT/,
    prepare: () => (store) => store.saveSearch({ name: "stuck", query: "status:failed" }),
    facts: async (store) => (await store.listSearches()).map(({ name, revision }) => [name, revision]),
    before: [],
    after: [["stuck", expect.any(Number)]],
  },
  deleteSearch: {
    lost: /^COMMIT/,
    prepare: after(
      (store) => store.saveSearch({ name: "stuck", query: "status:failed" }),
      (store) => store.deleteSearch("stuck"),
    ),
    facts: async (store) => (await store.listSearches()).length,
    before: 1,
    after: 0,
  },
  writeAlertState: {
    lost: /dure:writeAlertState/,
    prepare: async (store) => {
      const { revision } = ok(await store.saveSearch({ name: "stuck", query: "status:failed" }));
      const state = { count: 3, checkedAt: startAt };
      return (store) => store.writeAlertState({ name: "stuck", revision, state: state as never });
    },
    facts: async (store) => (await store.listSearches())[0]?.alertState !== undefined,
    before: false,
    after: true,
  },
  nameApp: {
    lost: /dure:nameApp/,
    prepare: () => (store) => store.nameApp("shop", { rename: false }),
    facts: (store) => store.readApp(),
    before: undefined,
    after: "shop",
  },
  pause: {
    lost: /^COMMIT/,
    prepare: () => (store) => store.pause({ kind: "queue", name: "default" }),
    facts: async (store) => (await store.listPauses()).map(({ name }) => name),
    before: [],
    after: ["default"],
  },
  resume: {
    lost: /^COMMIT/,
    prepare: after(
      (store) => store.pause({ kind: "queue", name: "default" }),
      (store) => store.resume({ kind: "queue", name: "default" }),
    ),
    facts: async (store) => (await store.listPauses()).length,
    before: 1,
    after: 0,
  },
  writeAudit: {
    lost: /dure:record/,
    prepare: () => (store) => store.writeAudit([newRecord({ id: "r" })]),
    facts: recorded,
    before: [],
    after: ["cancel"],
  },
  pruneAudit: {
    lost: /dure:pruneAudit/,
    prepare: after(
      (store) => store.writeAudit([newRecord({ id: "r" })]),
      (store) => store.pruneAudit({ before: Number.MAX_SAFE_INTEGER, limit: 10 }),
    ),
    facts: recorded,
    before: ["cancel"],
    after: [],
  },
};

/** Of a change that somebody asked for there is one record in the end, however often it was sent. */
const asked: Record<string, Case> = {
  "cancelTask, asked for": {
    lost: /^COMMIT/,
    prepare: after(enqueue, (store) => store.cancelTask(id, undefined, by)),
    facts: recorded,
    before: [],
    after: ["cancel"],
  },
  "enqueueTasks, asked for": {
    lost: /^COMMIT/,
    prepare: () => {
      const task = newTask({ id });
      return (store) => store.enqueueTasks([task], undefined, by);
    },
    facts: recorded,
    before: [],
    after: ["enqueue"],
  },
  "pause, asked for": {
    lost: /^COMMIT/,
    prepare: () => (store) => store.pause({ kind: "queue", name: "default" }, by),
    facts: recorded,
    before: [],
    after: ["pause"],
  },
  "saveSearch, asked for": {
    lost: /^COMMIT/,
    prepare: () => (store) => store.saveSearch({ name: "stuck", query: "status:failed" }, by),
    facts: recorded,
    before: [],
    after: ["save-search"],
  },
};

useLossyStore();
beforeEach(async () => {
  ok(await direct.registerWorker(newWorker()));
});

describe.each([
  { seen: "which the server has carried out", forward: true },
  { seen: "which the server has never seen", forward: false },
])("the answer to a statement $seen, is lost:", ({ forward }) => {
  test.each(Object.entries({ ...cases, ...asked }))(
    "%s",
    async (_verb, { lost, prepare, facts, before, after }) => {
      const step = await prepare(direct);
      expect(await facts(direct)).toEqual(before);
      const loss = proxy.loseAnswer(lost, { forward });
      const { kind } = await step(store);
      await loss;
      expect(["ok", "unknown"]).toContain(kind);
      expect(await facts(direct)).toEqual(kind === "ok" || forward ? after : before);
      if (kind === "unknown") await step(store);
      expect(await facts(direct)).toEqual(after);
      expect((await direct.checkHealth({ full: true })).filter(({ level }) => level === "error")).toEqual([]);
    },
  );
});
