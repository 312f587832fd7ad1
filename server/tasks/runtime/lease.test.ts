import { expect, test } from "vitest";
import type { TestWorker } from "../../../tests/support/worker.ts";
import { startTestWorker } from "../../../tests/support/worker.ts";
import type { Beat } from "../core/store.ts";
import type { TaskHandler } from "../core/task.ts";

const never = () => new Promise<never>(() => {});

/** A worker that runs one task, `a`, whose handler records why it was aborted. */
async function startWithOne(handler?: TaskHandler): Promise<TestWorker & { aborted: string[] }> {
  const aborted: string[] = [];
  const worker = await startTestWorker(async (task, context) => {
    context.signal.addEventListener("abort", () => aborted.push(context.signal.reason.kind));
    return handler ? handler(task, context) : never();
  });
  worker.store.add("a");
  worker.store.hint();
  await worker.clock.advance(0);
  return { ...worker, aborted };
}

function owned(taskId: string, fence = 1, cancelRequested = false): Beat["owned"][number] {
  return { taskId, fence, ref: taskId, cancelRequested };
}

async function beat({ store, clock }: TestWorker, ...tasks: Beat["owned"]): Promise<void> {
  store.lease!.onBeat({ alive: true, owned: tasks });
  await clock.advance(0);
}

test("the main thread says each second that it is well", async () => {
  const { store, clock, service } = await startTestWorker(never);
  expect(store.lease).toMatchObject({ leaseMs: 15_000, beatMs: 5_000 });
  const before = store.lease!.alives;
  await clock.advance(10_000);
  expect(store.lease!.alives - before).toBe(10);
  await service.stop();
});

test("a beat that agrees changes nothing", async () => {
  const worker = await startWithOne();
  await beat(worker, owned("a"));
  expect(worker.aborted).toEqual([]);
  expect(worker.store.settled).toEqual([]);
});

test("a task owned in the store and unknown here is released", async () => {
  const worker = await startWithOne();
  await beat(worker, owned("a"), owned("lost-reply", 3));
  expect(worker.store.settled, "the beat may be older than a settlement").toEqual([]);
  await beat(worker, owned("a"), owned("lost-reply", 3));
  expect(worker.store.settled).toMatchObject([{ taskId: "lost-reply", fence: 3, outcome: "released" }]);
});

test("an earlier claim of a task that runs here again is released, not the running one", async () => {
  const worker = await startWithOne();
  await beat(worker, owned("a", 7));
  await beat(worker, owned("a", 7));
  expect(worker.store.settled).toMatchObject([{ taskId: "a", fence: 7, outcome: "released" }]);
});

test("a task whose claim is on its way is not released", async () => {
  const worker = await startWithOne();
  const { store, clock } = worker;
  const claimNow = store.claimTasks;
  store.claimTasks = async (request) => {
    await clock.sleep(1_000);
    return claimNow(request);
  };
  store.add("b");
  store.hint();
  await clock.advance(0);
  await beat(worker, owned("a"), owned("b"));
  expect(store.settled).toEqual([]);
  store.beat = { alive: true, owned: [owned("a"), owned("b")] };
  await clock.advance(1_000);
  await beat(worker, owned("a"), owned("b"));
  expect(store.settled).toEqual([]);
});

test("a claim whose reply was lost is released at the next beat even while other claims are on their way", async () => {
  const worker = await startWithOne();
  const { store, clock } = worker;
  store.claimTasks = async () => {
    await clock.sleep(1_000);
    return { kind: "ok", value: { claimed: [] } };
  };
  store.hint();
  await clock.advance(0);
  await beat(worker, owned("a"), owned("ghost"));
  expect(store.settled).toEqual([]);
  await clock.advance(1_500);
  await beat(worker, owned("a"), owned("ghost"));
  expect(store.settled).toMatchObject([{ taskId: "ghost", outcome: "released" }]);
});

test("a task whose settlement is on its way is not released", async () => {
  const { store, clock } = await startWithOneSettling();
  store.lease!.onBeat({ alive: true, owned: [owned("a")] });
  await clock.advance(1_100);
  expect(store.settled.map(({ outcome }) => outcome)).toEqual(["completed"]);
});

async function startWithOneSettling(): Promise<TestWorker> {
  const worker = await startTestWorker(async () => 1);
  const settleNow = worker.store.settleTasks;
  worker.store.settleTasks = async (settlements) => {
    await worker.clock.sleep(1_000);
    return settleNow(settlements);
  };
  worker.store.add("a");
  worker.store.hint();
  await worker.clock.advance(0);
  return worker;
}

test("what runs here and is not owned is aborted only when a fresh beat says so too", async () => {
  const worker = await startWithOne();
  worker.store.beat = { alive: true, owned: [owned("a")] };
  await beat(worker);
  expect(worker.aborted).toEqual([]);
  worker.store.beat = { alive: true, owned: [] };
  await beat(worker);
  expect(worker.aborted).toEqual(["lease-lost"]);
});

test("a cancel request in a beat aborts the attempt", async () => {
  const worker = await startWithOne();
  await beat(worker, owned("a", 1, true));
  expect(worker.aborted).toEqual(["cancelled"]);
  await worker.clock.advance(5_000);
  expect(worker.store.settled).toMatchObject([{ taskId: "a", outcome: "cancelled" }]);
});

test("a buried incarnation aborts everything, forgets it, and a new one goes on", async () => {
  let finish = () => {};
  const worker = await startWithOne(() => new Promise<void>((resolve) => (finish = resolve)));
  const { store, clock, logged } = worker;
  store.lease!.onBeat({ alive: false, owned: [] });
  await clock.advance(1_000);
  expect(worker.aborted).toEqual(["lease-lost"]);
  expect(store.registered).toHaveLength(2);
  expect(new Set(store.registered).size).toBe(2);
  expect(store.lease!.workerId).toBe(store.registered[1]);
  expect(logged[0]).toContain("taken for dead");
  store.add("b");
  store.hint();
  await clock.advance(0);
  // A late end is put on record with the old incarnation; the store refuses it.
  store.settleTasks = async (settlements) => {
    store.settled.push(...settlements);
    return { kind: "ok", value: settlements.map(() => ({ kind: "lease-lost", lostTo: "lost" }) as const) };
  };
  finish();
  await clock.advance(0);
  expect(
    store.settled.some(({ taskId, workerId }) => taskId === "b" && workerId === store.registered[1]),
  ).toBe(true);
});

test("a claim that is refused because the worker is dead takes a new incarnation", async () => {
  const worker = await startWithOne();
  const claimNow = worker.store.claimTasks;
  worker.store.claimTasks = async () => ({ kind: "rejected", reason: "worker-dead" });
  worker.store.hint();
  await worker.clock.advance(0);
  expect(worker.aborted).toEqual(["lease-lost"]);
  await worker.clock.advance(10_000);
  expect(worker.store.registered.length).toBeGreaterThan(2);
  expect(worker.store.registered.length).toBeLessThan(14);
  worker.store.claimTasks = claimNow;
  worker.store.add("b");
  await worker.clock.advance(2_000);
  expect(worker.store.due).toHaveLength(0);
});

test("cancel requests are looked for at most ten times a second, and only while something runs", async () => {
  const idle = await startTestWorker(never);
  let lookups = 0;
  idle.store.listCancelRequests = async () => {
    lookups += 1;
    return [];
  };
  for (let hint = 0; hint < 50; hint += 1) {
    idle.store.hint();
    await idle.clock.advance(20);
  }
  expect(lookups).toBe(0);
  idle.store.add("a");
  for (let hint = 0; hint < 50; hint += 1) {
    idle.store.hint();
    await idle.clock.advance(20);
  }
  expect(lookups).toBeGreaterThanOrEqual(8);
  expect(lookups).toBeLessThanOrEqual(12);
});

test("a handler is told while its task may be another's, from a second before the lease ends until the next renewal", async () => {
  let uncertain = () => true;
  const worker = await startWithOne((_task, context) => {
    uncertain = () => context.leaseUncertain;
    return never();
  });
  const { store, clock } = worker;
  await clock.advance(13_999);
  expect(uncertain()).toBe(false);
  await clock.advance(1);
  expect(uncertain()).toBe(true);
  // Asked for 10 s ago: others may have counted from then on.
  store.lease!.onBeat({ alive: true, owned: [owned("a")], ageMs: 10_000 });
  expect(uncertain()).toBe(false);
  await clock.advance(4_000);
  expect(uncertain()).toBe(true);
  await beat(worker, owned("a"));
  expect(uncertain()).toBe(false);
  expect(worker.aborted, "the handler is not stopped").toEqual([]);
  store.lease!.onBeat({ alive: false, owned: [] });
  await clock.advance(0);
  expect(uncertain()).toBe(true);
});

test("trouble that beats tell of is said once, and again when it comes back", async () => {
  const { store, logged, service } = await startTestWorker(never);
  const tell = (trouble?: string) =>
    store.lease!.onBeat({ alive: true, owned: [], ...(trouble && { trouble }) });
  for (const trouble of ["70 MiB", "80 MiB", undefined, "90 MiB"]) tell(trouble);
  expect(logged).toEqual(["70 MiB", "90 MiB"]);
  await service.stop();
});

test("a beat that counts no more renewals than one before ends the incarnation: the database was put back", async () => {
  const ends: (() => void)[] = [];
  const worker = await startWithOne(() => new Promise<void>((end) => ends.push(end)));
  const { store, clock, logged } = worker;
  for (const renewals of [7, 8]) store.lease!.onBeat({ alive: true, owned: [owned("a")], renewals });
  await clock.advance(0);
  expect(worker.aborted).toEqual([]);
  store.lease!.onBeat({ alive: true, owned: [owned("a")], renewals: 5 });
  await clock.advance(1_000);
  expect(worker.aborted).toEqual(["lease-lost"]);
  expect(logged.join()).toContain("put back to an earlier state");
  expect(store.registered).toHaveLength(2);
  store.lease!.onBeat({ alive: true, owned: [], renewals: 1 });
  ends[0]!();
  await clock.advance(1_000);
  expect(store.settled, "its fence may be another attempt's by now").toEqual([]);
  expect(store.registered).toHaveLength(2);
});

test("a task that is given again with a fence that runs here already ends the incarnation, too", async () => {
  const worker = await startWithOne();
  worker.store.add("a");
  worker.store.add("b");
  worker.store.hint();
  await worker.clock.advance(1_000);
  expect(worker.aborted[0]).toBe("lease-lost");
  expect(worker.logged.join()).toContain("put back to an earlier state");
  expect(worker.store.registered).toHaveLength(2);
  expect(
    worker.store.settled,
    "what was claimed beside it never started, so it is not to cost a crash",
  ).toEqual([
    expect.objectContaining({ taskId: "b", outcome: "released", workerId: worker.store.registered[0] }),
  ]);
});
