import { expect, test } from "vitest";
import { startTestWorker } from "../../../tests/support/worker.ts";
import type { TaskContext } from "../core/attempt.ts";

const never = () => new Promise<never>(() => {});

/** A handler that ends as told once its signal aborts. */
function untilAborted(
  end: "throw" | "return",
  afterMs: number,
  clockOf: () => { sleep(ms: number): Promise<void> },
) {
  return async (_task: unknown, { signal }: TaskContext) => {
    await new Promise((resolve) => signal.addEventListener("abort", resolve));
    if (afterMs > 0) await clockOf().sleep(afterMs);
    if (end === "throw") throw signal.reason;
    return "finished";
  };
}

async function runAborted(
  end: "throw" | "return",
  afterMs: number,
  options: { timeoutMs?: number; cancel?: boolean },
) {
  const worker: Awaited<ReturnType<typeof startTestWorker>> = await startTestWorker(
    untilAborted(end, afterMs, () => worker.clock),
    { timeoutMs: options.timeoutMs ?? null },
  );
  worker.store.add("a");
  worker.store.hint();
  await worker.clock.advance(100);
  if (options.cancel) {
    worker.store.cancelRequests = [{ taskId: "a", fence: 1 }];
    worker.store.hint();
  }
  await worker.clock.advance(20_000);
  return worker;
}

test("a timeout aborts the signal, and the attempt ends timed-out with a time for the next", async () => {
  const { store, clock, service } = await runAborted("throw", 0, { timeoutMs: 1_000 });
  expect(store.settled).toHaveLength(1);
  expect(store.settled[0]).toMatchObject({ outcome: "timed-out", error: { code: "HANDLER_TIMEOUT" } });
  expect(store.settled[0]!.retryAt).toBeLessThanOrEqual(clock.now());
  await service.stop();
});

test("a success within the grace period after a timeout counts", async () => {
  const { store, service } = await runAborted("return", 4_000, { timeoutMs: 1_000 });
  expect(store.settled.map(({ outcome }) => outcome)).toEqual(["completed"]);
  await service.stop();
});

test("after the grace period the attempt is closed, and a late success is dropped and logged once", async () => {
  const { store, service, logged } = await runAborted("return", 6_000, { timeoutMs: 1_000 });
  expect(store.settled.map(({ outcome }) => outcome)).toEqual(["timed-out"]);
  expect(logged.filter((line) => line.includes("ended after its attempt was over"))).toHaveLength(1);
  await service.stop();
});

test("a cancel request aborts the signal; a failure afterwards is cancelled, a success is a success", async () => {
  const failed = await runAborted("throw", 0, { cancel: true });
  expect(failed.store.settled.map(({ outcome }) => outcome)).toEqual(["cancelled"]);
  await failed.service.stop();
  const succeeded = await runAborted("return", 1_000, { cancel: true });
  expect(succeeded.store.settled.map(({ outcome }) => outcome)).toEqual(["completed"]);
  await succeeded.service.stop();
});

test("a cancelled handler that does not stop is cancelled after its grace period", async () => {
  const { store, clock, service } = await startTestWorker(never);
  store.add("a");
  store.hint();
  await clock.advance(0);
  store.cancelRequests = [{ taskId: "a", fence: 1 }];
  store.hint();
  await clock.advance(4_900);
  expect(store.settled).toHaveLength(0);
  await clock.advance(300);
  expect(store.settled.map(({ outcome }) => outcome)).toEqual(["cancelled"]);
  await service.stop();
});

test("a task's own timeout goes before the definition's; null is none", async () => {
  const { store, clock, service } = await startTestWorker(never, { timeoutMs: 1_000, abortGraceMs: 0 });
  store.add("short", { settings: { timeoutMs: 50 } });
  store.add("none", { settings: { timeoutMs: null } });
  store.add("usual");
  store.hint();
  await clock.advance(60);
  expect(store.settled.map(({ taskId }) => taskId)).toEqual(["short"]);
  await clock.advance(10_000);
  expect(store.settled.map(({ taskId }) => taskId)).toEqual(["short", "usual"]);
  void service.stop({ now: true });
  await clock.advance(10_000);
});

test("a signal asked for after the abort is aborted", async () => {
  let reason: unknown;
  const worker = await startTestWorker(
    async (_task, context) => {
      await worker.clock.sleep(2_000);
      reason = context.signal.reason;
    },
    { timeoutMs: 1_000 },
  );
  worker.store.add("a");
  worker.store.hint();
  await worker.clock.advance(3_000);
  expect(reason).toMatchObject({ name: "AbortReason", kind: "timeout" });
  await worker.service.stop();
});

test("past as many zombies as slots the worker claims no more and says so once", async () => {
  const { store, clock, service, unhealthy } = await startTestWorker(never, {
    timeoutMs: 10,
    abortGraceMs: 10,
    concurrency: 2,
  });
  for (let index = 0; index < 30; index += 1) store.add(`task-${index}`);
  store.hint();
  await clock.advance(10_000);
  // Two slots, ten zombies allowed: the eleventh ends it.
  expect(store.settled.length).toBeGreaterThanOrEqual(11);
  expect(store.settled.length).toBeLessThanOrEqual(12);
  expect(unhealthy).toHaveLength(1);
  expect(service.healthy).toBe(false);
  expect(store.due.length).toBeGreaterThanOrEqual(18);
  await service.stop();
});

test("stop lets attempts finish, and claims nothing more", async () => {
  let finish = () => {};
  const { store, clock, service } = await startTestWorker(
    () => new Promise<void>((resolve) => (finish = resolve)),
    { concurrency: 1 },
  );
  store.add("a");
  store.add("b");
  store.hint();
  await clock.advance(0);
  const stopped = service.stop();
  await clock.advance(10_000);
  finish();
  await clock.advance(0);
  expect(await stopped).toEqual({ released: 0 });
  expect(store.settled.map(({ taskId, outcome }) => [taskId, outcome])).toEqual([["a", "completed"]]);
  expect(store.stopped).toEqual(store.registered);
  expect(store.lease?.released).toBe(true);
  expect(clock.waiting).toBe(0);
});

test("stop aborts what is left, and gives back what does not end, within its grace period", async () => {
  const kinds: string[] = [];
  const { store, clock, service } = await startTestWorker(async (task, { signal }) => {
    signal.addEventListener("abort", () => kinds.push(signal.reason.kind));
    if (task.id === "stubborn") return never();
    await new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
  });
  store.add("stubborn");
  store.add("polite");
  store.hint();
  await clock.advance(0);
  let reply: unknown;
  void service.stop().then((value) => (reply = value));
  await clock.advance(24_900);
  expect(kinds).toEqual([]);
  await clock.advance(5_200);
  expect(kinds).toEqual(["shutdown", "shutdown"]);
  expect(reply).toEqual({ released: 1 });
  expect(store.settled.map(({ taskId, outcome }) => [taskId, outcome])).toEqual([
    ["polite", "released"],
    ["stubborn", "released"],
  ]);
});

test("a second, hurried stop cuts the grace period short", async () => {
  const { store, clock, service } = await startTestWorker(never);
  store.add("a");
  store.hint();
  await clock.advance(0);
  const stopped = service.stop();
  await clock.advance(100);
  void service.stop({ now: true });
  await clock.advance(1);
  expect(await stopped).toEqual({ released: 1 });
});

test("what a claim under way brings after stop is given back unstarted", async () => {
  let calls = 0;
  const { store, clock, service } = await startTestWorker(async () => {
    calls += 1;
  });
  const claimNow = store.claimTasks;
  store.claimTasks = async (request) => {
    await clock.sleep(1_000);
    return claimNow(request);
  };
  store.add("a");
  store.hint();
  await clock.advance(0);
  const stopped = service.stop();
  await clock.advance(1_001);
  await stopped;
  expect(calls).toBe(0);
  expect(store.settled.map(({ outcome }) => outcome)).toEqual(["released"]);
});
