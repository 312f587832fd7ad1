/** A worker's two claims share its slots: whichever comes back with less than it might have filled, the other takes the rest. */
import { expect, test } from "vitest";
import { seeded } from "../../../tests/support/seeded.ts";
import { startTestWorker, type TestWorker } from "../../../tests/support/worker.ts";
import type { AttemptTransaction } from "../core/store.ts";

/** A worker with two slots whose claims are answered when the test says so; what each brings is decided then. */
async function startAskedWorker(isAlone: boolean) {
  const handlers = new Map<string, () => void>();
  const { store, clock } = await startTestWorker(
    ({ id }) => new Promise<void>((resolve) => handlers.set(id, resolve)),
    { concurrency: 2 },
  );
  const claims: { suspect: boolean; answer: () => void }[] = [];
  const claimNow = store.claimTasks;
  store.claimTasks = async (request) => {
    await new Promise<void>((answer) => claims.push({ suspect: request.suspect, answer }));
    const answer = await claimNow(request);
    return answer.kind === "ok" ? { ...answer, value: { ...answer.value, isAlone } } : answer;
  };
  const turn = () => clock.advance(0);
  const answer = (suspect: boolean) => {
    const [claim] = claims.splice(
      claims.findIndex((one) => one.suspect === suspect),
      1,
    );
    claim!.answer();
    return turn();
  };
  const end = (id: string) => {
    handlers.get(id)!();
    return turn();
  };
  const hint = () => {
    store.hint();
    return turn();
  };
  return { store, handlers, claims, answer, end, hint };
}

test.each([
  [true, [true, false]],
  [false, [true]],
])("claims go out beside each other in a drain where no other worker is alive: %s", async (isAlone, sent) => {
  const { store, claims, answer, end, hint } = await startAskedWorker(isAlone);
  for (const id of ["one", "two", "three"]) store.add(id);
  await hint();
  await answer(true);
  await end("one");
  await end("two");
  expect(claims.map(({ suspect }) => suspect)).toEqual(sent);
});

test("a free slot is never left to itself, though a claim that brought nothing had it", async () => {
  const { store, handlers, claims, answer, end, hint } = await startAskedWorker(false);
  store.add("one");
  store.add("two");
  await hint();
  await answer(true);
  store.add("suspect-1", { crashes: 1 });
  store.add("suspect-2", { crashes: 1 });
  // The claim that waits asks for one slot; a hint and an end later the claim ahead has the other.
  await end("one");
  await hint();
  await end("two");
  expect(claims.map(({ suspect }) => suspect)).toEqual([true, false]);
  await answer(true);
  await answer(false);
  await end("suspect-1");
  while (claims.length > 0) await answer(claims[0]!.suspect);
  expect(handlers.has("suspect-2")).toBe(true);
});

/** Works through some tasks, with answers as late as chance has it; how many are left though nothing happens any more. */
async function leftAfter(seed: number, inTransactions: boolean, isAlone: boolean): Promise<number> {
  const random = seeded(seed);
  const sleep = () => worker.clock.sleep(Math.floor(random() ** 8 * 40));
  const worker: TestWorker = await startTestWorker(
    async (_task, context) => {
      if (inTransactions) await context.tx();
      await sleep();
    },
    { concurrency: 4 },
  );
  const { store, clock } = worker;
  const tell = (...news: ("tasks" | "ends")[]) => {
    for (const one of news) for (const listener of store.listeners) listener(one);
  };
  const { claimTasks, settleTasks } = store;
  store.claimTasks = async (request) => {
    await sleep();
    const answer = await claimTasks(request);
    await sleep();
    return answer.kind === "ok" ? { ...answer, value: { ...answer.value, isAlone } } : answer;
  };
  store.settleTasks = async (settlements) => {
    await sleep();
    tell("ends");
    return settleTasks(settlements);
  };
  const transaction: AttemptTransaction = {
    client: { query: async () => ({ rows: [] }) },
    commit: async () => {
      await sleep();
      tell("tasks", "ends");
      return { kind: "ok", value: { kind: "settled", status: "COMPLETED" } };
    },
    findOutcome: async () => undefined,
    rollback: async () => undefined,
  };
  Object.assign(store, { beginTransaction: () => sleep().then(() => transaction) });
  for (let index = 0; index < 60 * random(); index += 1) store.add(`usual-${index}`);
  for (let index = 0; index < 60; index += 1) store.add(`suspect-${index}`, { crashes: 1 });
  for (let hints = 0; hints < 20; hints += 1) {
    tell("tasks");
    await clock.advance(10 * random());
  }
  for (let looks = 0; looks < 50 && store.due.length > 0; looks += 1) await clock.advance(200);
  return store.due.length;
}

test.each([
  ["settled together", false, false],
  ["settled together, of one worker", false, true],
  ["that end by their own transaction's commit", true, false],
  ["that end by their own transaction's commit, of one worker", true, true],
])("whatever is answered first, tasks %s are all run", async (_how, inTransactions, isAlone) => {
  for (let seed = 1; seed <= 40; seed += 1) {
    expect({ seed, left: await leftAfter(seed * 7_919, inTransactions, isAlone) }).toEqual({ seed, left: 0 });
  }
});
