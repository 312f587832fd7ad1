/** What is planned ahead is what searches ask: a page of any order finds its text on the connection that was made ready. */
import pg from "pg";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { recordOf } from "../../bench/search/records.ts";
import type { StoreSearch, TaskStore } from "../../server/tasks/core/store.ts";
import { Database } from "../../server/tasks/stores/postgres/connections/database.ts";
import { parseLocation } from "../../server/tasks/stores/postgres/connections/location.ts";
import { onceOnly } from "../../server/tasks/stores/postgres/statement.ts";
import { createPostgresStore } from "../../server/tasks/stores/postgres/store.ts";
import { usualQuestions } from "../../server/tasks/stores/postgres/usual.ts";
import { newSearch } from "../support/builders.ts";
import type { TestSchema } from "../support/postgres.ts";
import { takeTestSchema } from "../support/spare-schemas.ts";
import { ok } from "../support/stores.ts";

vi.setConfig({ testTimeout: 60_000 });

const now = Date.now();
const dayMs = 86_400_000;
const middle = now - 15 * dayMs;

let schema: TestSchema;
let store: TaskStore;

beforeAll(async () => {
  schema = await takeTestSchema();
  store = createPostgresStore({ url: schema.url });
  await store.open();
  // Of every type and status, so that there are more streams than few.
  ok(await store.writeRecords(Array.from({ length: 2_000 }, (_, n) => recordOf(n, 2_000, now, "history"))));
});

afterAll(async () => {
  await store?.close();
  await schema?.drop();
});

const bounds = [undefined, { start: middle }, { end: middle }, { start: middle, end: middle + dayMs }];

/** Bounded by bytes only those without ranges, and with both ends of them: how a page is bounded is one text for all. */
function* everyOrder(bytesMax?: number): Generator<StoreSearch> {
  const orders = ["createdAt", "updatedAt", "id", "startedAt", "dueAt", "duration", "priority"] as const;
  const ranges = bytesMax === undefined ? bounds : [bounds[0], bounds[3]];
  for (const sortBy of orders)
    for (const descending of [true, false])
      for (const created of ranges)
        for (const updated of ranges)
          for (const filters of [{}, { types: ["type-3"] }, { statuses: ["FAILED"] as const }])
            yield newSearch({
              ...filters,
              ...{ sortBy, descending, limit: 50, definitions: false },
              ...(created && { created }),
              ...(updated && { updated }),
              ...(bytesMax !== undefined && { bytesMax }),
            });
}

test.each([
  ["", undefined],
  [" that are bounded by bytes", 1_000_000],
])("pages%s find their texts prepared", async (_which, bytesMax) => {
  const prepared = await rehearsed(bytesMax !== undefined);
  const asked = await namesOf(async () => {
    for (const search of everyOrder(bytesMax)) await store.searchTasks(search);
  });
  const pages = [...asked].filter((name) => /^(searchTasks|nearKeys):/.test(name));
  expect(pages.length).toBeGreaterThan(40);
  expect(pages.filter((name) => !prepared.has(name))).toEqual([]);
});

test("summaries by time find their texts prepared", async () => {
  const prepared = await rehearsed(false);
  // Not of whole minutes: what is less than one is asked for, too.
  const start = Math.floor(middle / dayMs) * dayMs + 1;
  const range = { start, end: start + dayMs };
  const asked = await namesOf(async () => {
    for (const time of ["createdAt", "updatedAt"] as const)
      for (const bucketMs of [undefined, 60_000, 3_600_000, dayMs])
        for (const by of [["status"], ["type"], ["status", "type"]] as const)
          for (const filters of [{}, { types: ["type-3"] }]) {
            const search = { ...filters, [time === "createdAt" ? "created" : "updated"]: range };
            await store.summarizeTasks(newSearch(search), bucketMs ? { time, bucketMs } : undefined, [...by]);
          }
  });
  const sums = [...asked].filter((name) => name.startsWith("sumTimes:"));
  expect(sums.length).toBeGreaterThan(10);
  expect(sums.filter((name) => !prepared.has(name))).toEqual([]);
});

/** The names of what is prepared on the connection that reads come to. */
async function rehearsed(isBounded: boolean): Promise<Set<string>> {
  const fresh = new Database(parseLocation(schema.url));
  await fresh.open();
  for (let search = 0; search < 10; search += 1) fresh.rehearsal.asked(() => usualQuestions(isBounded));
  await fresh.rehearsal.over();
  const names = onceOnly("preparedNames", "SELECT name FROM pg_prepared_statements");
  const rows = await fresh.snapshot((session) => session.query(names));
  await fresh.close();
  return new Set(rows.map(([name]) => name as string));
}

async function namesOf(work: () => Promise<void>): Promise<Set<string>> {
  const names = new Set<string>();
  const { prototype } = pg.Connection as unknown as { prototype: { bind(portal: object): void } };
  const spy = vi.spyOn(prototype, "bind");
  try {
    await work();
    for (const [{ statement }] of spy.mock.calls as [{ statement?: string }][])
      if (statement) names.add(statement);
  } finally {
    spy.mockRestore();
  }
  return names;
}

test("closing ends it in the midst", async () => {
  const fresh = new Database(parseLocation(schema.url));
  await fresh.open();
  const all = [...usualQuestions(false)];
  let begun = 0;
  function* counted() {
    for (const one of all) {
      begun += 1;
      yield one;
    }
  }
  for (let search = 0; search < 10; search += 1) fresh.rehearsal.asked(counted);
  await vi.waitUntil(() => begun > 1);
  await fresh.close();
  await fresh.rehearsal.over();
  expect(begun).toBeLessThan(all.length);
});
