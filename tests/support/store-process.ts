/** `node store-process.ts <path> <ms>`: writes to the database for that long and prints how many tasks it stored. */
import { createSqliteStore } from "../../server/tasks/stores/sqlite/store.ts";
import { newTask } from "./builders.ts";

const [path = "", ms = "0"] = process.argv.slice(2);
const store = createSqliteStore({ path, clock: { now: Date.now } as never });
await store.open();
const end = Date.now() + Number(ms);
let stored = 0;
while (Date.now() < end) {
  const answers = await Promise.all([1, 2, 3, 4].map(() => store.enqueueTasks([newTask()])));
  stored += answers.filter(({ kind }) => kind === "ok").length;
}
await store.close();
console.log(String(stored));
