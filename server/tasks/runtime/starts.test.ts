import { setImmediate as nextTurn } from "node:timers/promises";
import { expect, test } from "vitest";
import { startTestWorker } from "../../../tests/support/worker.ts";

/** A worker for 1,000 tasks at once; how many of them start in each turn of the event loop. */
async function startedIn(due: number) {
  let turn = 0;
  const turns: number[] = [];
  const handler = async () => void turns.push(turn);
  const { store, service } = await startTestWorker(handler, { concurrency: 1_000 });
  for (let index = 0; index < due; index += 1) store.add(`task-${index}`);
  store.hint();
  for (; turn < 40; turn += 1) await nextTurn();
  const sizes = [...Map.groupBy(turns, (turn) => turn).values()].map(({ length }) => length);
  return { sizes, turns, store, service };
}

test("a claim's tasks start in several turns, and are settled together", async () => {
  const { sizes, turns, store, service } = await startedIn(400);
  expect(turns).toHaveLength(400);
  expect(Math.max(...sizes)).toBe(250);
  expect(store.settleSizes).toEqual([400]);
  await service.stop();
});

test("of two claims that come together, one's tasks start after the other's", async () => {
  const { sizes, turns, store, service } = await startedIn(1_000);
  expect(turns).toHaveLength(1_000);
  expect(Math.max(...sizes)).toBe(250);
  expect(store.settled).toHaveLength(1_000);
  await service.stop();
});

test("what has not started when the worker is told to stop is given back", async () => {
  let stopped: Promise<unknown> | undefined;
  const worker = await startTestWorker(
    async () => {
      stopped ??= worker.service.stop();
    },
    { concurrency: 1_000 },
  );
  const { store } = worker;
  for (let index = 0; index < 400; index += 1) store.add(`task-${index}`);
  store.hint();
  for (let turn = 0; turn < 40; turn += 1) await nextTurn();
  await stopped;
  const outcomes = Map.groupBy(store.settled, ({ outcome }) => outcome);
  expect(outcomes.get("completed")!.length).toBeLessThanOrEqual(250);
  expect(store.settled).toHaveLength(400);
});
