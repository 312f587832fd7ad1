/** Pages that are read from the list of all tasks, in the order of their ids, are those that the streams of each lane and status would give. */
import pg from "pg";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { recordOf } from "../../bench/search/records.ts";
import type { StoreSearch, TaskRecord, TaskStore } from "../../server/tasks/core/store.ts";
import { compareText } from "../../server/tasks/core/values/compare.ts";
import { Database } from "../../server/tasks/stores/postgres/connections/database.ts";
import { parseLocation } from "../../server/tasks/stores/postgres/connections/location.ts";
import { planningOnce } from "../../server/tasks/stores/postgres/connections/planning.ts";
import { nearStatement } from "../../server/tasks/stores/postgres/search/near-statements.ts";
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
/** Three thousand within the last five minutes. */
let crowdSchema: TestSchema;
let crowded: TaskStore;
const perMonth = 8_640_000;
const crowd = Array.from({ length: tasks }, (_, n) =>
  recordOf(perMonth - tasks + n, perMonth, now, "history"),
);

beforeAll(async () => {
  schema = await takeTestSchema();
  store = createPostgresStore({ url: schema.url });
  await store.open();
  all = Array.from({ length: tasks }, (_, n) => recorded(n));
  for (let from = 0; from < tasks; from += 1_000) ok(await store.writeRecords(all.slice(from, from + 1_000)));
  crowdSchema = await takeTestSchema();
  crowded = createPostgresStore({ url: crowdSchema.url });
  await crowded.open();
  for (let from = 0; from < tasks; from += 1_000)
    ok(await crowded.writeRecords(crowd.slice(from, from + 1_000)));
});

afterAll(async () => {
  await store?.close();
  await schema?.drop();
  await crowded?.close();
  await crowdSchema?.drop();
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

function fitting(search: StoreSearch, records = all): TaskRecord[] {
  const isIn = (range: StoreSearch["created"], at: number) =>
    at >= (range?.start ?? at) && at < (range?.end ?? at + 1);
  const sign = search.descending ? -1 : 1;
  const { sortBy } = search;
  const sortedBy = (task: TaskRecord) => (sortBy === "dueAt" || sortBy === "priority" ? task[sortBy] : 0);
  return records
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

/** Whether a page is read from the list from before a range of the last change on, with the late ones beside it. */
async function isIntoRange(url: string, search: StoreSearch, sortBy: "dueAt" | "priority"): Promise<boolean> {
  const database = new Database(parseLocation(url));
  await database.open();
  const { pairs } = await database.snapshot((session) => outline(session, search), planningOnce);
  await database.close();
  const reach = { limit, depth: limit, isWaitingToo: true, isOfList: true, all: tasks };
  return nearStatement(search, sortBy, pairs, reach).statement.text.includes("AS late");
}

test.each(["dueAt", "priority"] as const)(
  "by %s the first that changed within a range are read from that list as well, and late ones come before it",
  async (sortBy) => {
    const search = newSearch({ sortBy, descending: false, updated: { start: middle }, limit: 2 * limit });
    expect(await isIntoRange(schema.url, search, sortBy)).toBe(true);
    const wanted = fitting(search).slice(0, 2 * limit);
    expect(wanted.some(({ createdAt }) => createdAt < middle - hourMs)).toBe(true);
    expect(idsOf((await store.searchTasks(search)).tasks)).toEqual(idsOf(wanted));
  },
);

test.each(["dueAt", "priority"] as const)(
  "by %s a range that many were created right before is read from the streams",
  async (sortBy) => {
    const search = newSearch({ sortBy, descending: false, updated: { start: now - 1_000 }, limit });
    expect(await isIntoRange(crowdSchema.url, search, sortBy)).toBe(true);
    const wanted = idsOf(fitting(search, crowd).slice(0, limit));
    expect(wanted.length).toBe(limit);
    // The second time that is known.
    for (let time = 0; time < 2; time += 1)
      expect(idsOf((await crowded.searchTasks(search)).tasks)).toEqual(wanted);
  },
);

const isOfPage = (name: string | undefined) => /^(searchTasks|listedStarts|nearKeys):/.test(name ?? "");

test.each(["createdAt", "id", "startedAt", "dueAt", "priority"] as const)(
  "by %s the newest that the list has too few of are read from the streams at once the next time",
  async (sortBy) => {
    const search = newSearch({ sortBy, statuses: ["FAILED"], limit: 5, definitions: false });
    const fresh = createPostgresStore({ url: schema.url });
    await fresh.open();
    const bind = vi.spyOn(pg.Connection.prototype, "bind");
    const asked: number[] = [];
    for (let time = 0; time < 3; time += 1) {
      bind.mockClear();
      const { tasks: page } = await fresh.searchTasks(search);
      expect(idsOf(page), `${time}`).toEqual(
        sortBy === "startedAt" ? startedLast(5) : idsOf(fitting(search).slice(0, 5)),
      );
      asked.push(bind.mock.calls.filter(([given]) => isOfPage(given?.statement)).length);
    }
    bind.mockRestore();
    await fresh.close();
    expect(asked).toEqual([2, 1, 1]);
  },
);

function startedLast(count: number): string[] {
  const failed = all.filter(({ status }) => status === "FAILED");
  return idsOf(failed.sort((a, b) => b.startedAt! - a.startedAt!).slice(0, count));
}
