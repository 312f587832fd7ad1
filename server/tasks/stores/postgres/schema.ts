/** The schema in the database: making it, bringing it up to date under a lock, refusing what cannot be worked with. */
import { DureError } from "../../core/errors.ts";
import { olderWorkersError, pendingMigrations, readMigrations, stopsOlderWorkers } from "../migrate.ts";
import type { Database, Session } from "./connections/database.ts";
import { sqlState } from "./connections/postgres-errors.ts";
import { onceOnly, quoted, statement } from "./statement.ts";

const migrations = readMigrations(new URL("./migrations/", import.meta.url));
/** PostgreSQL 14. */
const versionMin = 140_000;
/** `Dure` in ASCII; beside it, a hash of the schema's name. */
const lockSpace = 0x44757265;

/** An index of ten million tasks takes minutes to make. */
const migrationMsMax = 86_400_000;

/** The newest schema that this program knows. */
export const knownVersion = migrations.length;

/**
 * Checks the server, then makes or migrates the schema, if that is left to do. Of programs that start together one
 * does it, in one transaction; the others wait.
 * @throws DureError DATABASE_VERSION (server too old, schema too new), DATABASE_UNSAFE (encoding), DATABASE_UNAVAILABLE (rights)
 */
export async function prepareSchema(database: Database): Promise<void> {
  await checkServer(database);
  const { schema, shown } = database.location;
  if (pendingMigrations(migrations, await storedVersion(database, schema), shown).length === 0) return;
  try {
    await database.transaction((session) => migrate(session, database), migrationMsMax);
  } catch (error) {
    throw explained(error, database);
  }
}

/** The number of the newest migration in the database; 0 when there is no schema. */
export async function storedVersion(session: Session, schema: string): Promise<number> {
  const [found] = await session.query(findMigrations, [schema]);
  if (!found![0]) return 0;
  const [newest] = await session.query(newestMigration);
  return newest![0] as number;
}

async function checkServer(database: Database): Promise<void> {
  const { shown } = database.location;
  const [[version, encoding]] = (await database.read(serverFacts)) as [[number, string]];
  if (version < versionMin) {
    throw new DureError(
      "DATABASE_VERSION",
      `${shown} is PostgreSQL ${Math.floor(version / 10_000)}; Dure needs 14 or newer.`,
      { details: { version } },
    );
  }
  if (encoding !== "UTF8") {
    throw new DureError(
      "DATABASE_UNSAFE",
      `${shown} is encoded in ${encoding}, which cannot hold every text. Create a database with ENCODING 'UTF8' and use that.`,
      { details: { encoding } },
    );
  }
}

async function migrate(session: Session, database: Database): Promise<void> {
  const { schema, shown } = database.location;
  await session.query(takeTime);
  await session.query(lockMigrations, [lockSpace, schema]);
  // A lock on a table keeps everybody from it, so that time-out holds again.
  await session.query(waitAsUsual);
  // A schema made by an administrator may be all that we have a right to.
  const [[exists]] = (await session.query(findSchema, [schema])) as [[boolean]];
  if (!exists) await session.query(onceOnly("createSchema", `CREATE SCHEMA ${quoted(schema)}`));
  const stored = await storedVersion(session, schema);
  if (stored === 0) await session.query(createMigrations);
  const pending = pendingMigrations(migrations, stored, shown);
  if (pending.some(stopsOlderWorkers)) await refuseWorkers(session, stored, shown);
  for (const migration of pending) {
    for (const [index, part] of statementsOf(migration.sql).entries()) {
      await session.query(onceOnly(`migration:${migration.number}.${index}`, part));
    }
    await session.query(recordMigration, [migration.number, migration.name]);
  }
}

async function refuseWorkers(session: Session, stored: number, shown: string): Promise<void> {
  if (stored === 0) return;
  const workers = (await session.query(beatingWorkers)).map(([name]) => name);
  if (workers.length > 0) throw olderWorkersError(shown, stored, workers);
}

/** The statements of a migration: each ends with a semicolon at the end of a line. */
function statementsOf(sql: string): string[] {
  return sql
    .split(/;\s*$/m)
    .map((part) => part.trim())
    .filter((part) => part.replaceAll(/^--.*$/gm, "").trim() !== "");
}

function explained(error: unknown, database: Database): unknown {
  const cause = error instanceof DureError ? error.cause : error;
  if (sqlState(cause) !== "42501") return error;
  const { schema, shown } = database.location;
  return new DureError(
    "DATABASE_UNAVAILABLE",
    `${shown}: this user may not make or change the schema ${quoted(schema)}. Run \`dure migrate\` once as a user who may, ` +
      "then `dure migrate --grants <role> --as worker` for this one.",
    { details: { schema }, cause: error },
  );
}

const serverFacts = statement(
  "serverFacts",
  "SELECT current_setting('server_version_num')::integer, current_setting('server_encoding')",
);
const findSchema = statement("findSchema", "SELECT EXISTS (SELECT 1 FROM pg_namespace WHERE nspname = $1)");
const findMigrations = statement(
  "findMigrations",
  "SELECT EXISTS (SELECT 1 FROM pg_tables WHERE schemaname = $1 AND tablename = 'migrations')",
);
const newestMigration = statement(
  "newestMigration",
  "SELECT coalesce(max(number), 0) FROM :schema.migrations",
);
/** An index of many tasks takes longer than a role may give its statements, and so does waiting for whoever makes it. */
const takeTime = statement(
  "takeTime",
  "SELECT set_config('statement_timeout', '0', true), set_config('lock_timeout', '0', true)",
);
const waitAsUsual = statement("waitAsUsual", "SET LOCAL lock_timeout TO DEFAULT");
const lockMigrations = statement(
  "lockMigrations",
  "SELECT pg_advisory_xact_lock($1::integer, hashtext($2::text))",
);
const createMigrations = statement(
  "createMigrations",
  `CREATE TABLE IF NOT EXISTS :schema.migrations (
    number integer PRIMARY KEY,
    name text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
  )`,
);
// One that was killed is still said to be alive until another buries it; its heartbeats tell.
const beatingWorkers = statement(
  "beatingWorkers",
  `SELECT coalesce(name, host || ' ' || pid) FROM :schema.workers
    WHERE state = 'alive' AND beat_at > extract(epoch FROM clock_timestamp()) * 1000 - 2 * lease_ms ORDER BY worker LIMIT 6`,
);
const recordMigration = statement(
  "recordMigration",
  "INSERT INTO :schema.migrations (number, name) VALUES ($1, $2)",
);
