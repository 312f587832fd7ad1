/** A file of SQLite with tasks that have ended, run and wait, for tests of the connection itself. */
import { createSqliteStore } from "../../server/tasks/stores/sqlite/store.ts";
import { newTasks, newWorker, settlementOf } from "./builders.ts";
import { claimRequest, ok } from "./stores.ts";
import { TestClock } from "./test-clock.ts";

/** Of `tasks`, so many are claimed, and `settled` of those COMPLETED. */
export async function writeSettledFile(
  path: string,
  { tasks, claimed: limit, settled }: { tasks: number; claimed: number; settled: number },
): Promise<void> {
  const store = createSqliteStore({ path, clock: new TestClock() });
  await store.open();
  await store.registerWorker(newWorker());
  ok(await store.enqueueTasks(newTasks(tasks)));
  const { claimed } = ok(await store.claimTasks(claimRequest({ limit })));
  ok(await store.settleTasks(claimed.slice(0, settled).map((one) => settlementOf(one, "completed"))));
  await store.close();
}
