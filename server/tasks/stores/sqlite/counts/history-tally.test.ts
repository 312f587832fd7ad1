import { afterEach, beforeEach, expect, test } from "vitest";
import { newTasks } from "../../../../../tests/support/builders.ts";
import { SqliteBench } from "../../../../../tests/support/sqlite-context.ts";
import { readHistory } from "./history.ts";
import { HistoryTally } from "./history-tally.ts";

const all = { span: "minute", start: 0, end: Number.MAX_SAFE_INTEGER, limit: 10 } as const;
let bench: SqliteBench;
beforeEach(() => {
  bench = new SqliteBench();
});
afterEach(() => bench.close());

test("what commits add is folded every so many rows, in the commit of the last; a commit that fails adds nothing", () => {
  bench.register("worker-1");
  bench.enqueue(...newTasks(300));
  const held = bench.claim("worker-1", { limit: 300 });
  for (const one of held.slice(0, 250)) bench.settle(one, "worker-1", "completed");
  expect([unfolded(), counted()]).toEqual([249, [250]]);

  bench.connection.beginWrite();
  bench.context.history.completed("resize-image", bench.now, [bench.now, 0, 1]);
  bench.context.history.write();
  bench.context.history.completed("resize-image", bench.now, [bench.now, 0, 1]);
  bench.context.history.forget();
  bench.connection.rollback();
  expect([unfolded(), counted()]).toEqual([249, [250]]);

  for (const one of held.slice(250)) bench.settle(one, "worker-1", "completed");
  expect(unfolded()).toBeLessThan(256);
  expect(counted()).toEqual([300]);
});

test("the first attempt that a process ends folds what those before it left", () => {
  bench.register("worker-1");
  bench.enqueue(...newTasks(100));
  const held = bench.claim("worker-1", { limit: 100 });
  for (const [index, one] of held.entries()) {
    if (index % 20 === 0) startAnew();
    bench.settle(one, "worker-1", "completed");
  }
  expect([unfolded(), counted()]).toEqual([19, [100]]);
});

test("of many rows one transaction folds some, the oldest first, and each later one more, until none is left", () => {
  bench.connection.exec(`INSERT INTO history_changes
    WITH RECURSIVE rows (place) AS (SELECT 0 UNION ALL SELECT place + 1 FROM rows WHERE place < 2498)
    SELECT 60000 * (place / 1000), 'resize-image', 3, 2, 7, 7, '{"7":2}', '{"7":2}' FROM rows`);
  bench.register("worker-1");
  bench.enqueue(...newTasks(1));
  const [one] = bench.claim("worker-1");
  startAnew();
  const before = bench.connection.rows("SELECT count(*) AS rows FROM history")[0]!.rows;
  bench.settle(one!, "worker-1", "completed");
  const minutes = "SELECT start, completed FROM history WHERE span = 60000 ORDER BY start";
  expect([before, bench.connection.rows(minutes)]).toEqual([0, [{ start: 0, completed: 2_000 }]]);
  expect([unfolded(), counted()]).toEqual([1_500, [2_000, 2_000, 998, 1]]);
  bench.enqueue(...newTasks(1));
  expect(unfolded()).toBe(500);
  bench.enqueue(...newTasks(1));
  expect([unfolded(), counted()]).toEqual([0, [2_000, 2_000, 998, 1]]);
});

function startAnew(): void {
  Object.assign(bench.context, { history: new HistoryTally(bench.connection) });
}

function unfolded(): number {
  return Number(bench.connection.rows("SELECT count(*) AS rows FROM history_changes")[0]!.rows);
}

function counted(): number[] {
  return readHistory(bench.connection, all).map(({ completed }) => completed);
}
