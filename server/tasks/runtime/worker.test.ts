import { expect, test } from "vitest";
import { makeDefinition, startTestWorker } from "../../../tests/support/worker.ts";
import type { TaskContext } from "../core/attempt.ts";
import { NonRetryableError, RetryAfter, Snooze } from "../core/errors.ts";
import type { Settlement } from "../core/store.ts";
import type { TaskHandler } from "../core/task.ts";
import type { Indexer } from "./indexer.ts";

/** Runs one task to its settlement. */
async function settlementOf(
  handler: TaskHandler,
  options: Parameters<typeof startTestWorker>[1] = {},
  task: Parameters<Awaited<ReturnType<typeof startTestWorker>>["store"]["add"]>[1] = {},
): Promise<{ settlement: Settlement; now: number; logged: string[] }> {
  const { store, clock, service, logged } = await startTestWorker(handler, options);
  const now = clock.now();
  store.add("a", task);
  store.hint();
  await clock.advance(0);
  await service.stop();
  return { settlement: store.settled[0]!, now, logged };
}

test("a bare result is stored", async () => {
  const { settlement } = await settlementOf(async () => ({ widthPx: 640 }));
  expect(settlement).toMatchObject({ outcome: "completed", result: { json: '{"widthPx":640}' } });
});

test("no result is no result", async () => {
  const { settlement } = await settlementOf(async () => undefined);
  expect(settlement.outcome).toBe("completed");
  expect(settlement.result).toBeUndefined();
});

test("a success envelope stores its data", async () => {
  const { settlement } = await settlementOf(async () => ({ status: "success", message: "done", data: 7 }));
  expect(settlement).toMatchObject({ outcome: "completed", result: { json: "7" } });
});

test("an object with further keys is no envelope", async () => {
  const { settlement } = await settlementOf(async () => ({ status: "failure", at: 1 }));
  expect(settlement).toMatchObject({ outcome: "completed", result: { json: '{"status":"failure","at":1}' } });
});

test("a failure envelope fails as a throw does, with its message", async () => {
  const { settlement } = await settlementOf(async () => ({ status: "failure", message: "no such picture" }));
  expect(settlement).toMatchObject({
    outcome: "failed",
    error: { message: "no such picture", code: "HANDLER_FAILURE" },
  });
  expect(settlement.retryAt).toBeDefined();
});

test("whatever is thrown ends the attempt failed, with a time for the next", async () => {
  const cycle: { cause?: unknown } = {};
  cycle.cause = cycle;
  const odd = new Proxy(
    {},
    {
      get: () => {
        throw new Error("no");
      },
    },
  );
  for (const thrown of [
    new Error("x"),
    null,
    undefined,
    "text",
    Symbol("s"),
    7n,
    cycle,
    odd,
    Object.freeze({}),
  ]) {
    const { settlement, now } = await settlementOf(async () => {
      throw thrown;
    });
    expect(settlement.outcome).toBe("failed");
    expect(settlement.error?.message).toBeTypeOf("string");
    expect(settlement.retryAt).toBeGreaterThanOrEqual(now);
    expect(settlement.retryAt).toBeLessThanOrEqual(now + 1_000);
  }
});

test("a handler that throws before its first await, or returns no promise, is treated alike", async () => {
  const thrown = await settlementOf((() => {
    throw new Error("at once");
  }) as TaskHandler);
  expect(thrown.settlement.outcome).toBe("failed");
  const bare = await settlementOf((() => 7) as unknown as TaskHandler);
  expect(bare.settlement).toMatchObject({ outcome: "completed", result: { json: "7" } });
});

test("NonRetryableError leaves no further attempt", async () => {
  const { settlement } = await settlementOf(async () => {
    throw new NonRetryableError("never");
  });
  expect(settlement.outcome).toBe("failed");
  expect(settlement.retryAt).toBeUndefined();
});

test("RetryAfter sets the time of the next attempt", async () => {
  const { settlement, now } = await settlementOf(async () => {
    throw new RetryAfter("30s");
  });
  expect(settlement).toMatchObject({ outcome: "failed", retryAt: now + 30_000 });
});

test("Snooze gives the task back until later", async () => {
  const { settlement, now } = await settlementOf(async () => {
    throw new Snooze("2m");
  });
  expect(settlement).toMatchObject({ outcome: "snoozed", retryAt: now + 120_000 });
  expect(settlement.error).toBeUndefined();
});

test("an impossible delay falls back to the backoff and is logged", async () => {
  for (const error of [new RetryAfter("soon"), new Snooze(Number.NaN)]) {
    const { settlement, now, logged } = await settlementOf(async () => {
      throw error;
    });
    expect(settlement.outcome).toBe("failed");
    expect(settlement.retryAt).toBeLessThanOrEqual(now + 1_000);
    expect(logged[0]).toContain("impossible delay");
  }
});

test("a backoff of the task goes before the definition's, and a function of it is asked", async () => {
  const fail: TaskHandler = async () => {
    throw new Error("x");
  };
  const asked: unknown[] = [];
  const backoff = (attempt: number, error: unknown) => {
    asked.push([attempt, (error as Error).message]);
    return "10s";
  };
  const ofDefinition = await settlementOf(fail, { backoff }, { attempts: 2, maxAttempts: 5 });
  expect(ofDefinition.settlement.retryAt).toBe(ofDefinition.now + 10_000);
  expect(asked).toEqual([[2, "x"]]);
  const settings = { backoff: { firstMs: 7, factor: 1, maxMs: 7, jitter: "none" } } as const;
  const ofTask = await settlementOf(fail, { backoff }, { settings });
  expect(ofTask.settlement.retryAt).toBe(ofTask.now + 7);
});

test("a backoff function that throws or answers nonsense is replaced by the default and logged", async () => {
  for (const backoff of [
    () => {
      throw new Error("x");
    },
    () => "nonsense",
    () => Number.NaN,
    () => -1,
  ]) {
    const { settlement, now, logged } = await settlementOf(
      async () => {
        throw new Error("x");
      },
      { backoff },
    );
    expect(settlement.retryAt).toBeGreaterThanOrEqual(now);
    expect(settlement.retryAt).toBeLessThanOrEqual(now + 1_000);
    expect(logged[0]).toContain("backoff");
  }
});

test("a result that cannot be kept, or is too large, fails without another attempt: the work was done", async () => {
  const notStorable = await settlementOf(async () => ({ send: () => {} }));
  expect(notStorable.settlement).toMatchObject({ outcome: "failed", error: { code: "VALUE_NOT_STORABLE" } });
  expect(notStorable.settlement.retryAt).toBeUndefined();
  const tooLarge = await settlementOf(async () => "x".repeat(2 * 1024 * 1024));
  expect(tooLarge.settlement).toMatchObject({ outcome: "failed", error: { code: "VALUE_TOO_LARGE" } });
  expect(tooLarge.settlement.retryAt).toBeUndefined();
  const throwing = await settlementOf(
    async () =>
      ({
        get status() {
          throw new Error("no");
        },
      }) as never,
  );
  expect(throwing.settlement.outcome).toBe("failed");
});

test("a payload that cannot be read back fails the task without calling the handler", async () => {
  let called = false;
  const { settlement } = await settlementOf(
    async () => {
      called = true;
    },
    {},
    { unreadable: "The payload is damaged." },
  );
  expect(settlement).toMatchObject({ outcome: "failed", error: { code: "VALUE_UNREADABLE" } });
  expect(settlement.retryAt).toBeUndefined();
  expect(called).toBe(false);
});

test("the context tells attempt, fence and key", async () => {
  let seen: TaskContext | undefined;
  await settlementOf(
    async (_task, context) => {
      seen = context;
    },
    {},
    { attempts: 2, maxAttempts: 2, progress: { done: 3 } },
  );
  expect(seen).toMatchObject({
    attempt: 2,
    isLastAttempt: true,
    fence: 1,
    attemptKey: "a:1",
    lastProgress: { done: 3 },
  });
  expect(seen?.workerId).toMatch(/^[0-9a-f]{32}$/);
});

test("log lines travel with the settlement, bounded, whatever their fields are", async () => {
  const { settlement } = await settlementOf(async (_task, { log }) => {
    log.info("started", { pixels: 7n, error: new Error("x"), self: log });
    const cycle: Record<string, unknown> = {};
    cycle.cycle = cycle;
    log.warn("odd", cycle);
    log.error(undefined as never, null as never);
    for (let line = 0; line < 2_000; line += 1) log.info(`line ${line}`);
  });
  const { logs } = settlement;
  expect(logs).toHaveLength(1_000);
  expect(logs![0]).toMatchObject({
    level: "info",
    message: "started",
    fields: { pixels: "7", error: { message: "x" } },
  });
  expect(logs![1]!.fields).toHaveProperty("dropped");
  expect(logs!.at(-1)!.message).toMatch(/^1004 further lines were dropped/);
});

test("a log of long lines stays under its size", async () => {
  const { settlement } = await settlementOf(async (_task, { log }) => {
    for (let line = 0; line < 100; line += 1) log.info("x".repeat(100_000), { text: "y".repeat(1_000_000) });
  });
  expect(JSON.stringify(settlement.logs).length).toBeLessThan(300 * 1024);
});

test("progress is stored within a second, at most once a second, and the last goes ahead of the settlement", async () => {
  let finish = () => {};
  const { store, clock, service } = await startTestWorker(async (_task, context) => {
    for (let done = 0; done < 5; done += 1) context.progress(done, 5);
    await new Promise<void>((resolve) => (finish = resolve));
    context.progress(5, 5, "all");
  });
  store.add("a");
  store.hint();
  await clock.advance(1_000);
  expect(store.progress).toHaveLength(1);
  expect(store.progress[0]).toMatchObject({ taskId: "a", fence: 1, progress: { done: 4, total: 5 } });
  finish();
  await clock.advance(0);
  expect(store.progress.at(-1)).toMatchObject({ progress: { done: 5, total: 5, message: "all" } });
  expect(store.settled).toHaveLength(1);
  await service.stop();
});

test("never more tasks than slots are claimed, and freed slots are claimed in the same turn", async () => {
  const finish: (() => void)[] = [];
  const { store, clock, service } = await startTestWorker(
    () => new Promise((resolve) => finish.push(() => resolve(1))),
    {
      concurrency: 3,
    },
  );
  for (let index = 0; index < 10; index += 1) store.add(`task-${index}`);
  store.hint();
  await clock.advance(0);
  expect(finish).toHaveLength(3);
  finish[0]!();
  finish[1]!();
  await clock.advance(0);
  expect(finish).toHaveLength(5);
  expect(store.claimLimits.at(-1)).toBe(2);
  expect(store.settleSizes).toEqual([2]);
  for (const end of finish) end();
  await service.stop();
});

test("no claim is larger than 500, however many slots are free", async () => {
  let started = 0;
  const handler = async () => {
    started += 1;
  };
  const { store, clock, service } = await startTestWorker(handler, { concurrency: 2_000 });
  for (let index = 0; index < 1_000; index += 1) store.add(`task-${index}`);
  store.hint();
  await clock.advance(0);
  await clock.advance(0);
  expect(started).toBe(1_000);
  expect(Math.max(...store.claimLimits)).toBe(500);
  await service.stop();
});

test("without a hint due tasks are found by looking", async () => {
  const { store, clock, service } = await startTestWorker(async () => 1);
  store.add("a");
  await clock.advance(251);
  expect(store.settled).toHaveLength(1);
  await service.stop();
});

test("a definition added later is claimed for", async () => {
  const { store, clock, registry, service } = await startTestWorker(async () => 1);
  const types: (readonly string[])[] = [];
  const claimNow = store.claimTasks;
  store.claimTasks = (request) => {
    types.push(request.types);
    return claimNow(request);
  };
  registry.add(
    makeDefinition("send-receipt", async () => 2),
    false,
  );
  await clock.advance(0);
  expect(types).toEqual([["resize-image", "send-receipt"]]);
  await service.stop();
});

test("quarantine: of tasks that lost two workers, one at a time is in flight", async () => {
  const finish = new Map<string, () => void>();
  const { store, clock, service } = await startTestWorker(
    (task) => new Promise((resolve) => finish.set(task.id, () => resolve(1))),
  );
  store.add("suspect-1", { crashes: 2 });
  store.add("suspect-2", { crashes: 2 });
  store.add("innocent");
  store.hint();
  await clock.advance(300);
  expect([...finish.keys()]).toEqual(["suspect-1", "innocent"]);
  finish.get("suspect-1")!();
  await clock.advance(0);
  expect(finish.has("suspect-2")).toBe(true);
  for (const end of finish.values()) end();
  await service.stop();
});

test("tasks that lost one worker all start again at once", async () => {
  const started: string[] = [];
  const { store, clock, service } = await startTestWorker(async (task) => void started.push(task.id));
  for (const id of ["one", "two", "three"]) store.add(id, { crashes: 1 });
  store.hint();
  await clock.advance(0);
  expect(started).toEqual(["one", "two", "three"]);
  await service.stop();
});

test("while outcomes cannot be stored nothing is claimed", async () => {
  const { store, clock, service } = await startTestWorker(async () => 1);
  const settleNow = store.settleTasks;
  store.settleTasks = async () => ({ kind: "unknown", cause: "gone" });
  store.add("a");
  store.hint();
  await clock.advance(500);
  const claims = store.claimLimits.length;
  store.add("b");
  store.hint();
  await clock.advance(5_000);
  expect(store.claimLimits).toHaveLength(claims);
  expect(service.healthy).toBe(false);
  store.settleTasks = settleNow;
  await clock.advance(10_000);
  expect(store.settled.map(({ taskId }) => taskId)).toEqual(["a", "b"]);
  expect(service.healthy).toBe(true);
  await service.stop();
});

test("a settled end is told to those who wait", async () => {
  const { store, clock, service, ended } = await startTestWorker(async () => 1);
  store.add("a");
  store.hint();
  await clock.advance(0);
  expect(ended).toEqual(["a"]);
  await service.stop();
});

test("a worker whose tasks end at once counts as at work until a second after the last", async () => {
  let worker: Parameters<Indexer["start"]>[0] | undefined;
  const start: Indexer["start"] = (given) => {
    worker = given;
  };
  const indexer = { start, stop: async () => {} } as Indexer;
  const { store, clock, service } = await startTestWorker(async () => undefined, { indexer });
  expect(worker?.isAtWork).toBe(false);
  store.add("a");
  store.hint();
  await clock.advance(0);
  expect(store.settled).toHaveLength(1);
  expect(worker?.isAtWork).toBe(true);
  await clock.advance(1_000);
  expect(worker?.isAtWork).toBe(false);
  await service.stop();
});
