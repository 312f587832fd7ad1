/** No search or count reads the whole history, nor sorts more than its page: PostgreSQL's own plans say so. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { StoreSearch } from "../../server/tasks/core/store.ts";
import { Database } from "../../server/tasks/stores/postgres/database.ts";
import { parseLocation } from "../../server/tasks/stores/postgres/location.ts";
import { prepareSchema } from "../../server/tasks/stores/postgres/schema.ts";
import { searchStatements } from "../../server/tasks/stores/postgres/search.ts";
import { onceOnly } from "../../server/tasks/stores/postgres/statement.ts";
import { newSearch, startAt } from "../support/builders.ts";
import { createTestSchema, type TestSchema } from "../support/postgres.ts";
import { narrowings } from "../support/table.ts";

const tasks = 60_000;
const runningTasks = 200;
const limit = 20;

let schema: TestSchema;
let database: Database;

/** Five types in two queues, generated and chosen ids, every status, a task each second. */
beforeAll(async () => {
  schema = await createTestSchema();
  database = new Database(parseLocation(schema.url));
  await database.open();
  await prepareSchema(database);
  await schema.query(`INSERT INTO :schema.workers (id, state, host, pid, concurrency, types, lease_ms, started_at, beat_at)
    VALUES ('w', 'alive', 'h', 1, 1, '[]', 1, 1, 1)`);
  await schema.query(`INSERT INTO :schema.lanes (type, queue, own_ids)
    SELECT type, queue, own FROM unnest(ARRAY['resize-image', '리포트-생성', 'a', 'b', 'c']) AS type,
      unnest(ARRAY['default', 'mail']) AS queue, unnest(ARRAY[false, true]) AS own`);
  await schema.query(
    `INSERT INTO :schema.tasks (id, lane, own_id, status, priority, due_at, created_at, updated_at, started_at,
        completed_at, worker, max_attempts, rerun_after_crash, payload)
      SELECT CASE WHEN own_ids THEN 'own-' || n ELSE '01M' || lpad(n::text, 23, '0') END, lane, own_ids, status, 0, at, at,
        at + (status > 0)::integer * 1000, at, CASE WHEN status >= 3 THEN at + 1000 END, 1, 1, true, '{}'
      FROM (SELECT n, ${startAt}::bigint - n * 1000 AS at,
          CASE WHEN n <= ${runningTasks} THEN 2 ELSE (ARRAY[0, 1, 3, 3, 3, 3, 4, 5])[n % 8 + 1] END AS status
        FROM generate_series(1, ${tasks}) AS n) AS made
      JOIN :schema.lanes ON lane = 1 + made.n * 7 % 20`,
  );
  await schema.query(`INSERT INTO :schema.tallies
    SELECT lane, greatest(status, 1), count(*) FROM :schema.tasks GROUP BY 1, 2`);
}, 120_000);

afterAll(async () => {
  await database?.close();
  await schema?.drop();
});

describe.each(["just filled", "analysed"])("on a table that was %s", (state) => {
  beforeAll(async () => {
    if (state === "analysed") await schema.query("ANALYZE :schema.tasks");
  }, 60_000);

  test("every search and count goes through indexes, and sorts no more than what a page may hold", async () => {
    const bad: unknown[] = [];
    let seen = 0;
    for (const search of searches()) {
      for (const { statement, values } of await searchStatements(database, search)) {
        const [row] = await database.query(
          onceOnly("explain", `EXPLAIN (ANALYZE, FORMAT JSON) ${statement.text}`),
          values,
        );
        const nodes = [...nodesOf(row![0][0].Plan)];
        seen += 1;
        const problem = nodes.find((node) => isScan(node) || sortsTooMuch(node));
        if (problem) bad.push({ search, type: problem["Node Type"], rows: problem["Actual Rows"] });
      }
    }
    expect(seen).toBeGreaterThan(200);
    expect(bad.slice(0, 3), `${bad.length} of ${seen}`).toEqual([]);
  }, 120_000);
});

interface Node {
  "Node Type": string;
  "Relation Name"?: string;
  "Actual Rows": number;
  Plans?: Node[];
}

function* nodesOf(node: Node): Generator<Node> {
  yield node;
  for (const child of node.Plans ?? []) yield* nodesOf(child);
}

function isScan(node: Node): boolean {
  return node["Node Type"] === "Seq Scan" && node["Relation Name"] === "tasks";
}

/** A page of each of at most 20 lanes in six stored statuses, and what is RUNNING. */
function sortsTooMuch(node: Node): boolean {
  if (!/Sort/.test(node["Node Type"])) return false;
  const read = Math.max(0, ...(node.Plans ?? []).map((child) => child["Actual Rows"]));
  return read > limit * 20 * 6 + runningTasks;
}

function* searches(): Generator<StoreSearch> {
  const middle = { createdAt: new Date(startAt - 30_000_000), updatedAt: new Date(startAt - 29_999_000), id: "own-30000" };
  const places = [undefined, { value: startAt - 20_000_000, id: "own-20000" }];
  const kinds = narrowings({ tasks: [middle] as never[] }).filter(({ id }) => id === undefined);
  for (const [index, narrowing] of kinds.entries()) {
    const sortBy = (["createdAt", "updatedAt", "id"] as const)[index % 3]!;
    const place = places[index % 2];
    yield newSearch({
      ...narrowing,
      sortBy,
      descending: index % 4 < 2,
      limit,
      ...(place && { after: { ...place, backwards: false } }),
    });
  }
}
