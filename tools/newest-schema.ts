/**
 * Writes what a new SQLite database is made from, instead of by all migrations one after another: the schema that these leave, and
 * the few rows. `node tools/newest-schema.ts`, after a migration was added; tests/contract/sqlite/newest-schema.test.ts compares the two.
 */
import { writeFileSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { readMigrations } from "../server/tasks/stores/migrate.ts";

const folder = new URL("../server/tasks/stores/sqlite/migrations/", import.meta.url);
const migrations = readMigrations(folder);
const database = new DatabaseSync(":memory:");
for (const { sql } of migrations) database.exec(sql);

const made = database.prepare(
  // FTS5 makes tables of its own, with their rows; only the table that they are of can be made by a statement.
  `SELECT type, name, sql FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT IN (
     SELECT shadow.name FROM pragma_table_list AS shadow WHERE shadow.type = 'shadow') ORDER BY rowid`,
);
const objects = made.all() as { type: string; name: string; sql: string }[];
const rows = objects
  .filter(({ type, sql }) => type === "table" && !sql.startsWith("CREATE VIRTUAL"))
  .flatMap(({ name }) => insertsOf(name));
const head = `-- ${migrations.length}: the schema as migration ${migrations.length} leaves it, which a new database is made from. Written by tools/newest-schema.ts.`;
const text = [head, ...objects.map(({ sql }) => `${sql};`), ...rows].join("\n\n");
writeFileSync(new URL("newest.sql", folder), `${text}\n`);

function insertsOf(table: string): string[] {
  return database
    .prepare(`SELECT * FROM "${table}"`)
    .all()
    .map((row) => {
      const columns = Object.keys(row).join(", ");
      const values = Object.values(row).map((value) =>
        typeof value === "string" ? `'${value}'` : String(value ?? "NULL"),
      );
      return `INSERT INTO ${table} (${columns}) VALUES (${values.join(", ")});`;
    });
}
