/**
 * What a page costs without the product: the newest fifty tasks of one type, queue and status, by one index and one prepared
 * statement. It is read before each question, so that a figure may be compared whatever else the machine does meanwhile.
 */
import { DatabaseSync } from "node:sqlite";
import pg from "pg";
import type { Mix } from "./records.ts";

export interface BarePage {
  read(): Promise<void>;
  close(): Promise<void>;
}

const type = "type-0";
const queue = "default";
const pageMax = 50;
/** As the stores number them. */
const statuses = {
  history: { sqlite: 3, postgres: 3 },
  waiting: { sqlite: 1, postgres: 0 },
};

export function openBarePage(database: string, mix: Mix): Promise<BarePage> {
  return database.includes("://") ? onPostgres(database, mix) : Promise.resolve(onSqlite(database, mix));
}

function onSqlite(path: string, mix: Mix): BarePage {
  const database = new DatabaseSync(path, { readOnly: true });
  const { lane } = database
    .prepare("SELECT lane FROM lanes WHERE type = ? AND queue = ?")
    .get(type, queue) as { lane: number };
  // Those that nobody has changed have an index of their own.
  const kind = mix === "waiting" ? "version = 1" : "status <> 2 AND version > 1";
  const page = database.prepare(
    `SELECT * FROM tasks WHERE lane = ? AND status = ? AND ${kind} ORDER BY created_at DESC, id DESC LIMIT ${pageMax}`,
  );
  const status = statuses[mix].sqlite;
  return {
    read: async () => checkCount(page.all(lane, status).length),
    close: async () => database.close(),
  };
}

async function onPostgres(url: string, mix: Mix): Promise<BarePage> {
  const location = new URL(url);
  const schema = location.searchParams.get("schema") ?? "dure";
  location.search = "";
  const client = new pg.Client({ connectionString: location.href });
  await client.connect();
  const schemaName = client.escapeIdentifier(schema);
  const { rows } = await client.query(`SELECT lane FROM ${schemaName}.lanes WHERE type = $1 AND queue = $2`, [
    type,
    queue,
  ]);
  const text =
    `SELECT * FROM ${schemaName}.tasks WHERE lane = $1 AND status = $2 AND status <> 2 ` +
    `ORDER BY created_at DESC, id DESC LIMIT ${pageMax}`;
  const values = [rows[0].lane, statuses[mix].postgres];
  return {
    read: async () => checkCount((await client.query({ name: "bare-page", text, values })).rows.length),
    close: () => client.end(),
  };
}

function checkCount(count: number): void {
  if (count !== pageMax) throw new Error(`a bare page has ${count} tasks; fill a store of 100,000 or more`);
}
