import { afterEach, expect, test } from "vitest";
import { newTasks } from "../../../../tests/support/builders.ts";
import { SqliteBench } from "../../../../tests/support/sqlite-context.ts";
import { readHistory } from "./history.ts";

const all = { span: "minute", start: 0, end: Number.MAX_SAFE_INTEGER, limit: 10 } as const;
const bench = new SqliteBench();
afterEach(() => bench.close());

test("what commits add is folded every so many rows, in the commit of the last; a commit that fails adds nothing", () => {
  bench.register("worker-1");
  bench.enqueue(...newTasks(300));
  const held = bench.claim("worker-1", { limit: 300 });
  const unfolded = () => bench.connection.rows("SELECT count(*) AS rows FROM history_changes")[0]!.rows;
  const counted = () => readHistory(bench.connection, all).map(({ completed }) => completed);
  for (const one of held.slice(0, 250)) bench.settle(one, "worker-1", "completed");
  expect([unfolded(), counted()]).toEqual([250, [250]]);

  bench.connection.beginWrite();
  bench.context.history.completed("resize-image", bench.now, [bench.now, 0, 1]);
  bench.context.history.write();
  bench.context.history.completed("resize-image", bench.now, [bench.now, 0, 1]);
  bench.context.history.forget();
  bench.connection.rollback();
  expect([unfolded(), counted()]).toEqual([250, [250]]);

  for (const one of held.slice(250)) bench.settle(one, "worker-1", "completed");
  expect(Number(unfolded())).toBeLessThan(256);
  expect(counted()).toEqual([300]);
});
