/** Two ways lead to tasks that wait, in the order of their due time within a range; a search follows whichever is ahead. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { NewTask, StoreSearch, TaskStore } from "../../../server/tasks/core/store.ts";
import { Connection } from "../../../server/tasks/stores/sqlite/connection.ts";
import { delayedWithin } from "../../../server/tasks/stores/sqlite/search/delays.ts";
import { waysToWaiting } from "../../../server/tasks/stores/sqlite/search/due-keys.ts";
import { findPairs } from "../../../server/tasks/stores/sqlite/search/pairs.ts";
import { isPlace, type Key } from "../../../server/tasks/stores/sqlite/search/search-key.ts";
import { sooner } from "../../../server/tasks/stores/sqlite/search/search-merge.ts";
import { createSqliteStore } from "../../../server/tasks/stores/sqlite/store.ts";
import { newSearch, newTask, startAt } from "../../support/builders.ts";
import { ok } from "../../support/stores.ts";
import { TestClock } from "../../support/test-clock.ts";

const folder = mkdtempSync(join(tmpdir(), "dure-due-ways-"));
const path = join(folder, "tasks.db");
let store: TaskStore;
let connection: Connection;
let tasks: NewTask[];

beforeAll(async () => {
  store = createSqliteStore({ path, clock: new TestClock() });
  await store.open();
  tasks = Array.from({ length: 900 }, (_, place) => {
    const createdAt = startAt + (place % 300) * 1_000;
    return newTask({
      createdAt,
      dueAt: createdAt + (place % 3 === 0 ? (place % 50) * 7_000 : 0),
      queue: place % 2 ? "default" : "mail",
      priority: place % 5,
    });
  });
  ok(await store.enqueueTasks(tasks));
  connection = new Connection({ path, durability: "full", role: "reader" });
});

afterAll(async () => {
  connection?.close();
  await store?.close();
  rmSync(folder, { recursive: true, force: true });
});

const ranges: Partial<StoreSearch>[] = [
  {},
  { created: { start: startAt + 100_000, end: startAt + 200_000 } },
  { created: { end: startAt + 50_000 } },
  { updated: { start: startAt + 250_000 } },
];

test.each(ranges.flatMap((range) => [true, false].map((descending) => ({ ...range, descending }))))(
  "either gives all of %j in order",
  (given) => {
    const search = newSearch({ ...given, sortBy: "dueAt" });
    const waiting = findPairs(connection, search);
    const { within, lines } = waysToWaiting(connection, search, waiting);
    const { start = 0, end = Number.POSITIVE_INFINITY } = given.created ?? given.updated ?? {};
    const expected = tasks
      .filter(({ createdAt }) => createdAt >= start && createdAt < end)
      .map(({ dueAt, createdAt }) => dueAt ?? createdAt)
      .sort((a, b) => (given.descending ? b - a : a - b));
    expect(expected.length).toBeGreaterThan(100);
    const keys = keysOf(within());
    expect(keys.map(([at]) => at)).toEqual(expected);
    expect(keysOf(lines())).toEqual(keys);
  },
);

test("a range of creation bounds when those may be due that were not due then", () => {
  const boundsOf = (range: Partial<StoreSearch>) => {
    const search = newSearch({ ...range, sortBy: "dueAt" });
    const parts = delayedWithin(connection, search, findPairs(connection, search));
    return parts.filter(({ pairs }) => pairs.length > 0).map(({ within }) => within);
  };
  const at = startAt + 100_000;
  const delays = tasks.map(({ dueAt, createdAt }) => dueAt - createdAt).filter((delay) => delay !== 0);
  const [least, greatest] = [Math.min(...delays), Math.max(...delays)];
  expect(boundsOf({ created: { end: at } })).toMatchObject([{ to: at - 1 + greatest }]);
  expect(boundsOf({ updated: { end: at } })).toMatchObject([{ to: at - 1 + greatest }]);
  expect(boundsOf({ created: { start: at } })).toMatchObject([{ from: at + least }]);
  // None of them was changed.
  expect(boundsOf({ updated: { start: at } })).toMatchObject([{ from: at + least }]);
  expect(boundsOf({ created: { start: at }, types: ["send-receipt"] })).toEqual([]);
});

test("where tasks came back, the start of a range of their change bounds nothing", async () => {
  const search = newSearch({ updated: { start: startAt + 250_000 }, sortBy: "dueAt" });
  const late = newTask({ createdAt: startAt, dueAt: startAt + 1_000, type: "nightly-report" });
  ok(await store.enqueueTasks([late]));
  ok(await store.editTask(late.id, { dueAt: startAt + 2_000 }));
  const parts = delayedWithin(connection, search, findPairs(connection, search));
  const back = parts.filter(({ pairs }) => pairs.some(({ type }) => type === "nightly-report"));
  expect(back).toHaveLength(1);
  expect(back[0]!.pairs).toHaveLength(1);
  expect(back[0]!.within.from).toBeLessThan(startAt);
});

test("the second way is begun where the first one takes long, and each key is given once", () => {
  const keys = Array.from({ length: 9 }, (_, at): Key => [at, "", at]);
  const begun: string[] = [];
  function* way(name: string, msEach: number): Generator<Key, undefined> {
    begun.push(name);
    for (const key of keys) {
      for (const until = performance.now() + msEach; performance.now() < until; );
      yield key;
    }
    return undefined;
  }
  const compare = ([a]: Key, [b]: Key) => a - b;
  expect([...sooner([way("quick", 0), () => way("never", 0)], compare)]).toEqual(keys);
  expect([...sooner([way("slow", 10), () => way("other", 0)], compare)]).toEqual(keys);
  expect(begun.filter((name) => name !== "never")).toEqual(["quick", "slow", "other"]);
});

function keysOf(iterator: Iterator<Key>): Key[] {
  const keys: Key[] = [];
  for (let next = iterator.next(); !next.done; next = iterator.next())
    if (!isPlace(next.value)) keys.push(next.value);
  return keys;
}
