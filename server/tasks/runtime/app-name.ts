/**
 * Whose database it is. Two programs that share one by mistake fail each other's tasks where both define a type of one id,
 * and prune each other's history. Programs that say which app they are part of are refused by a database of another.
 */
import { DureError } from "../core/errors.ts";
import type { TaskStore } from "../core/store.ts";
import { committed } from "../core/written.ts";

/** Makes the database this app's if it is nobody's. @throws DureError DATABASE_OF_OTHER_APP, DATABASE_… */
export async function claimDatabase(store: TaskStore, app: string): Promise<void> {
  // Most programs find their own name, and may be allowed to do no more than read it.
  const found = (await store.readApp()) ?? committed(await store.nameApp(app, { rename: false }), store);
  if (found === app) return;
  throw new DureError(
    "DATABASE_OF_OTHER_APP",
    `${store.location} belongs to the app ${JSON.stringify(found)}; this program is part of ${JSON.stringify(app)}. ` +
      "Give it a database or a schema of its own. If the two are one, give both the same `app`; if the app was renamed, " +
      `run \`dure migrate --app ${app}\`. Nothing was changed.`,
    { details: { location: store.location, found, app } },
  );
}
