import { expect, test } from "vitest";
import { startTestWorker } from "../../../tests/support/worker.ts";
import { DureError } from "../core/errors.ts";
import type { AttemptTransaction, Settled } from "../core/store.ts";

type Worker = Awaited<ReturnType<typeof startTestWorker>>;
const completed: Settled = { kind: "settled", status: "COMPLETED" };

/** Runs one task whose handler takes the transaction; what was asked of it is noted in `calls`. */
async function run(
  facts: Partial<AttemptTransaction>,
  handler: () => Promise<unknown> = async () => undefined,
): Promise<Worker & { calls: string[] }> {
  const calls: string[] = [];
  const noted = <Answer>(name: string, answer: () => Promise<Answer>) => {
    calls.push(name);
    return answer();
  };
  const transaction: AttemptTransaction = {
    client: { query: async () => ({ rows: [] }) },
    commit: (settlement) =>
      noted("commit", () => facts.commit?.(settlement) ?? Promise.resolve({ kind: "ok", value: completed })),
    findOutcome: (settlement) =>
      noted("find", () => facts.findOutcome?.(settlement) ?? Promise.resolve(completed)),
    rollback: () => noted("rollback", async () => undefined),
  };
  const worker = await startTestWorker(async (_task, context) => {
    await context.tx();
    return handler();
  });
  Object.assign(worker.store, { beginTransaction: async () => transaction });
  worker.store.add("a");
  worker.store.hint();
  await worker.clock.advance(0);
  return { ...worker, calls };
}

test("a completed attempt ends by its transaction's commit alone", async () => {
  const { store, ended, calls } = await run({});
  expect({ calls, settled: store.settled, ended }).toEqual({ calls: ["commit"], settled: [], ended: ["a"] });
});

test("every other end rolls back before it is settled", async () => {
  const { store, calls } = await run({}, () => Promise.reject(new Error("mailbox full")));
  expect(calls).toEqual(["rollback"]);
  expect(store.settled).toMatchObject([{ outcome: "failed", error: { message: "mailbox full" } }]);
});

test("a commit that was refused fails the attempt", async () => {
  const { store, ended } = await run({ commit: () => Promise.reject(new Error("duplicate key")) });
  expect(store.settled).toMatchObject([{ outcome: "failed", error: { message: "duplicate key" } }]);
  expect(ended).toEqual([]);
});

test("a commit whose answer was lost is asked for until it is known, and reported once", async () => {
  let asked = 0;
  const { store, ended, clock, calls } = await run({
    commit: async () => ({ kind: "unknown", cause: undefined }),
    findOutcome: async () => {
      asked += 1;
      if (asked < 4) throw new DureError("DATABASE_UNAVAILABLE", "The server is gone.");
      return completed;
    },
  });
  expect(ended).toEqual([]);
  await clock.advance(60_000);
  expect(calls).toEqual(["commit", "find", "find", "find", "find"]);
  expect({ settled: store.settled, ended }).toEqual({ settled: [], ended: ["a"] });
});

test("a commit that turns out not to have happened fails the attempt", async () => {
  const { store, ended } = await run({
    commit: async () => ({ kind: "unknown", cause: undefined }),
    findOutcome: async () => undefined,
  });
  expect(store.settled).toMatchObject([{ outcome: "failed", error: { code: "DATABASE_UNAVAILABLE" } }]);
  expect(ended).toEqual([]);
});

test("a stop waits for the commit", async () => {
  const answer = Promise.withResolvers<{ kind: "ok"; value: Settled }>();
  const { service, clock, ended } = await run({ commit: () => answer.promise });
  const stopped = service.stop();
  await clock.advance(100);
  expect(ended).toEqual([]);
  answer.resolve({ kind: "ok", value: completed });
  await clock.advance(100);
  expect(await stopped).toEqual({ released: 0 });
  expect(ended).toEqual(["a"]);
});
