/** Batches whose rows in PostgreSQL's index of attributes are still to be written, as a process leaves them that dies right after. */

import pg from "pg";
import { expect, vi } from "vitest";
import {
  sweep,
  takeWork,
  type Work,
  writeNext,
} from "../../server/tasks/stores/postgres/attributes/attribute-index.ts";
import { Database } from "../../server/tasks/stores/postgres/connections/database.ts";
import { parseLocation } from "../../server/tasks/stores/postgres/connections/location.ts";
import { Lull } from "../../server/tasks/stores/postgres/connections/lull.ts";
import type { Context } from "../../server/tasks/stores/postgres/context.ts";
import type { TestSchema } from "./postgres.ts";

/** Who indexes in the tests. */
export const by = "indexer";

/** Takes the rows out of the index, and notes that it lacks them. */
export async function leaveBehind(schema: TestSchema): Promise<void> {
  await schema.query("DELETE FROM :schema.attributes");
  await schema.query(`INSERT INTO :schema.attribute_work (lane, first_at, last_at, next_at, tasks, taken_by, taken_at)
    SELECT lane, min(created_at), max(created_at), min(created_at), count(*), 'dead', 0 FROM :schema.tasks GROUP BY lane`);
}

/** No row is missing, too many, or in another state than its task. */
export async function expectIndexed(schema: TestSchema): Promise<void> {
  expect(await rowsOf(schema)).toEqual(
    (
      await schema.query(`SELECT key, CASE WHEN status >= 3 THEN status ELSE 0 END AS state, created_at, id AS task_id
        FROM :schema.tasks CROSS JOIN LATERAL unnest(attributes) AS own (key) ORDER BY task_id, key, state`)
    ).map((row) => ({ ...row })),
  );
}

export function rowsOf(schema: TestSchema): Promise<unknown[]> {
  return schema.query(
    "SELECT key, state, created_at, task_id FROM :schema.attributes ORDER BY task_id, key, state",
  );
}

/** What steps of the indexer work with, and its end. */
export async function stepping(schema: TestSchema, now: () => number | null) {
  const database = new Database(parseLocation(schema.url));
  await database.open();
  const context = { database, lull: new Lull(database), now } as unknown as Context;
  return {
    context,
    take: () => takeWork(context, by),
    write: (work: Work) => writeNext(context, work, by),
    async writeAll() {
      for (const work of await takeWork(context, by)) while (!(await writeNext(context, work, by)));
    },
    sweep: async () =>
      sweep(
        context,
        (await takeWork(context, by)).map(({ work }) => work),
      ),
    close: () => database.close(),
  };
}

const others = new Set<pg.Client>();

/** A transaction of somebody else's; `endOthers` ends what a test leaves. */
export async function othersTransaction(schema: TestSchema) {
  const client = new pg.Client({ connectionString: schema.url.replace(/\?.*/, "") });
  await client.connect();
  others.add(client);
  await client.query("BEGIN");
  return {
    query: (sql: string, values?: unknown[]) =>
      client.query(
        sql.replaceAll(":schema", () => schema.quoted),
        values,
      ),
    async commit() {
      others.delete(client);
      await client.query("COMMIT");
      await client.end();
    },
  };
}

export async function endOthers(): Promise<void> {
  for (const client of others) await client.end();
  others.clear();
}

/** Resolves when a statement of this name waits for a lock. */
export async function untilBlocked(schema: TestSchema, name: string): Promise<void> {
  await vi.waitFor(
    async () => {
      const found = await schema.query(
        "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND starts_with(query, $1) AND strpos(query, $2) > 0",
        [`/* dure:${name} */`, schema.quoted],
      );
      expect(found).toHaveLength(1);
    },
    { timeout: 20_000, interval: 5 },
  );
}
