/** How much a page of large payloads brings to JavaScript from SQLite. */
import type { StatementSync } from "node:sqlite";
import { beforeEach, expect, test } from "vitest";
import type { StoreSearch } from "../../../server/tasks/core/store.ts";
import { searchTasks } from "../../../server/tasks/stores/sqlite/search/search-walk.ts";
import { newSearch, newTask, startAt } from "../../support/builders.ts";
import { SqliteBench } from "../../support/sqlite-context.ts";

const size = 200_000;
let bench: SqliteBench;
/** Of texts, since the search began; and of them, those of the row that was read last. */
let brought = 0;

beforeEach(() => {
  bench = new SqliteBench();
  const payload = { text: "x".repeat(size) };
  bench.enqueue(
    ...Array.from({ length: 40 }, (_, n) => newTask({ payload, createdAt: startAt + n, priority: n % 3 })),
  );
  counting(bench);
});

test.each<[string, Partial<StoreSearch>]>([
  ["the newest", {}],
  ["those of a status", { statuses: ["PENDING"] }],
  ["those that meet a condition", { where: { kind: "exists", field: { of: "payload", path: ["text"] } } }],
  ["in an order that is near another one", { sortBy: "dueAt" }],
  ["in an order that nothing has", { sortBy: "priority" }],
])("%s: what fits, and the first that does not", (_, asked) => {
  const search = newSearch({ ...asked, limit: 40 });
  const whole = broughtBy(search);
  expect(whole.tasks).toBe(40);
  expect(whole.bytes).toBeGreaterThan(40 * size);
  const cut = broughtBy({ ...search, bytesMax: 5.5 * size });
  expect(cut.tasks).toBe(5);
  expect(cut.bytes).toBeGreaterThan(5 * size);
  expect(cut.bytes).toBeLessThan(8 * size);
});

function broughtBy(search: StoreSearch): { tasks: number; bytes: number } {
  brought = 0;
  const found = searchTasks(bench.connection, search);
  return { tasks: found.tasks.rows.length, bytes: brought };
}

/** Adds up the texts of all rows that statements give from now on. */
function counting({ connection }: SqliteBench): void {
  const borrow = connection.borrow.bind(connection);
  const prepare = connection.prepare.bind(connection);
  connection.borrow = (sql) => counted(borrow(sql));
  connection.prepare = (sql) => counted(prepare(sql) as StatementSync) as never;
}

/** Statements are given back, and lent again. */
const known = new WeakSet<StatementSync>();

function counted(statement: StatementSync): StatementSync {
  if (known.has(statement)) return statement;
  const counting = new Proxy(statement, {
    get: (target, name) => {
      const value = target[name as keyof StatementSync] as unknown;
      if (typeof value !== "function") return value;
      if (name !== "all" && name !== "get" && name !== "iterate") return value.bind(target);
      return (...values: unknown[]) => {
        const rows = value.apply(target, values);
        if (name === "iterate") return eachCounted(rows);
        for (const row of name === "all" ? rows : [rows]) count(row);
        return rows;
      };
    },
  });
  known.add(counting);
  return counting;
}

function* eachCounted(rows: Iterable<unknown>): Generator<unknown> {
  for (const row of rows) {
    count(row);
    yield row;
  }
}

function count(row: unknown): void {
  for (const text of Array.isArray(row) ? row : [])
    if (typeof text === "string") brought += Buffer.byteLength(text);
}
