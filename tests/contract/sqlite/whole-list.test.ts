/** Of all types a page comes from one list of all tasks where most of them fit, and from the pairs where too many do not. */
import { afterEach, describe, expect, test } from "vitest";
import { ulidStart } from "../../../server/tasks/core/ids.ts";
import type { StoreSearch } from "../../../server/tasks/core/store.ts";
import { Connection } from "../../../server/tasks/stores/sqlite/connection.ts";
import { searchTasks } from "../../../server/tasks/stores/sqlite/search/search-walk.ts";
import { statusNames } from "../../../server/tasks/stores/sqlite/statuses.ts";
import { newSearch, startAt } from "../../support/builders.ts";

const lanes = 10;
const [completed, failed] = [3, 4];
const closing: Connection[] = [];
afterEach(() => {
  for (const connection of closing.splice(0)) connection.close();
});

interface One {
  id: string;
  status: number;
  createdAt: number;
  updatedAt: number;
  dueAt: number;
  priority: number;
}

/** One of 20 was due later, one of 15 has a priority. */
function taskOf(n: number, status: number): One {
  const createdAt = startAt + n * 10;
  return {
    ...{ id: ulidStart(createdAt), status, createdAt, updatedAt: createdAt + 5 },
    ...{ dueAt: createdAt + (n % 20 === 0 ? 700 : 0), priority: n % 15 === 0 ? (n % 2) * 8 - 4 : 0 },
  };
}

/** @param statusOf of the tasks, by when they were created */
function opened(tasks: number, statusOf: (n: number) => number): { connection: Connection; all: One[] } {
  const connection = new Connection({ path: ":memory:", durability: "normal", role: "writer" });
  closing.push(connection);
  const all = Array.from({ length: tasks }, (_, n) => taskOf(n, statusOf(n)));
  for (let lane = 1; lane <= lanes; lane++)
    connection.exec(
      `INSERT INTO lanes (lane, type, queue, own_ids) VALUES (${lane}, 'type-${lane}', 'default', 0)`,
    );
  const insert =
    connection.prepare(`INSERT INTO tasks (id, lane, own_id, status, priority, due_at, created_at, updated_at, started_at,
    completed_at, max_attempts, rerun_after_crash, payload, version) VALUES (?1, ?2, 0, ?3, ?4, ?5, ?6, ?7, ?6, ?7, 1, 1, '1', 3)`);
  for (const [n, { id, status, priority, dueAt, createdAt, updatedAt }] of all.entries())
    insert.run(id, 1 + (n % lanes), status, priority, dueAt, createdAt, updatedAt);
  connection.exec(
    "INSERT INTO tallies (lane, status, tasks) SELECT lane, status, count(*) FROM tasks GROUP BY 1, 2",
  );
  return { connection, all };
}

const orders = (["createdAt", "id", "dueAt", "priority"] as const).flatMap((sortBy) =>
  [true, false].map((descending) => ({ sortBy, descending })),
);

/** Page by page to the end; answers the indexes by lane and creation that were read for the first page. */
function read(connection: Connection, search: StoreSearch): { ids: string[]; statements: number } {
  const { prepare } = connection;
  let statements = 0;
  connection.prepare = (text) => {
    if (text.includes("tasks_lane_created")) statements += 1;
    return prepare.call(connection, text);
  };
  const ids: string[] = [];
  let after: StoreSearch["after"];
  let ofFirst: number | undefined;
  for (;;) {
    const asked = { ...search, ...(after && { after }) };
    const { rows } = connection.snapshot(() => searchTasks(connection, asked)).tasks;
    ofFirst ??= statements;
    ids.push(...rows.map((row) => row[1]));
    const last = rows.at(-1);
    if (!last || rows.length < search.limit) break;
    const values = { createdAt: last[6], id: null, dueAt: last[5], priority: last[4] };
    after = { value: values[search.sortBy as keyof typeof values], id: last[1], backwards: false };
  }
  connection.prepare = prepare;
  return { ids, statements: ofFirst };
}

function wanted(all: readonly One[], { sortBy, descending, statuses, updated }: StoreSearch): string[] {
  const key = sortBy as "createdAt" | "id" | "dueAt" | "priority";
  const sign = descending ? -1 : 1;
  const byId = (a: One, b: One) => (a.id < b.id ? -1 : 1);
  const byKey = (a: One, b: One) => (key === "id" ? 0 : a[key] - b[key]);
  return all
    .filter(({ status }) => !statuses || statuses.includes(statusNames[status]!))
    .filter(({ updatedAt }) => updatedAt < (updated?.end ?? Number.POSITIVE_INFINITY))
    .toSorted((a, b) => sign * (byKey(a, b) || byId(a, b)))
    .map(({ id }) => id);
}

describe.each(orders)("by $sortBy, descending: $descending", (order) => {
  const search = newSearch({ ...order, statuses: ["COMPLETED"], limit: 30 });

  test("most tasks fit: no pair is looked up", () => {
    const { connection, all } = opened(600, (n) => (n % 5 === 0 ? failed : completed));
    for (const range of [{}, { updated: { end: startAt + 3_000 } }]) {
      const asked = { ...search, ...range };
      const { ids, statements } = read(connection, asked);
      expect(ids).toEqual(wanted(all, asked));
      expect(statements).toBe(0);
    }
  });

  test("a burst of others is passed over for so long, and then the pairs are looked up", () => {
    // The same in the midst, at the end that is read first, and before there is any.
    for (const from of [200, 0, 2_400]) {
      const { connection, all } = opened(4_000, (n) => (n >= from && n < from + 1_600 ? failed : completed));
      const { ids } = read(connection, search);
      expect(ids).toEqual(wanted(all, search));
    }
    const atEnd = opened(6_000, (n) => ((order.descending ? 5_999 - n : n) < 2_400 ? failed : completed));
    const { ids, statements } = read(atEnd.connection, search);
    expect(ids).toEqual(wanted(atEnd.all, search));
    // Those of the priority 0 are not come to before some others.
    if (order.sortBy !== "priority") expect(statements).toBeGreaterThan(0);
  });

  test("few tasks fit: the pairs are looked up", () => {
    const { connection, all } = opened(600, (n) => (n % 5 === 0 ? completed : failed));
    const { ids, statements } = read(connection, search);
    expect(ids).toEqual(wanted(all, search));
    expect(statements).toBeGreaterThan(0);
  });
});
