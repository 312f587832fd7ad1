/**
 * `node store-process.ts <path> <ms>`: writes to the database for that long and prints how many tasks it stored.
 * `node store-process.ts <path> killed`: makes it, under a umask that hides nothing, registers a worker, and dies.
 */
import { createSystemClock } from "../../server/tasks/runtime/system-clock.ts";
import { createSqliteStore } from "../../server/tasks/stores/sqlite/store.ts";
import { newTask, newWorker } from "./builders.ts";

const [path = "", task = "0"] = process.argv.slice(2);
process.umask(0);
const store = createSqliteStore({ path, clock: createSystemClock() });
await store.open();
if (task === "killed") {
  await store.registerWorker(newWorker("w"));
  process.kill(process.pid, "SIGKILL");
}
const end = Date.now() + Number(task);
let stored = 0;
while (Date.now() < end) {
  const answers = await Promise.all([1, 2, 3, 4].map(() => store.enqueueTasks([newTask()])));
  stored += answers.filter(({ kind }) => kind === "ok").length;
}
await store.close();
console.log(String(stored));
