/** A new database is made in one step, and is what all migrations one after another would have made of it. */
import { DatabaseSync } from "node:sqlite";
import { expect, test } from "vitest";
import { readMigrations, readNewestSchema } from "../../../server/tasks/stores/migrate.ts";
import { Connection } from "../../../server/tasks/stores/sqlite/connection.ts";

const folder = new URL("../../../server/tasks/stores/sqlite/migrations/", import.meta.url);
const migrations = readMigrations(folder);

test("newest.sql leaves what the migrations leave (else: node tools/newest-schema.ts)", () => {
  const [migrated, made] = [new DatabaseSync(":memory:"), new DatabaseSync(":memory:")];
  for (const { sql } of migrations) migrated.exec(sql);
  const { number, sql } = readNewestSchema(folder);
  made.exec(sql);
  expect(number).toBe(migrations.length);
  expect(contentsOf(made)).toEqual(contentsOf(migrated));
});

test("a new database says that it has the newest schema, and has it", () => {
  const connection = new Connection({ path: ":memory:", durability: "full", role: "writer" });
  expect(connection.schemaVersion()).toEqual({ stored: migrations.length, known: migrations.length });
  expect(connection.rows("SELECT up_to FROM attribute_marks")).toHaveLength(1);
  connection.close();
});

/** Every table, index and trigger as it is written, with the rows of each table. */
function contentsOf(database: DatabaseSync): unknown {
  const objects = database
    .prepare("SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY type, name")
    .all();
  const rows = objects
    .filter(({ type }) => type === "table")
    .map(({ name }) => [name, database.prepare(`SELECT * FROM "${name}"`).all()]);
  expect(objects.length).toBeGreaterThan(50);
  return { objects, rows };
}
