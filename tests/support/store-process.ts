/** `node store-process.ts <path>`: makes the database, under a umask that hides nothing, registers a worker, and dies. */
import { createSystemClock } from "../../server/tasks/runtime/system-clock.ts";
import { createSqliteStore } from "../../server/tasks/stores/sqlite/store.ts";
import { newWorker } from "./builders.ts";

process.umask(0);
const store = createSqliteStore({ path: process.argv[2]!, clock: createSystemClock() });
await store.open();
await store.registerWorker(newWorker("w"));
process.kill(process.pid, "SIGKILL");
