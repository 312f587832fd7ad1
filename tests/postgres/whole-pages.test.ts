/** Pages that are read from the list of all tasks, in the order of their ids, are those that the streams of each lane and status would give. */
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { recordOf } from "../../bench/search/records.ts";
import type { StoreSearch, TaskRecord, TaskStore } from "../../server/tasks/core/store.ts";
import { compareText } from "../../server/tasks/core/values/compare.ts";
import { Database } from "../../server/tasks/stores/postgres/connections/database.ts";
import { parseLocation } from "../../server/tasks/stores/postgres/connections/location.ts";
import { planningOnce } from "../../server/tasks/stores/postgres/connections/planning.ts";
import { outline } from "../../server/tasks/stores/postgres/search/outline.ts";
import { likelyPage } from "../../server/tasks/stores/postgres/search/whole-pages.ts";
import { createPostgresStore } from "../../server/tasks/stores/postgres/store.ts";
import { newSearch } from "../support/builders.ts";
import type { TestSchema } from "../support/postgres.ts";
import { takeTestSchema } from "../support/spare-schemas.ts";
import { ok } from "../support/stores.ts";

vi.setConfig({ testTimeout: 60_000 });

const tasks = 3_000;
const limit = 20;
const now = Date.now();
const hourMs = 3_600_000;
const dayMs = 24 * hourMs;
const lateEvery = 40;
const dueEvery = 30;
const lowEvery = 25;

let schema: TestSchema;
let store: TaskStore;
let all: readonly TaskRecord[];

beforeAll(async () => {
  schema = await takeTestSchema();
  store = createPostgresStore({ url: schema.url });
  await store.open();
  all = Array.from({ length: tasks }, (_, n) => recorded(n));
  for (let from = 0; from < tasks; from += 1_000) ok(await store.writeRecords(all.slice(from, from + 1_000)));
});

afterAll(async () => {
  await store?.close();
  await schema?.drop();
});

/** None of the latest failed. Some were changed long after their creation, and some much later than those created after them. */
function recorded(n: number): TaskRecord {
  const record = recordOf(n, tasks, now, "history");
  // Some come behind those without a priority.
  if (n % lowEvery === 0) record.priority = -5;
  // A few are due later than they were created.
  if (n % dueEvery === 0) record.dueAt += 2 * hourMs;
  const isLatest = record.createdAt > now - 10 * dayMs;
  if (record.status === "PENDING" || (isLatest && record.status === "FAILED"))
    return { ...recordOf(n, tasks, now, "waiting"), dueAt: record.createdAt };
  if (n % lateEvery > 1) return record;
  return { ...record, updatedAt: record.updatedAt + (n % lateEvery === 0 ? 3 * dayMs : hourMs / 2) };
}

const middle = now - 15 * dayMs;
const bounds = [undefined, { start: middle }, { end: middle }, { start: middle, end: middle + 3 * dayMs }];

function* everySearch(): Generator<StoreSearch> {
  for (const sortBy of ["createdAt", "id"] as const)
    for (const descending of [true, false])
      for (const created of bounds)
        for (const updated of bounds)
          for (const filters of [{}, { statuses: ["COMPLETED"] as const }, { statuses: ["FAILED"] as const }])
            for (const offset of [0, 7])
              yield newSearch({
                ...filters,
                ...{ sortBy, descending, limit, offset, definitions: false },
                ...(created && { created }),
                ...(updated && { updated }),
              });
}

/** By due time, which most tasks share with their creation; by priority, which most were not given. */
function* everyOf(sortBy: "dueAt" | "priority"): Generator<StoreSearch> {
  for (const search of everySearch()) if (search.sortBy === "createdAt") yield { ...search, sortBy };
}

function fitting(search: StoreSearch): TaskRecord[] {
  const isIn = (range: StoreSearch["created"], at: number) =>
    at >= (range?.start ?? at) && at < (range?.end ?? at + 1);
  const sign = search.descending ? -1 : 1;
  const { sortBy } = search;
  const sortedBy = (task: TaskRecord) => (sortBy === "dueAt" || sortBy === "priority" ? task[sortBy] : 0);
  return all
    .filter(({ status }) => !search.statuses || search.statuses.includes(status))
    .filter(({ createdAt, updatedAt }) => isIn(search.created, createdAt) && isIn(search.updated, updatedAt))
    .sort((a, b) => sign * (sortedBy(a) - sortedBy(b) || compareText(a.id, b.id)));
}

const idsOf = (some: readonly { id: string }[]) => some.map(({ id }) => id);

test("pages, and those behind and before a place, have the tasks that fit", async () => {
  for (const search of everySearch()) {
    const wanted = fitting(search);
    const label = JSON.stringify(search);
    const { tasks: page } = await store.searchTasks(search);
    expect(idsOf(page), label).toEqual(idsOf(wanted.slice(search.offset, search.offset + limit)));
    const place = wanted[Math.floor(wanted.length / 2)];
    if (!place || search.offset > 0) continue;
    for (const backwards of [false, true]) {
      const after = { value: search.sortBy === "id" ? null : place.createdAt, id: place.id, backwards };
      const { tasks: next } = await store.searchTasks({ ...search, after });
      const at = wanted.indexOf(place);
      const beyond = backwards
        ? wanted.slice(Math.max(0, at - limit), at)
        : wanted.slice(at + 1, at + 1 + limit);
      expect(idsOf(next).sort(), `beyond ${place.id}, ${backwards}: ${label}`).toEqual(idsOf(beyond).sort());
    }
  }
});

test.each(["dueAt", "priority"] as const)("so have those by %s", async (sortBy) => {
  for (const search of everyOf(sortBy)) {
    const wanted = fitting(search);
    const label = JSON.stringify(search);
    const { tasks: page } = await store.searchTasks(search);
    expect(idsOf(page), label).toEqual(idsOf(wanted.slice(search.offset, search.offset + limit)));
    const place = wanted[Math.floor(wanted.length / 3)];
    if (!place || search.offset > 0) continue;
    const { tasks: next } = await store.searchTasks({
      ...search,
      after: { value: place[sortBy], id: place.id, backwards: false },
    });
    const at = wanted.indexOf(place) + 1;
    expect(idsOf(next), `behind ${place.id}: ${label}`).toEqual(idsOf(wanted.slice(at, at + limit)));
  }
});

test("some of them are read from that list, and some of these are not full and read from the streams", async () => {
  const database = new Database(parseLocation(schema.url));
  await database.open();
  const found = { sure: 0, full: 0, lacking: 0, streams: 0 };
  await database.snapshot(async (session) => {
    for (const search of everySearch()) {
      const { pairs } = await outline(session, search);
      const { page, isSure } = likelyPage(search, pairs, { limit, offset: 0, all: tasks });
      const isOfList = page.statement.text.includes("ORDER BY tasks.id");
      if (isSure) found[isOfList ? "sure" : "streams"] += 1;
      else found[(await session.query(page.statement, page.values)).length < limit ? "lacking" : "full"] += 1;
    }
  }, planningOnce);
  await database.close();
  expect(Math.min(...Object.values(found)), JSON.stringify(found)).toBeGreaterThan(5);
});
