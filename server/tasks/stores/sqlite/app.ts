/** The app that the file belongs to. */
import type { Written } from "../../core/store.ts";
import type { Connection } from "./connection.ts";
import type { WriteContext } from "./threads/write-context.ts";

export function readApp(connection: Connection, _argument: undefined): string | undefined {
  return (connection.prepare(sql.read).get() as [string] | undefined)?.[0];
}

export function nameApp(
  { connection }: WriteContext,
  { name, rename }: { name: string; rename: boolean },
): Written<string> {
  const [kept] = connection.prepare(sql.name).get(name, rename ? 1 : 0) as unknown as [string];
  return { kind: "ok", value: kept };
}

const sql = {
  read: "/* dure:readApp */ SELECT name FROM app",
  name: `/* dure:nameApp */ INSERT INTO app (only_row, name) VALUES (1, ?1)
    ON CONFLICT (only_row) DO UPDATE SET name = iif(?2, excluded.name, app.name) RETURNING name`,
} as const;
