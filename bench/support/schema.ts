/** The product's own schema, read from its migrations, whole and in parts. */
import { readdirSync, readFileSync } from "node:fs";

const folder = new URL("../../server/tasks/stores/sqlite/migrations/", import.meta.url);

/** All migrations in order, as one script. */
export function productSchema(): string {
  const names = readdirSync(folder).filter((name) => name.endsWith(".sql"));
  return names
    .sort()
    .map((name) => readFileSync(new URL(name, folder), "utf8"))
    .join("\n");
}

export interface TasksSchema {
  table: string;
  /** `CREATE INDEX` statements by the index's name. */
  indexes: Map<string, string>;
}

/** The statements that make the table of tasks. */
export function tasksSchema(): TasksSchema {
  const statements = productSchema()
    .replace(/^\s*--.*$/gm, "")
    .split(";")
    .map((statement) => statement.trim());
  const table = statements.find((statement) => /^CREATE TABLE tasks\b/i.test(statement));
  if (!table) throw new Error("The migrations make no table of tasks.");
  const indexes = new Map<string, string>();
  for (const statement of statements) {
    const name = /^CREATE (?:UNIQUE )?INDEX (\w+)\s+ON tasks\b/i.exec(statement)?.[1];
    if (name) indexes.set(name, statement);
    const dropped = /^DROP INDEX (\w+)/i.exec(statement)?.[1];
    if (dropped) indexes.delete(dropped);
  }
  return { table, indexes };
}

/** `text` with `from` replaced; fails when there is nothing to replace, so that a changed schema is noticed. */
export function replaced(text: string, from: string | RegExp, to: string): string {
  const changed = text.replace(from, to);
  if (changed === text) throw new Error(`The schema has no "${from}" any more; adapt the bench to it.`);
  return changed;
}
