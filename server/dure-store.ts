/** From the name of a database to its store. */
import { isPostgresUrl } from "./dure-options.ts";
import type { Clock } from "./tasks/core/clock.ts";
import type { TaskStore } from "./tasks/core/store.ts";
import { createSystemClock } from "./tasks/runtime/system-clock.ts";
import { createSqliteStore } from "./tasks/stores/sqlite/store.ts";

/** The store, not yet open. @param database a file, ':memory:' or a PostgreSQL connection string */
export async function makeStore(
  database: string,
  durability: "full" | "normal",
  clock: Clock,
): Promise<TaskStore> {
  if (!isPostgresUrl(database)) return createSqliteStore({ path: database, durability, clock });
  // Loaded only when asked for: most programs have no use for it, nor the driver installed.
  const { createPostgresStore } = await import("./tasks/stores/postgres/store.ts");
  return createPostgresStore({ url: database });
}

/** The open store, with nothing else around it. @throws DureError DATABASE_… */
export async function openStore(database: string): Promise<TaskStore> {
  const store = await makeStore(database, "full", createSystemClock());
  await store.open();
  return store;
}
