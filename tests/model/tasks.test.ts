/**
 * Random sequences of verbs on every store and on SimpleStore, compared after each step. A failure prints the seed
 * and the shortest sequence. DURE_MODEL_RUNS=20000 for a long run.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { Clock } from "../../server/tasks/core/clock.ts";
import type { ClaimedTask, NewTask, Settlement, TaskStore } from "../../server/tasks/core/store.ts";
import type { Task } from "../../server/tasks/core/task.ts";
import { createSqliteStore } from "../../server/tasks/stores/sqlite/store.ts";
import fc from "../support/fast-check.ts";
import { countOf, tasksOf } from "../support/found.ts";
import { createTestSchema } from "../support/postgres.ts";
import { crashBudget, type SimpleOutcome, SimpleStore } from "./simple-store.ts";

const runs = Number(process.env.DURE_MODEL_RUNS ?? 30);
const types = ["resize-image", "send-receipt"];
const outcomes: SimpleOutcome[] = ["completed", "failed", "failed", "cancelled", "released", "snoozed"];

/** `pick` and `size` are read against what is there when the step runs, so that shortened sequences stay valid. */
interface Step {
  verb:
    | "enqueue"
    | "again"
    | "keyed"
    | "beat"
    | "claim"
    | "settle"
    | "stale"
    | "cancel"
    | "retry"
    | "edit"
    | "delete"
    | "bury"
    | "wait"
    | "prune";
  pick: number;
  size: number;
}

const step: fc.Arbitrary<Step> = fc.record({
  verb: fc.constantFrom<Step["verb"]>(
    "enqueue",
    "enqueue",
    "enqueue",
    "again",
    "keyed",
    "keyed",
    "beat",
    "claim",
    "claim",
    "claim",
    "settle",
    "settle",
    "settle",
    "settle",
    "stale",
    "cancel",
    "cancel",
    "retry",
    "edit",
    "delete",
    "bury",
    "wait",
    "prune",
  ),
  pick: fc.nat(1_000),
  size: fc.nat(20),
});

/** A store and its model, side by side. */
class Pair {
  readonly store: TaskStore;
  readonly simple = new SimpleStore();
  readonly #clock: { now: number };
  readonly #claims: { claimed: ClaimedTask; workerId: string }[] = [];
  #workers: string[] = [];
  #made = 0;

  constructor(store: TaskStore, clock: { now: number }) {
    this.store = store;
    this.#clock = clock;
  }

  async start(): Promise<void> {
    await this.store.open();
    await this.#addWorker();
    await this.#addWorker();
  }

  async run({ verb, pick, size }: Step): Promise<void> {
    const { store, simple } = this;
    const { now } = this.#clock;
    const id = this.#idAt(pick);
    switch (verb) {
      case "enqueue":
        return this.#enqueue(`task-${++this.#made}`, pick, size);
      case "again":
        if (id !== undefined) expect(await store.enqueueTasks([this.#newTask(id, pick, size)])).toBeDefined();
        return;
      case "keyed":
        return this.#enqueueKeyed(`task-${++this.#made}`, pick, size);
      case "beat":
        return this.#beat(pick);
      case "claim":
        return this.#claim(pick, size);
      case "settle":
      case "stale":
        return this.#settle(
          verb === "settle" ? this.#claims.at(-1 - (pick % 3)) : this.#claims[pick % 7],
          pick,
          size,
        );
      case "cancel": {
        if (id === undefined) return;
        const answer = await store.cancelTask(id);
        const reply = answer.kind !== "ok" ? "refused" : answer.value.requested ? "requested" : "cancelled";
        return expect(reply).toBe(simple.cancel(id, now));
      }
      case "retry":
        if (id === undefined) return;
        return expect((await store.retryTask(id)).kind === "ok").toBe(simple.retry(id, now));
      case "edit":
        if (id === undefined) return;
        return expect((await store.editTask(id, { priority: size - 10 })).kind === "ok").toBe(
          simple.edit(id, size - 10),
        );
      case "delete":
        if (id === undefined) return;
        return expect((await store.deleteTask(id)).kind === "ok").toBe(simple.delete(id));
      case "bury":
        return this.#bury(pick);
      case "wait":
        this.#clock.now += size * 10;
        return;
      case "prune": {
        const status = (["COMPLETED", "FAILED", "CANCELLED"] as const)[pick % 3]!;
        const request = { status, before: now - size * 10, limit: 3 };
        const answer = await store.pruneTasks(request);
        return expect(answer).toEqual({ kind: "ok", value: simple.prune(status, request.before, 3) });
      }
    }
  }

  /** Every task of the store against the model's, field by field. */
  async compare(): Promise<void> {
    const { store, simple } = this;
    const search = { sortBy: "id", descending: false, limit: 1_000, offset: 0, definitions: true } as const;
    const tasks = await tasksOf(store.searchTasks(search));
    expect(tasks.map(essence)).toEqual(
      [...simple.tasks.values()].sort(byId).map(({ id }) => this.#expected(id)),
    );
    expect(await countOf(store.countTasks({ ...search, statuses: ["RUNNING"] }))).toBe(
      [...simple.tasks.values()].filter((task) => task.status === "RUNNING").length,
    );
  }

  async compareHistory(): Promise<void> {
    for (const task of this.simple.tasks.values()) {
      const attempts = await this.store.listAttempts(task.id);
      const ended = attempts.filter((attempt) => attempt.outcome !== undefined);
      expect(new Map(ended.map(({ fence, outcome }) => [fence, outcome]))).toEqual(task.outcomes);
      expect(attempts.map(({ fence }) => fence)).toEqual(
        Array.from({ length: task.fence }, (_, index) => index + 1),
      );
    }
    const rows = await this.store.readHistory({ span: "minute", start: 0, end: 1e15, limit: 100_000 });
    const counted = new Map<string, number>();
    for (const row of rows) {
      for (const [status, ending] of endingsByStatus) {
        const key = `${row.type} ${status}`;
        if (row[ending] > 0) counted.set(key, (counted.get(key) ?? 0) + row[ending]);
      }
    }
    expect(counted).toEqual(this.simple.history);
    const health = await this.store.checkHealth({ full: true });
    expect(health.filter(({ level }) => level === "error")).toEqual([]);
  }

  #newTask(id: string, pick: number, size: number): NewTask {
    const { now } = this.#clock;
    return {
      id,
      type: types[pick % types.length]!,
      queue: "default",
      priority: (pick % 5) - 2,
      createdAt: now,
      dueAt: now + (size > 15 ? size * 5 : 0),
      maxAttempts: 1 + (size % 3),
      payload: { json: `{"made":"${id}"}` },
      description: undefined,
      tags: undefined,
      idempotencyKey: undefined,
      rerunAfterCrash: pick % 4 !== 0,
      settings: undefined,
      ownId: true,
      ...(pick % 3 > 0 && { attributes: { pick: pick % 7, sizes: [size, String(size)] } }),
    };
  }

  async #enqueue(id: string, pick: number, size: number): Promise<void> {
    const task = this.#newTask(id, pick, size);
    expect(await this.store.enqueueTasks([task])).toEqual({ kind: "ok", value: [null] });
    expect(this.simple.enqueue(simplified(task))).toBe(id);
  }

  /** With one of a few keys and payloads, so that many are met again. */
  async #enqueueKeyed(id: string, pick: number, size: number): Promise<void> {
    const payload = { json: String(size % 2) };
    const task = { ...this.#newTask(id, pick, size), idempotencyKey: `key ${pick % 3}`, payload };
    const answer = await this.store.enqueueTasks([task]);
    const stored = answer.kind === "ok" ? (answer.value[0]?.id ?? id) : undefined;
    expect(stored).toBe(this.simple.enqueue(simplified(task)));
  }

  async #beat(pick: number): Promise<void> {
    const workerId = this.#workers[pick % this.#workers.length]!;
    const lease = { workerId, leaseMs: 15_000, beatMs: 1e8, maxBlockMs: 1e8, onBeat: () => undefined };
    const { alive, owned } = await this.store.holdLease(lease).beat();
    const expected = this.simple.beat(workerId);
    expect(alive).toBe(expected !== undefined);
    expect(owned.map(({ taskId, fence }) => `${taskId}:${fence}`).sort()).toEqual(expected ?? []);
  }

  async #claim(pick: number, size: number): Promise<void> {
    const workerId = this.#workers[pick % this.#workers.length]!;
    const request = {
      workerId,
      types: pick % 3 === 0 ? types : [types[pick % 2]!],
      limit: size % 5,
      suspect: size % 2 === 0,
    };
    const answer = await this.store.claimTasks(request);
    const expected = this.simple.claim(
      workerId,
      request.types,
      request.limit,
      request.suspect,
      this.#clock.now,
    );
    if (expected === undefined)
      return expect(answer).toMatchObject({ kind: "rejected", reason: "worker-dead" });
    if (answer.kind !== "ok") throw new Error(`The claim was answered ${answer.kind}.`);
    expect(answer.value.claimed.map(({ task }) => task.id)).toEqual(expected);
    for (const claimed of answer.value.claimed) this.#claims.push({ claimed, workerId });
  }

  async #settle(
    claim: { claimed: ClaimedTask; workerId: string } | undefined,
    pick: number,
    size: number,
  ): Promise<void> {
    if (!claim) return;
    const { claimed, workerId } = claim;
    const { now } = this.#clock;
    const outcome = outcomes[pick % outcomes.length]!;
    const retryAt = outcome === "snoozed" || (outcome === "failed" && size > 4) ? now + size : undefined;
    const settlement: Settlement = {
      ref: claimed.ref,
      taskId: claimed.task.id,
      fence: claimed.fence,
      workerId,
      outcome,
    };
    if (retryAt !== undefined) settlement.retryAt = retryAt;
    if (outcome === "completed" && size % 2) settlement.attributes = { total: size };
    if (outcome === "failed") settlement.error = { name: "Error", message: "boom" };
    const answer = await this.store.settleTasks([settlement]);
    const expected = this.simple.settle(claimed.task.id, claimed.fence, workerId, outcome, retryAt, now);
    if (answer.kind !== "ok") throw new Error(`The settlement was answered ${answer.kind}.`);
    const [settled] = answer.value;
    expect(settled!.kind === "settled" ? settled!.status : undefined).toBe(expected);
  }

  async #bury(pick: number): Promise<void> {
    const workerId = this.#workers[pick % this.#workers.length]!;
    const seen = this.simple.renewals.get(workerId) ?? 0;
    const renewals = pick % 3 === 0 ? Math.max(0, seen - 1) : seen;
    await this.store.reapWorkers({ suspects: [{ workerId, renewals }], crashBudget, cancelGraceMs: 1e12 });
    this.simple.bury(workerId, renewals, this.#clock.now);
    if (this.simple.alive.size === 0) await this.#addWorker();
  }

  async #addWorker(): Promise<void> {
    const id = `worker-${this.#workers.length + 1}`;
    await this.store.registerWorker({
      id,
      host: "here",
      pid: process.pid,
      concurrency: 10,
      types,
      leaseMs: 15_000,
    });
    this.#workers = [...this.#workers, id];
    this.simple.alive.add(id);
  }

  #idAt(pick: number): string | undefined {
    const ids = [...this.simple.tasks.keys()];
    return ids[pick % Math.max(1, ids.length)];
  }

  #expected(id: string) {
    const { type, status, priority, dueAt, attempts, crashes, snoozes, version, error, endedAt } =
      this.simple.tasks.get(id)!;
    return { id, type, status, priority, dueAt, attempts, crashes, snoozes, version, error, endedAt };
  }
}

const endingsByStatus = [
  ["COMPLETED", "completed"],
  ["FAILED", "failed"],
  ["CANCELLED", "cancelled"],
  ["PENDING", "retried"],
] as const;

function simplified({
  id,
  type,
  priority,
  dueAt,
  maxAttempts,
  rerunAfterCrash,
  idempotencyKey,
  payload,
}: NewTask) {
  return {
    id,
    type,
    priority,
    dueAt,
    maxAttempts,
    rerunAfterCrash,
    key: idempotencyKey,
    payload: payload.json,
  };
}

function essence(task: Task) {
  const { id, type, status, priority, attempts, crashes, snoozes, version } = task;
  const error = task.error?.startsWith("The ") ? "lost" : task.error;
  return {
    id,
    type,
    status,
    priority,
    dueAt: task.dueAt!.getTime(),
    attempts,
    crashes,
    snoozes,
    version,
    error,
    endedAt: task.completedAt?.getTime(),
  };
}

function byId(a: { id: string }, b: { id: string }): number {
  return a.id < b.id ? -1 : 1;
}

async function runSteps(createStore: (clock: Clock) => TaskStore, steps: readonly Step[]): Promise<void> {
  const clock = { now: 1_800_000_000_000 };
  const store = createStore({ ...noTimers, now: () => clock.now });
  const pair = new Pair(store, clock);
  try {
    await pair.start();
    for (const one of steps) {
      await pair.run(one);
      await pair.compare();
    }
    await pair.compareHistory();
  } finally {
    await store.close();
  }
}

const noTimers = {
  monotonic: () => performance.now(),
  random: () => 0.5,
  sleep: () => Promise.resolve(),
  after: () => () => undefined,
};

/** Runs random sequences; `runOne` is told which one it is, from 1. */
async function runSequences(
  numRuns: number,
  runOne: (steps: readonly Step[], made: number) => Promise<void>,
): Promise<void> {
  let made = 0;
  const sequences = fc.array(step, { minLength: 1, maxLength: 60, size: "max" });
  const property = fc.asyncProperty(sequences, (steps) => {
    made += 1;
    return runOne(steps, made);
  });
  await fc.assert(property, { numRuns });
}

describe("whatever the sequence, what the model does is done by the store", { timeout: 600_000 }, () => {
  test("in memory", () =>
    runSequences(runs, (steps) =>
      runSteps((clock) => createSqliteStore({ path: ":memory:", clock }), steps),
    ));

  test("on disk", async () => {
    const folder = mkdtempSync(join(tmpdir(), "dure-model-"));
    try {
      await runSequences(Math.ceil(runs / 4), (steps, made) =>
        runSteps((clock) => createSqliteStore({ path: join(folder, `${made}.db`), clock }), steps),
      );
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  test("on PostgreSQL", async () => {
    const { createPostgresStore } = await import("../../server/tasks/stores/postgres/store.ts");
    const { url, empty, drop } = await createTestSchema();
    try {
      await runSequences(Math.ceil(runs / 4), async (steps) => {
        try {
          await runSteps((clock) => createPostgresStore({ url, clock }), steps);
        } finally {
          await empty();
        }
      });
    } finally {
      await drop();
    }
  });
});
