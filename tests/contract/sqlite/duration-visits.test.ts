/** Tasks that ran for so long are found without a look at those that ran for less. */
import { DatabaseSync } from "node:sqlite";
import { afterEach, expect, test } from "vitest";
import { readMigrations } from "../../../server/tasks/stores/migrate.ts";
import type { Connection } from "../../../server/tasks/stores/sqlite/connection.ts";
import { durationKeys } from "../../../server/tasks/stores/sqlite/search/duration-keys.ts";
import { isPlace } from "../../../server/tasks/stores/sqlite/search/search-key.ts";
import { slowSource } from "../../../server/tasks/stores/sqlite/search/slow-source.ts";
import { newSearch } from "../../support/builders.ts";

const migrations = readMigrations(
  new URL("../../../server/tasks/stores/sqlite/migrations/", import.meta.url),
);
const closing: (() => unknown)[] = [];
afterEach(() => {
  for (const close of closing.splice(0)) close();
});

test.each([false, true])("of a thousand a bound leaves few to be looked at, downwards: %s", (descending) => {
  let visited = 0;
  const database = new DatabaseSync(":memory:");
  closing.push(() => database.close());
  database.function("visit", (_seq) => ++visited);
  for (const { sql } of migrations) database.exec(sql);
  database.exec(`INSERT INTO lanes (lane, type, queue, own_ids) VALUES (1, 'resize-image', 'default', 1);
    INSERT INTO tallies (lane, status, tasks) VALUES (1, 3, 1000);
    WITH RECURSIVE places (n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM places WHERE n < 1000)
    INSERT INTO tasks (id, lane, own_id, status, priority, due_at, created_at, updated_at, started_at, completed_at, max_attempts,
      rerun_after_crash, payload, version)
    SELECT 'task-' || n, 1, 1, 3, 0, 1, 1, 1, 1, 1 + n * 100, 1, 1, '1', 3 FROM places`);
  const prepare = (text: string) => {
    const statement = database.prepare(text.replace(/(tasks_duration WHERE) /, "$1 visit(seq) AND "));
    statement.setReturnArrays(true);
    return statement;
  };
  const reading: Partial<Connection> = {
    prepare,
    borrow: prepare,
    giveBack: () => undefined,
    once: (_what, read) => read(),
    known: () => undefined,
  };
  const connection = reading as Connection;
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
  expect(visited).toBeLessThan(20);
});
