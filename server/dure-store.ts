/** From the name of a database to its store; what a store needs is loaded when it is asked for. */
import { isBuiltin } from "node:module";
import { isPostgresUrl } from "./dure-options.ts";
import type { Clock } from "./tasks/core/clock.ts";
import { DureError } from "./tasks/core/errors.ts";
import type { TaskStore } from "./tasks/core/store.ts";
import { createSystemClock } from "./tasks/runtime/system-clock.ts";

/**
 * The store, not yet open.
 * @param database a file, ':memory:' or a PostgreSQL connection string
 * @throws DureError NODE_TOO_OLD
 */
export async function makeStore(
  database: string,
  durability: "full" | "normal",
  clock: Clock,
): Promise<TaskStore> {
  const isPostgres = isPostgresUrl(database);
  refuseOldNode(isPostgres);
  if (isPostgres) {
    const { createPostgresStore } = await import("./tasks/stores/postgres/store.ts");
    return createPostgresStore({ url: database });
  }
  const { createSqliteStore } = await import("./tasks/stores/sqlite/store.ts");
  return createSqliteStore({ path: database, durability, clock });
}

/** Before this the language lacks what a worker needs, and it would find out only while it runs. */
const nodeMajorMin = 22;

function refuseOldNode(isPostgres: boolean): void {
  const { version } = process;
  const isOld = Number(process.versions.node.split(".")[0]) < nodeMajorMin;
  if (!isOld && (isPostgres || isBuiltin("node:sqlite"))) return;
  const lacks = isOld ? "is too old for Dure" : "has no SQLite (node:sqlite)";
  throw new DureError(
    "NODE_TOO_OLD",
    `This Node, ${version}, ${lacks}; Dure needs Node 24.15 or later. Install a newer one, and start this program with it: ` +
      `it runs ${process.execPath} now.`,
    { details: { node: version, needed: ">=24.15" } },
  );
}

/** The open store, with nothing else around it. @throws DureError DATABASE_… */
export async function openStore(database: string): Promise<TaskStore> {
  const store = await makeStore(database, "full", createSystemClock());
  await store.open();
  return store;
}
