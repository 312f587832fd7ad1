/** `node changing-process.ts <database> <ms>`: stores, claims, ends, edits and cancels tasks for that long. */
import { createSystemClock } from "../../server/tasks/runtime/system-clock.ts";
import { createPostgresStore } from "../../server/tasks/stores/postgres/store.ts";
import { createSqliteStore } from "../../server/tasks/stores/sqlite/store.ts";
import { newTasks, newWorker, settlementOf } from "./builders.ts";

const [database = "", ms = "0"] = process.argv.slice(2);
const store = database.startsWith("postgres")
  ? createPostgresStore({ url: database })
  : createSqliteStore({ path: database, clock: createSystemClock() });
await store.open();
const workerId = `w-${process.pid}`;
await store.registerWorker(newWorker(workerId));
const end = Date.now() + Number(ms);
for (let round = 0; Date.now() < end; round++) {
  const tasks = newTasks(4, { createdAt: Date.now() });
  const claim = store.claimTasks({ workerId, types: ["resize-image"], limit: 3, suspect: false });
  const [, answer] = await Promise.all([store.enqueueTasks(tasks), claim]);
  const claimed = answer.kind === "ok" ? answer.value.claimed : [];
  const ended = claimed.slice(round % 4 === 0 ? 1 : 0).map((one, at) => {
    const outcome = at === 0 ? "failed" : "completed";
    const error = outcome === "failed" ? { error: { name: "Error", message: "mailbox full" } } : {};
    return settlementOf(one, outcome, { workerId, ...error });
  });
  await Promise.all([
    store.settleTasks(ended),
    store.editTask(tasks[0]!.id, { priority: round % 9 }),
    store.cancelTask(tasks[1]!.id),
  ]);
}
await store.close();
