/** Tasks that ran for so long are found without a look at those that ran for less. */
import { DatabaseSync } from "node:sqlite";
import { afterEach, expect, test } from "vitest";
import { ulidStart } from "../../../server/tasks/core/ids.ts";
import { readMigrations } from "../../../server/tasks/stores/migrate.ts";
import type { Connection } from "../../../server/tasks/stores/sqlite/connection.ts";
import { durationIndexes, durationKeys } from "../../../server/tasks/stores/sqlite/search/duration-keys.ts";
import { isPlace } from "../../../server/tasks/stores/sqlite/search/search-key.ts";
import { slowSource } from "../../../server/tasks/stores/sqlite/search/slow-source.ts";
import { newSearch, startAt } from "../../support/builders.ts";

const migrations = readMigrations(
  new URL("../../../server/tasks/stores/sqlite/migrations/", import.meta.url),
);
const hourMs = 3_600_000;
const closing: (() => unknown)[] = [];
afterEach(() => {
  for (const close of closing.splice(0)) close();
});

/** Counts the rows that an index brings to a condition. */
function counting(index: string): { database: DatabaseSync; connection: Connection; visits: () => number } {
  let visited = 0;
  const database = new DatabaseSync(":memory:");
  closing.push(() => database.close());
  database.function("visit", (_seq) => ++visited);
  for (const { sql } of migrations) database.exec(sql);
  const prepare = (text: string) => {
    const statement = database.prepare(text.replace(`${index} WHERE `, `${index} WHERE visit(seq) AND `));
    statement.setReturnArrays(true);
    return statement;
  };
  const reading: Partial<Connection> = {
    prepare,
    borrow: prepare,
    giveBack: () => undefined,
    once: (_what, read) => read(),
    lasting: (_what, read) => read(),
    known: () => undefined,
  };
  return { database, connection: reading as Connection, visits: () => visited };
}

test.each([false, true])("of a thousand a bound leaves few to be looked at, downwards: %s", (descending) => {
  const { database, connection, visits } = counting("tasks_duration");
  database.exec(`INSERT INTO lanes (lane, type, queue, own_ids) VALUES (1, 'resize-image', 'default', 1);
    INSERT INTO tallies (lane, status, tasks) VALUES (1, 3, 1000);
    WITH RECURSIVE places (n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM places WHERE n < 1000)
    INSERT INTO tasks (id, lane, own_id, status, priority, due_at, created_at, updated_at, started_at, completed_at, max_attempts,
      rerun_after_crash, payload, version)
    SELECT 'task-' || n, 1, 1, 3, 0, 1, 1, 1, 1, 1 + n * 100, 1, 1, '1', 3 FROM places`);
  const took = (from: number, to: number) =>
    ({
      kind: "range",
      field: { of: "task", name: "duration" },
      from: { value: from, isIncluded: true },
      to: { value: to, isIncluded: true },
    }) as const;
  const search = newSearch({ sortBy: "duration", descending, types: ["resize-image"] });
  expect(slowSource(connection, { ...search, where: took(99_500, 200_000) })!.estimate).toBe(6);
  const keys = [
    ...{ [Symbol.iterator]: () => durationKeys(connection, { ...search, where: took(50_000, 50_500) }) },
  ];
  expect(keys.filter((key) => !isPlace(key))).toHaveLength(6);
  expect(visits()).toBeLessThan(20);
});

test.each([false, true])(
  "a rare brief duration within an hour of very many is looked for by portions, downwards: %s",
  (descending) => {
    const { database, connection, visits } = counting("tasks_lane_created");
    const tasks = 20_000;
    const hour = Math.floor(startAt / 3_600_000);
    const from = hour * 3_600_000;
    const rare = [3, 11_000, 11_001, 19_998];
    database.exec(`INSERT INTO lanes (lane, type, queue, own_ids) VALUES (1, 'resize-image', 'default', 0);
      INSERT INTO tallies (lane, status, tasks) VALUES (1, 3, ${tasks});
      INSERT INTO hour_tallies (lane, hour, state, tasks) VALUES (1, ${hour}, 3, ${tasks});
      INSERT INTO brief_hours (lane, status, duration, hour) VALUES (1, 3, 5, ${hour}), (1, 3, 7, ${hour})`);
    const insert =
      database.prepare(`INSERT INTO tasks (id, lane, own_id, status, priority, due_at, created_at, updated_at, started_at,
      completed_at, max_attempts, rerun_after_crash, payload, version) VALUES (?1, 1, 0, 3, 0, ?2, ?2, ?3, ?2, ?3, 1, 1, '1', 3)`);
    for (let n = 0; n < tasks; n++)
      insert.run(ulidStart(from + n), from + n, from + n + (rare.includes(n) ? 7 : 5));
    const where = {
      kind: "range",
      field: { of: "task", name: "duration" },
      from: { value: 6, isIncluded: true },
      to: { value: 60, isIncluded: true },
    } as const;
    const search = newSearch({ sortBy: "duration", descending, types: ["resize-image"], where });
    const keys = durationKeys(connection, search);
    const found: string[] = [];
    let [before, most] = [visits(), 0];
    for (let next = keys.next(); !next.done; next = keys.next()) {
      most = Math.max(most, visits() - before);
      before = visits();
      if (!isPlace(next.value)) found.push(next.value[1]);
    }
    const wanted = rare.map((n) => ulidStart(from + n));
    expect(found).toEqual(descending ? wanted.reverse() : wanted);
    // Of each portion the end is looked up as well.
    expect(most).toBeLessThan(tasks);
  },
);

/** A hundred thousand tasks in each hour of some days, and ten in the first hour and in the last one. */
function busyDays(database: DatabaseSync): { first: number; last: number } {
  const [first, hours] = [Math.floor(startAt / hourMs), 100];
  const last = first + hours - 1;
  database.exec(`INSERT INTO lanes (lane, type, queue, own_ids) VALUES (1, 'resize-image', 'default', 0);
    INSERT INTO tallies (lane, status, tasks) VALUES (1, 3, ${(hours - 2) * 100_000 + 20});
    WITH RECURSIVE hours (hour) AS (VALUES (${first}) UNION ALL SELECT hour + 1 FROM hours WHERE hour < ${last})
    INSERT INTO hour_tallies (lane, hour, state, tasks, changed)
      SELECT 1, hour, 3, tasks, tasks FROM (SELECT hour, iif(hour IN (${first}, ${last}), 10, 100000) AS tasks FROM hours);
    INSERT INTO minute_tallies (lane, minute, state, tasks, changed)
      VALUES (1, ${first * 60 + 30}, 3, 10, 10), (1, ${last * 60 + 30}, 3, 10, 10)`);
  return { first: first * hourMs, last: last * hourMs };
}

test.each([false, true])("few that were created lately are put in order, downwards: %s", (descending) => {
  const { database, connection } = counting("tasks_duration");
  const { first, last } = busyDays(database);
  const search = newSearch({ sortBy: "duration", descending, types: ["resize-image"] });
  const isSorted = (created: { start?: number; end?: number }) =>
    !durationIndexes(connection, { ...search, created }).includes("tasks_duration");
  expect(isSorted({ start: last + 60_000 })).toBe(true);
  expect(isSorted({ start: last + 2 * hourMs })).toBe(true);
  expect(isSorted({ end: first + hourMs })).toBe(true);
  expect(isSorted({ start: last - 1 })).toBe(false);
  expect(isSorted({ end: first + hourMs + 1 })).toBe(false);
});
