/**
 * What a forked process, a cluster's worker or a thread does with a database that whoever started it has open: it looks which
 * files of it came along, enqueues, and tells both. `argv[2]` is the file.
 */
import { readdirSync, readlinkSync } from "node:fs";
import { parentPort } from "node:worker_threads";
import { createSystemClock } from "../../server/tasks/runtime/system-clock.ts";
import { createSqliteStore } from "../../server/tasks/stores/sqlite/store.ts";
import { newTask } from "./builders.ts";

export interface Shared {
  /** Empty for a process of its own; of a thread's process they are open anyhow. */
  openAtStart: string[];
  ids: string[];
}

if (import.meta.main || parentPort) {
  const path = process.argv[2]!;
  const openAtStart = openFiles().filter((file) => file.startsWith(path));
  const clock = createSystemClock();
  const store = createSqliteStore({ path, clock });
  await store.open();
  const tasks = Array.from({ length: 20 }, () => newTask({ createdAt: clock.now(), dueAt: clock.now() }));
  await Promise.all(tasks.map((task) => store.enqueueTasks([task])));
  await store.close();
  const shared: Shared = { openAtStart, ids: tasks.map(({ id }) => id) };
  if (parentPort) parentPort.postMessage(shared);
  else process.send?.(shared, () => process.disconnect?.());
}

function openFiles(): string[] {
  if (process.platform !== "linux") return [];
  return readdirSync("/proc/self/fd").flatMap((number) => {
    try {
      return [readlinkSync(`/proc/self/fd/${number}`)];
    } catch {
      return [];
    }
  });
}
