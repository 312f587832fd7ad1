/** The app that the schema belongs to. */
import type { Written } from "../../core/store.ts";
import type { Context } from "./context.ts";
import { statement } from "./statement.ts";

export async function readApp({ database }: Context): Promise<string | undefined> {
  return (await database.read(read))[0]?.[0];
}

export function nameApp(context: Context, name: string, rename: boolean): Promise<Written<string>> {
  return context.database.written(async () => {
    const [row] = await context.database.query(keep, [name, rename]);
    return { kind: "ok", value: row![0] };
  });
}

const read = statement("readApp", "SELECT name FROM :schema.app");
const keep = statement(
  "nameApp",
  `INSERT INTO :schema.app AS kept (only_row, name) VALUES (true, $1::text)
    ON CONFLICT (only_row) DO UPDATE SET name = CASE WHEN $2::boolean THEN excluded.name ELSE kept.name END RETURNING name`,
);
