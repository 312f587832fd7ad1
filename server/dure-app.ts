/** The app that a database belongs to, as `dure migrate --app` says it. */
import { openStore } from "./dure-store.ts";
import { checkApp } from "./tasks/core/names.ts";
import { committed } from "./tasks/core/written.ts";

/**
 * Makes the database this app's, whosever it was; migrated, or made, if need be.
 * @throws DureError INVALID_ID, DATABASE_…
 */
export async function nameDatabase(database: string, app: string): Promise<void> {
  checkApp(app);
  const store = await openStore(database);
  try {
    committed(await store.nameApp(app, { rename: true }), store);
  } finally {
    await store.close();
  }
}
