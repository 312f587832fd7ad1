/**
 * Schemas as the newest migration leaves them, without a row. Making one and dropping it takes the server a quarter of a second of
 * work, emptying it a fiftieth: so what a test is done with is the next one's, of whatever file, if it changed nothing but rows.
 */
import { inject } from "vitest";
import { createPostgresStore } from "../../server/tasks/stores/postgres/store.ts";
import {
  createTestSchema,
  grantWorker,
  namedTestSchema,
  queryPostgres,
  type TestSchema,
} from "./postgres.ts";

/** "granted": with the rights of a worker, for the role of `workerUrl`. */
export type SpareKind = "plain" | "granted";

interface Spare {
  name: string;
  /** What the catalog said of it when it was made. */
  print: string;
}

/** `drop` leaves it to the next test. No process that works in it may have been killed: its last statement may still be under way. */
export async function takeTestSchema(kind: SpareKind = "plain"): Promise<TestSchema> {
  const spare = await askDesk(kind);
  const schema = spare ? await namedTestSchema(spare.name) : await makeSchema(kind);
  const print = spare?.print ?? (await printOf(schema));
  return { ...schema, drop: () => leave(schema, { kind, print }) };
}

async function makeSchema(kind: SpareKind): Promise<TestSchema> {
  const schema = await createTestSchema();
  const maker = createPostgresStore({ url: schema.url });
  await maker.open();
  await maker.close();
  if (kind === "granted") await grantWorker(schema.url);
  return schema;
}

async function leave(schema: TestSchema, { kind, print }: { kind: SpareKind; print: string }): Promise<void> {
  if ((await isUsed(schema)) || (await printOf(schema)) !== print) return schema.drop();
  // Whoever asks the tables themselves would see what is left of the rows of others.
  await (kind === "granted" ? schema.clear() : schema.empty());
  await askDesk(kind, { name: schema.name, print });
}

/** A connection that was cut may have left a statement under way. */
async function isUsed({ quoted }: TestSchema): Promise<boolean> {
  const found = await queryPostgres(
    "SELECT FROM pg_stat_activity WHERE state <> 'idle' AND pid <> pg_backend_pid() AND strpos(query, $1) > 0",
    [quoted],
  );
  return found.length > 0;
}

async function askDesk(kind: SpareKind, spare?: Spare): Promise<Spare | undefined> {
  const answer = await fetch(new URL(kind, inject("postgresDesk")), {
    ...(spare && { method: "PUT", body: JSON.stringify(spare) }),
  });
  const text = await answer.text();
  return text === "" ? undefined : JSON.parse(text);
}

async function printOf({ name }: TestSchema): Promise<string> {
  const [found] = await queryPostgres<{ print: string | null }>(print, [name], "dure-test-print");
  return found?.print ?? "";
}

/** All that a test can have changed of a schema but its rows: what was made anew has another oid. Settings of a table are in its options. */
const print = `WITH own AS (SELECT oid, nspacl FROM pg_namespace WHERE nspname = $1),
  relations AS (SELECT pg_class.* FROM pg_class JOIN own ON relnamespace = own.oid),
  facts (fact) AS (
    SELECT concat_ws(' ', 'schema', oid, nspacl) FROM own
    UNION ALL SELECT concat_ws(' ', 'relation', oid, relname, relowner, relacl, reloptions, relpersistence, relrowsecurity, relreplident) FROM relations
    UNION ALL SELECT concat_ws(' ', 'column', attrelid, attnum, attname, atttypid, attnotnull, attacl, attoptions, attstorage,
      coalesce(attstattarget, -1), pg_get_expr(adbin, adrelid))
      FROM pg_attribute JOIN relations ON attrelid = relations.oid LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum WHERE attnum > 0
    UNION ALL SELECT concat_ws(' ', 'index', indexrelid, indisvalid, indisready) FROM pg_index JOIN relations ON indrelid = relations.oid
    UNION ALL SELECT concat_ws(' ', 'constraint', pg_constraint.oid, convalidated) FROM pg_constraint JOIN own ON connamespace = own.oid
    UNION ALL SELECT concat_ws(' ', 'trigger', pg_trigger.oid, tgenabled) FROM pg_trigger JOIN relations ON tgrelid = relations.oid
    UNION ALL SELECT concat_ws(' ', 'policy', pg_policy.oid) FROM pg_policy JOIN relations ON polrelid = relations.oid
    UNION ALL SELECT concat_ws(' ', 'rule', pg_rewrite.oid, ev_enabled) FROM pg_rewrite JOIN relations ON ev_class = relations.oid
    UNION ALL SELECT concat_ws(' ', 'function', pg_proc.oid, prosrc, proconfig, proacl) FROM pg_proc JOIN own ON pronamespace = own.oid
    UNION ALL SELECT concat_ws(' ', 'statistics', pg_statistic_ext.oid) FROM pg_statistic_ext JOIN own ON stxnamespace = own.oid
    UNION ALL SELECT concat_ws(' ', 'publication', pg_publication_rel.oid) FROM pg_publication_rel JOIN relations ON prrelid = relations.oid)
  SELECT md5(string_agg(fact, ',' ORDER BY fact)) AS print FROM facts`;
