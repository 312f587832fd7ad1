/** The run's PostgreSQL as tests use it: a schema of their own on a server that they share. See postgres-setup.ts. */
import pg from "pg";
import { inject } from "vitest";
import { grantsFor } from "../../server/dure-grants.ts";
import type { HealthFinding } from "../../server/tasks/core/store.ts";
import type { ResultRow, Session } from "../../server/tasks/stores/postgres/connections/database.ts";
import { derivedFindings } from "../../server/tasks/stores/postgres/health.ts";
import { inSchema } from "../../server/tasks/stores/postgres/statement.ts";
import type { PostgresServer } from "./postgres-server.ts";

/** Numbers as the store reads them. */
const types = {
  getTypeParser: (oid: number, format?: any) =>
    oid === pg.types.builtins.INT8 ? Number : pg.types.getTypeParser(oid, format),
} as pg.CustomTypesConfig;

let asked: Promise<string> | undefined;
let admin: pg.Pool | undefined;
let made = 0;

/** The server's URL without a schema; starts the server when nobody has asked before. */
export function postgresUrl(): Promise<string> {
  asked ??= askDesk();
  return asked;
}

async function askDesk(): Promise<string> {
  const answer = await fetch(inject("postgresDesk"));
  const text = await answer.text();
  if (!answer.ok) throw new Error(`The tests have no PostgreSQL: ${text}`);
  return text;
}

/**
 * Asks the server outside any store; rows as objects.
 * @param name of a statement that is often asked: it is planned once by each connection
 */
export async function queryPostgres<Row extends pg.QueryResultRow = any>(
  sql: string,
  values?: unknown[],
  name?: string,
): Promise<Row[]> {
  const pool = await adminPool();
  return (await pool.query<Row>({ text: sql, values: values ?? [], ...(name && { name }) })).rows;
}

async function adminPool(): Promise<pg.Pool> {
  if (admin) return admin;
  const connectionString = await postgresUrl();
  admin ??= new pg.Pool({ connectionString, max: 2, idleTimeoutMillis: 1_000, allowExitOnIdle: true });
  admin.on("error", () => undefined);
  return admin;
}

/** What is kept beside the tasks of a schema, against them: as the doctor compares it, on a connection of the test's own. */
export function derivedFindingsOf({ name }: TestSchema): Promise<HealthFinding[]> {
  const read: Session["query"] = async ({ text }, values = []) => {
    const pool = await adminPool();
    const asked: pg.QueryArrayConfig = { text: inSchema(text, name), rowMode: "array", types };
    return (await pool.query(asked, [...values])).rows as ResultRow[];
  };
  const snapshot = (work: (session: Session) => Promise<unknown>) => work({ query: read });
  return derivedFindings({ read, snapshot, location: { schema: name } } as Parameters<
    typeof derivedFindings
  >[0]);
}

/** A schema that does not exist yet; a store that opens its URL makes it. */
export interface TestSchema {
  /** The server's URL with `?schema=…`. */
  readonly url: string;
  /** Not quoted; it needs to be. */
  readonly name: string;
  /** The name as SQL takes it. */
  readonly quoted: string;
  /** Asks outside the store; `:schema` stands for the quoted name. Rows as objects. */
  query<Row extends pg.QueryResultRow = any>(sql: string, values?: unknown[]): Promise<Row[]>;
  /** Leaves the tables as they were made: without a row, and nothing is known of any; numbers begin anew. */
  empty(): Promise<void>;
  /** Deletes all rows, without a trigger's doing, and numbers begin anew: with a tenth of the work, but the space stays taken. */
  clear(): Promise<void>;
  drop(): Promise<void>;
}

/** Of a table that is larger the space is given back. */
const clearedBytesMax = 65_536;

/**
 * A name for a schema, with quotes and spaces in it, and the URL that leads there. Making the schema takes a store, and dropping it the
 * server, a quarter of a second of work: what is not about that takes one that is made, by `takeTestSchema`.
 * @param server another than the one of this run
 */
export function createTestSchema(server?: PostgresServer): Promise<TestSchema> {
  made += 1;
  return namedTestSchema(`${inject("postgresRun")}-${process.pid}-${made}`, server);
}

export async function namedTestSchema(name: string, server?: PostgresServer): Promise<TestSchema> {
  const quoted = `"${name.replaceAll('"', '""')}"`;
  const url = new URL(server?.url() ?? (await postgresUrl()));
  const query: typeof queryPostgres = server ? (sql, values) => server.query(sql, values) : queryPostgres;
  url.searchParams.set("schema", name);
  return {
    url: url.href,
    name,
    quoted,
    query: (sql, values) =>
      query(
        sql.replaceAll(":schema", () => quoted),
        values,
      ),
    empty: async () => {
      const used = await query(usedTables, [name]);
      if (used.length === 0) return;
      const tables = used.map(({ table }) => table);
      await query(`TRUNCATE ${tables.join(", ")} RESTART IDENTITY`);
      await query("DELETE FROM pg_statistic WHERE starelid = ANY($1::regclass[])", [tables]);
    },
    clear: async () => {
      const used = await query(usedTables, [name]);
      const large = used.filter(({ size }) => size > clearedBytesMax).map(({ table }) => table);
      await query(`SET LOCAL session_replication_role = replica;
        ${large.length > 0 ? `TRUNCATE ${large.join(", ")};` : ""}
        ${used.map(({ table }) => `DELETE FROM ${table};`).join(" ")}
        SELECT setval(oid::regclass, 1, false) FROM pg_class WHERE relkind = 'S' AND relnamespace = '${quoted}'::regnamespace`);
    },
    drop: async () => void (await query(`DROP SCHEMA IF EXISTS ${quoted} CASCADE`)),
  };
}

/** Those that ever held a row since they were made or emptied. */
const usedTables = `SELECT format('%I.%I', schemaname, tablename) AS table,
    pg_relation_size(format('%I.%I', schemaname, tablename)::regclass)::integer AS size FROM pg_tables
  WHERE schemaname = $1 AND tablename <> 'migrations'
    AND pg_relation_size(format('%I.%I', schemaname, tablename)::regclass) > 0`;

const workerRole = "dure_test_worker";

/** Grants a role what a worker needs in a schema that was made. */
export async function grantWorker(url: string): Promise<void> {
  await queryPostgres(
    `DO $$ BEGIN CREATE ROLE ${workerRole} LOGIN PASSWORD 'secret'; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$`,
  );
  await queryPostgres(grantsFor(url, workerRole, "worker").join(" "));
}

/** The URL of such a schema for that role. */
export function workerUrl(url: string): string {
  const own = new URL(url);
  own.username = workerRole;
  own.password = "secret";
  return own.href;
}
