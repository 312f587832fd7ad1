/**
 * Numbered migrations, applied once, in order, under the store's own lock. The files are never edited after a
 * release; a database with a higher number than the newest file was made by a newer Dure and is refused.
 */
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { DureError } from "../core/errors.ts";

export interface Migration {
  number: number;
  name: string;
  sql: string;
}

/** The migrations in a folder, lowest number first; numbers run from 1 without a gap. */
export function readMigrations(folder: URL): Migration[] {
  const files = readdirSync(fileURLToPath(folder)).filter((file) => /^\d{4}_.+\.sql$/.test(file));
  const migrations = files.sort().map((name) => ({
    number: Number(name.slice(0, 4)),
    name,
    sql: readFileSync(new URL(name, folder), "utf8"),
  }));
  migrations.forEach((migration, index) => {
    if (migration.number !== index + 1)
      throw new Error(`Migration ${index + 1} is missing before ${migration.name}.`);
  });
  return migrations;
}

/** What a new database is made from in one step: the schema that the migrations up to its number leave. */
export function readNewestSchema(folder: URL): Pick<Migration, "number" | "sql"> {
  const sql = readFileSync(new URL("newest.sql", folder), "utf8");
  return { number: Number(/^-- (\d+):/.exec(sql)![1]), sql };
}

/** A migration's first lines say whether workers of the version before may go on beside it. */
export function stopsOlderWorkers({ sql }: Pick<Migration, "sql">): boolean {
  return /Older workers must have stopped/.test(sql.split("\n\n")[0]!.replaceAll("\n-- ", " "));
}

const workersShown = 5;

/** @param alive all workers that are, or some more than are named here, by what they are shown as */
export function olderWorkersError(location: string, stored: number, alive: readonly string[]): DureError {
  const workers = alive.slice(0, workersShown);
  const more = alive.length > workersShown ? " and more" : "";
  return new DureError(
    "WORKER_RUNNING",
    `${location} has workers of an older Dure alive: ${workers.join(", ")}${more}. They would not keep to what this version stores, so stop ` +
      "them, then start this program again; `dure workers` of the older version lists them. Nothing was changed.",
    { details: { stored, workers } },
  );
}

/** What is left to apply. @throws DureError DATABASE_VERSION when the store is newer than this program. */
export function pendingMigrations(
  migrations: readonly Migration[],
  stored: number,
  location: string,
): Migration[] {
  const known = migrations.length;
  if (stored > known) {
    throw new DureError(
      "DATABASE_VERSION",
      `${location} has schema ${stored}; this version of Dure knows schemas up to ${known}. ` +
        `A newer Dure made it: upgrade this program, or point it at another database. Nothing was changed.`,
      { details: { stored, known, location } },
    );
  }
  return migrations.slice(stored);
}
