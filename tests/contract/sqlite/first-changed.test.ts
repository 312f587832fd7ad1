/** In the order of the latest change a page of all types asks only pairs that have tasks where it begins, and has every task in its place. */
import { afterEach, expect, test } from "vitest";
import { ulidStart } from "../../../server/tasks/core/ids.ts";
import type { StoreSearch } from "../../../server/tasks/core/store.ts";
import { stateOf } from "../../../server/tasks/stores/shared/hours.ts";
import { minuteMs, minuteOf } from "../../../server/tasks/stores/shared/kept-counts.ts";
import { Connection } from "../../../server/tasks/stores/sqlite/connection.ts";
import { searchTasks } from "../../../server/tasks/stores/sqlite/search/search-walk.ts";
import { statusNames } from "../../../server/tasks/stores/sqlite/statuses.ts";
import { newSearch, startAt } from "../../support/builders.ts";
import { seeded } from "../../support/seeded.ts";

const [lanes, tasks, minutes] = [60, 2_400, 10];
const [pending, completed, failed, cancelled] = [1, 3, 4, 5];
const closing: Connection[] = [];
afterEach(() => {
  for (const connection of closing.splice(0)) connection.close();
});

interface One {
  id: string;
  lane: number;
  status: number;
  version: number;
  createdAt: number;
  updatedAt: number;
}

/** Few lanes have most tasks, and some minutes none; one of fifty was changed late, and some wait that were changed. */
function tasksOf(random: () => number): One[] {
  return Array.from({ length: tasks }, (_, n) => {
    const minute = Math.floor(minutes * random() ** 2);
    const createdAt =
      startAt + (minute < 4 ? minute : minute + 7) * minuteMs + Math.floor(minuteMs * random());
    const fate = random();
    const status = fate < 0.15 ? pending : fate < 0.8 ? completed : fate < 0.93 ? failed : cancelled;
    const isFresh = status === pending && random() < 0.9;
    const took = random() < 0.02 ? 2_000_000 : Math.floor(20_000 * random() ** 4);
    return {
      id: `${ulidStart(createdAt).slice(0, 10)}${String(n).padStart(16, "0")}`,
      ...{ lane: 1 + Math.floor(lanes * random() ** 3), status, version: isFresh ? 1 : 3 },
      ...{ createdAt, updatedAt: isFresh ? createdAt : createdAt + took },
    };
  });
}

function opened(all: readonly One[]): Connection {
  const connection = new Connection({ path: ":memory:", durability: "normal", role: "writer" });
  closing.push(connection);
  for (let lane = 1; lane <= lanes; lane++)
    connection.exec(
      `INSERT INTO lanes (lane, type, queue, own_ids) VALUES (${lane}, 'type-${lane}', 'default', 0)`,
    );
  const insert =
    connection.prepare(`INSERT INTO tasks (id, lane, own_id, status, priority, due_at, created_at, updated_at, started_at,
    completed_at, max_attempts, rerun_after_crash, payload, version) VALUES (?1, ?2, 0, ?3, 0, ?4, ?4, ?5, ?6, ?6, 1, 1, '1', ?7)`);
  const count =
    connection.prepare(`INSERT INTO minute_tallies (lane, state, minute, tasks, changed) VALUES (?, ?, ?, ?, ?)
    ON CONFLICT DO UPDATE SET tasks = tasks + excluded.tasks, changed = changed + excluded.changed`);
  for (const { id, lane, status, version, createdAt, updatedAt } of all) {
    const endedAt = status >= 3 ? updatedAt : null;
    insert.run(id, lane, status, createdAt, updatedAt, endedAt, version);
    count.run(lane, stateOf(status), minuteOf(createdAt), 1, 0);
    if (endedAt !== null) count.run(lane, stateOf(status), minuteOf(endedAt), 0, 1);
  }
  connection.exec(
    "INSERT INTO tallies (lane, status, tasks) SELECT lane, status, count(*) FROM tasks GROUP BY 1, 2",
  );
  return connection;
}

/** Page by page to the end. */
function read(connection: Connection, search: StoreSearch): string[] {
  const ids: string[] = [];
  for (let after = search.after; ; ) {
    const asked = { ...search, ...(after && { after }) };
    const { rows } = connection.snapshot(() => searchTasks(connection, asked)).tasks;
    ids.push(...rows.map((row) => row[1]));
    const last = rows.at(-1);
    if (!last || rows.length < search.limit) return ids;
    after = { value: last[7], id: last[1], backwards: false };
  }
}

function wanted(all: readonly One[], { descending, statuses, created, updated }: StoreSearch): string[] {
  const sign = descending ? -1 : 1;
  const isWithin = (range: StoreSearch["created"], at: number) =>
    at >= (range?.start ?? -Infinity) && at < (range?.end ?? Infinity);
  return all
    .filter(({ status }) => !statuses || statuses.includes(statusNames[status]!))
    .filter(({ createdAt, updatedAt }) => isWithin(created, createdAt) && isWithin(updated, updatedAt))
    .sort((a, b) => sign * (a.updatedAt - b.updatedAt || (a.id < b.id ? -1 : 1)))
    .map(({ id }) => id);
}

const at = (minute: number) => startAt + minute * minuteMs + 17_321;
const ranges: Pick<StoreSearch, "created" | "updated">[] = [
  {},
  { updated: { start: at(1) } },
  { updated: { end: at(2) } },
  { updated: { start: at(2), end: at(14) } },
  { created: { start: at(0), end: at(13) } },
  { created: { end: at(2) } },
  { created: { start: at(1) }, updated: { end: at(3) } },
  { created: { end: at(1) }, updated: { start: at(12) } },
];

test.for(ranges)("each page of all types is right: %j", (range) => {
  const all = tasksOf(seeded(3));
  const connection = opened(all);
  for (const descending of [true, false])
    for (const statuses of [undefined, ["COMPLETED", "FAILED", "CANCELLED"] as const])
      for (const limit of [23, 60]) {
        const search = newSearch({
          sortBy: "updatedAt",
          descending,
          limit,
          ...range,
          ...(statuses && { statuses: [...statuses] }),
        });
        expect(read(connection, search), JSON.stringify(search)).toEqual(wanted(all, search));
      }
});

test("a pair that has nothing in the first minutes is not asked where it begins", () => {
  const all = tasksOf(seeded(3));
  const connection = opened(all);
  const { prepare } = connection;
  let asked = 0;
  connection.prepare = (text) => {
    const statement = prepare.call(connection, text);
    if (!/ORDER BY updated_at \w+, id \w+ LIMIT 1\) FROM pairs$/.test(text)) return statement;
    return new Proxy(statement, {
      get: (target, name) =>
        name === "all"
          ? (pairs: string, ...values: never[]) => {
              asked += (JSON.parse(pairs) as number[]).length;
              return target.all(pairs, ...values);
            }
          : Reflect.get(target, name),
    });
  };
  const statuses = ["COMPLETED", "FAILED", "CANCELLED"] as const;
  const search = newSearch({
    sortBy: "updatedAt",
    limit: 20,
    statuses: [...statuses],
    updated: { end: at(3) },
  });
  connection.snapshot(() => searchTasks(connection, search));
  const pairs = new Set(all.filter(({ status }) => status >= 3).map(({ lane, status }) => lane * 8 + status));
  expect(pairs.size).toBeGreaterThan(120);
  expect(asked).toBeGreaterThan(0);
  expect(asked).toBeLessThan(pairs.size / 2);
});
