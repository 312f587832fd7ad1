/** Asked for others than the known pairs, the server tells the same pairs and definitions as when it is asked for all. */
import fc from "fast-check";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { Database } from "../../server/tasks/stores/postgres/connections/database.ts";
import { parseLocation } from "../../server/tasks/stores/postgres/connections/location.ts";
import { maskOf } from "../../server/tasks/stores/postgres/search/known-pairs.ts";
import { outline } from "../../server/tasks/stores/postgres/search/outline.ts";
import type { Pair } from "../../server/tasks/stores/postgres/search/search-statements.ts";
import { newSearch } from "../support/builders.ts";
import type { TestSchema } from "../support/postgres.ts";
import { takeTestSchema } from "../support/spare-schemas.ts";

vi.setConfig({ testTimeout: 60_000 });

const types = ["resize-image", "send-receipt", "nightly-report"];
/** Two lanes of each type, one after another. */
const lanes = types.length * 2;

let schema: TestSchema;
let database: Database;

beforeAll(async () => {
  schema = await takeTestSchema();
  await schema.query(
    `INSERT INTO :schema.lanes (lane, type, queue, own_ids) OVERRIDING SYSTEM VALUE
      SELECT n * 2 + own, types[n + 1], 'default', own = 1
      FROM (SELECT $1::text[] AS types) AS given, generate_series(0, 2) AS n, generate_series(0, 1) AS own`,
    [types],
  );
  await schema.query(
    `INSERT INTO :schema.definitions (id, max_attempts, queue, priority, tags, rerun_after_crash, created_at, updated_at)
      SELECT type, 1, CASE type WHEN 'send-receipt' THEN 'mail' ELSE 'default' END, 0, '[]', true, number * 1000, number * 2000
      FROM unnest($1::text[]) WITH ORDINALITY AS given(type, number)`,
    [types],
  );
  database = new Database(parseLocation(schema.url));
  await database.open();
});

afterAll(async () => {
  await database?.close();
  await schema?.drop();
});

const some = <Value>(values: readonly Value[]) => fc.subarray([...values], { minLength: 1 });
const counts = fc.array(
  fc.record({
    lane: fc.integer({ min: 0, max: lanes - 1 }),
    status: fc.constantFrom(1, 2, 3, 4, 5),
    tasks: fc.constantFrom(-1, 0, 1, 2),
    /** A change takes away what was kept. */
    isTaken: fc.boolean(),
  }),
  { maxLength: 10 },
);
const instant = fc.constantFrom(1_000, 1_500, 2_000, 4_000, 6_000);
const range = fc.record({ start: instant, end: instant }, { requiredKeys: [] });
const searches = fc.record(
  {
    types: some(types),
    queues: some(["default", "mail"]),
    statuses: some(["PENDING", "RUNNING", "COMPLETED", "FAILED"] as const),
    created: range,
    updated: range,
    definitions: fc.boolean(),
  },
  { requiredKeys: ["definitions"] },
);

test("whatever the counts, their changes, the filters and what is known", async () => {
  await fc.assert(
    fc.asyncProperty(
      counts,
      counts,
      searches,
      fc.infiniteStream(fc.boolean()),
      async (kept, changes, asked, coins) => {
        await store(kept, changes);
        const search = newSearch(asked);
        const all = await outline(database, search);
        const keys = new Set(all.pairs.map(keyOf).filter(() => coins.next().value));
        const known = all.pairs.filter((pair) => keys.has(keyOf(pair)));
        const told = await outline(database, search, maskOf(known));
        expect(inOrder(told.pairs)).toEqual(inOrder(all.pairs.filter((pair) => !keys.has(keyOf(pair)))));
        expect(told.definitions).toEqual(all.definitions);
      },
    ),
    { numRuns: 200 },
  );
});

type Counts = { lane: number; status: number; tasks: number; isTaken: boolean }[];

async function store(kept: Counts, changes: Counts): Promise<void> {
  const once = new Map(kept.map((count) => [keyOf(count), count]));
  const taken = [...once.values()]
    .filter(({ isTaken }) => isTaken)
    .map((count) => ({ ...count, tasks: -count.tasks }));
  await schema.query("WITH kept AS (DELETE FROM :schema.tallies) DELETE FROM :schema.tally_changes");
  await schema.query(
    `WITH kept AS (INSERT INTO :schema.tallies (lane, status, tasks) SELECT lane, status, tasks FROM ${given("$1")})
      INSERT INTO :schema.tally_changes (lane, status, tasks) SELECT lane, status, tasks FROM ${given("$2")}`,
    [JSON.stringify([...once.values()]), JSON.stringify([...changes, ...taken])],
  );
}

function given(parameter: string): string {
  return `json_to_recordset(${parameter}::json) AS given(lane integer, status smallint, tasks bigint)`;
}

/** Those that wait are one count, and two numbers of status. */
function keyOf({ lane, status }: Pick<Pair, "lane" | "status">): number {
  return lane * 8 + Math.max(1, status);
}

function inOrder(pairs: readonly Pair[]): Pair[] {
  return [...pairs].sort((a, b) => a.lane * 8 + a.status - (b.lane * 8 + b.status));
}
