/** Pages by start, and of a range of the start, that are read from the list of all tasks are those that a look at every task gives. */
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { recordOf } from "../../bench/search/records.ts";
import type { Condition } from "../../server/tasks/core/filters/condition.ts";
import { ulidStart } from "../../server/tasks/core/ids.ts";
import type { StoreSearch, TaskRecord, TaskStore } from "../../server/tasks/core/store.ts";
import { compareText } from "../../server/tasks/core/values/compare.ts";
import { Database } from "../../server/tasks/stores/postgres/connections/database.ts";
import { parseLocation } from "../../server/tasks/stores/postgres/connections/location.ts";
import { planningOnce } from "../../server/tasks/stores/postgres/connections/planning.ts";
import { listedStatement, promptMs } from "../../server/tasks/stores/postgres/search/listed-starts.ts";
import { outline } from "../../server/tasks/stores/postgres/search/outline.ts";
import { createPostgresStore } from "../../server/tasks/stores/postgres/store.ts";
import { newSearch } from "../support/builders.ts";
import type { TestSchema } from "../support/postgres.ts";
import { takeTestSchema } from "../support/spare-schemas.ts";
import { ok } from "../support/stores.ts";

vi.setConfig({ testTimeout: 60_000 });

const tasks = 3_000;
const limit = 20;
const now = Date.now();
const secondMs = 1_000;
const hourMs = 3_600_000;
const dayMs = 24 * hourMs;
/** By which some start after their creation, or before it, and are changed after their start. */
const oddly = [
  [promptMs, 0],
  [promptMs + 1, 20],
  [-1, 30],
  [-2 * hourMs, 3 * hourMs],
  [3 * hourMs, 20],
  [10, 2 * dayMs],
  [5 * dayMs, secondMs],
  [0, 0],
] as const;
const oddEvery = 6;

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

/** Of the latest ten were created at one time and started the other way round, none of them late. All of those of one day in the midst did. */
function recorded(n: number): TaskRecord {
  const record = recordOf(n, tasks, now, "history");
  const { createdAt } = record;
  if (record.startedAt === undefined) return record;
  if (createdAt > now - 5 * dayMs) return turned(record, n);
  const isOfBurst = createdAt > middle && createdAt < middle + dayMs;
  if (!isOfBurst && n % oddEvery !== 0) return record;
  const [wait, run] = isOfBurst ? [hourMs, 20] : oddly[(n / oddEvery) % oddly.length]!;
  const startedAt = createdAt + wait;
  const endedAt = Math.max(createdAt, startedAt + run);
  return { ...record, startedAt, updatedAt: endedAt, completedAt: endedAt };
}

function turned(record: TaskRecord, n: number): TaskRecord {
  const place = n % 10;
  const createdAt = recordOf(n - place, tasks, now, "history").createdAt + place * (promptMs / 20);
  const startedAt = createdAt + (10 - place) * (promptMs / 10);
  const id = `${ulidStart(createdAt)}${record.id.slice(10)}`;
  const endedAt = startedAt + 10 * place;
  return { ...record, id, createdAt, dueAt: createdAt, startedAt, updatedAt: endedAt, completedAt: endedAt };
}

const middle = now - 15 * dayMs;
const bounds = [undefined, { start: middle }, { end: middle }, { start: middle, end: middle + 3 * dayMs }];
const filtered = [{}, { statuses: ["COMPLETED"] as const }, { statuses: ["FAILED"] as const }];

function* everySearch(sortBy: StoreSearch["sortBy"]): Generator<StoreSearch> {
  for (const descending of [true, false])
    for (const created of bounds)
      for (const updated of bounds)
        for (const filters of filtered)
          yield newSearch({
            ...{ sortBy, descending, limit, definitions: false, ...filters },
            ...(created && { created }),
            ...(updated && { updated }),
          });
}

type Sorted = "startedAt" | "createdAt" | "updatedAt" | "id";

const sortedBy = (sortBy: Sorted, task: TaskRecord) => (sortBy === "id" ? 0 : task[sortBy]!);

function fitting(search: StoreSearch, isStarted: (at: number) => boolean = () => true): TaskRecord[] {
  const isIn = (range: StoreSearch["created"], at: number) =>
    at >= (range?.start ?? at) && at < (range?.end ?? at + 1);
  const sign = search.descending ? -1 : 1;
  const sortBy = search.sortBy as Sorted;
  return all
    .filter(({ startedAt }) => startedAt !== undefined && isStarted(startedAt))
    .filter(({ status }) => !search.statuses || search.statuses.includes(status))
    .filter(({ createdAt, updatedAt }) => isIn(search.created, createdAt) && isIn(search.updated, updatedAt))
    .sort((a, b) => sign * (sortedBy(sortBy, a) - sortedBy(sortBy, b) || compareText(a.id, b.id)));
}

const idsOf = (some: readonly { id: string }[]) => some.map(({ id }) => id);

/** The first page, and those behind and before a place. */
async function compare(search: StoreSearch, wanted: readonly TaskRecord[], label: string): Promise<void> {
  // Only then are the lanes known.
  await store.searchTasks(search);
  const { tasks: page } = await store.searchTasks(search);
  expect(idsOf(page), label).toEqual(idsOf(wanted.slice(0, limit)));
  for (const share of [3, 30]) {
    const at = Math.floor(wanted.length / share);
    const place = wanted[at];
    if (!place) continue;
    const value = search.sortBy === "id" ? null : sortedBy(search.sortBy as Sorted, place);
    for (const backwards of [false, true]) {
      const { tasks: next } = await store.searchTasks({
        ...search,
        after: { value, id: place.id, backwards },
      });
      const beyond = backwards
        ? wanted.slice(Math.max(0, at - limit), at)
        : wanted.slice(at + 1, at + 1 + limit);
      expect(idsOf(next).sort(), `beyond ${place.id}, ${backwards}: ${label}`).toEqual(idsOf(beyond).sort());
    }
  }
}

test("pages by start, and those behind and before a place, have the tasks that fit", async () => {
  for (const search of everySearch("startedAt"))
    await compare(search, fitting(search), JSON.stringify(search));
});

test.each(["createdAt", "updatedAt", "id"] as const)(
  "so have those of a range of the start by %s",
  async (sortBy) => {
    for (const [from, to] of [
      [middle - hourMs, middle + 4 * hourMs],
      [middle - 2 * dayMs, middle + 6 * dayMs],
      [now - 5 * dayMs, now],
      [now - 9 * dayMs, now - 9 * dayMs + 3 * hourMs],
    ] as const)
      for (const search of everySearch(sortBy)) {
        if (search.updated && search.created) continue;
        const started = { value: from, isIncluded: true };
        const where: Condition = {
          ...{ kind: "range", field: { of: "task", name: "startedAt" } },
          ...{ from: started, to: { value: to, isIncluded: false } },
        };
        const wanted = fitting(search, (at) => at >= from && at < to);
        await compare({ ...search, where }, wanted, JSON.stringify({ ...search, where }));
      }
  },
);

test("some pages by start are of that list, and for some of these it has too few", async () => {
  const database = new Database(parseLocation(schema.url));
  await database.open();
  const found = { known: 0, unknown: 0, lanes: 0 };
  await database.snapshot(async (session) => {
    for (const search of everySearch("startedAt")) {
      const { pairs } = await outline(session, search);
      const listed = listedStatement(search, pairs, { limit, all: tasks });
      if (!listed) found.lanes += 1;
      else {
        const [row] = await session.query(listed.statement, listed.values);
        found[row![0] === 0 ? "known" : "unknown"] += 1;
      }
    }
  }, planningOnce);
  await database.close();
  expect(found.known, JSON.stringify(found)).toBeGreaterThan(20);
  expect(found.lanes, JSON.stringify(found)).toBeGreaterThan(5);
});

test("the first by start of all are of that list as well, where nearly all have started", async () => {
  const database = new Database(parseLocation(schema.url));
  await database.open();
  const search = newSearch({ sortBy: "startedAt", descending: false, limit, definitions: false });
  const known = async (asked: StoreSearch) =>
    database.snapshot(async (session) => {
      const { pairs } = await outline(session, asked);
      const listed = listedStatement(asked, pairs, { limit, all: tasks });
      return listed && (await session.query(listed.statement, listed.values)).map((row) => [row[0], row[4]]);
    }, planningOnce);
  const first = idsOf(fitting(search).slice(0, limit)).map((id) => [0, id]);
  expect(await known(search)).toEqual(first);
  expect(await known({ ...search, statuses: ["FAILED"] })).toBeUndefined();
  await database.close();
});

test("an hour of the list that is full of what waits is not walked to its end", async () => {
  const from = now - 12 * dayMs;
  const records = Array.from({ length: 2_000 }, (_, n) => ({
    ...recordOf(n, 2_000, now, "waiting"),
    ...{ id: `${ulidStart(from + n * secondMs)}${"W".repeat(12)}${1_000 + n}` },
    ...{ createdAt: from + n * secondMs, updatedAt: from + n * secondMs, dueAt: from + n * secondMs },
  }));
  for (let at = 0; at < records.length; at += 1_000)
    ok(await store.writeRecords(records.slice(at, at + 1_000)));
  const to = from + hourMs;
  const search = newSearch({
    ...{ sortBy: "createdAt", descending: true, limit, definitions: false },
    where: {
      ...{ kind: "range", field: { of: "task", name: "startedAt" } },
      ...{ from: { value: from, isIncluded: true }, to: { value: to, isIncluded: false } },
    },
  });
  const wanted = fitting(search, (at) => at >= from && at < to);
  await compare(search, wanted, "among what waits");
  const snapshots = vi.spyOn(Database.prototype, "snapshot");
  await store.searchTasks(search);
  expect(snapshots.mock.calls.length).toBeLessThanOrEqual(2);
  snapshots.mockRestore();
});
