/** A process of its own on one SQLite file: `node sqlite-process.ts '{"path":…,"deed":…}'`. Prints one line of JSON. */
import type { TaskStore } from "../../server/tasks/core/store.ts";
import { createSystemClock } from "../../server/tasks/runtime/system-clock.ts";
import { createSqliteStore } from "../../server/tasks/stores/sqlite/store.ts";
import { newTask } from "./builders.ts";

export interface Errand {
  path: string;
  /**
   * 'open': opens, reads the schema's number, closes. 'write': `callers` enqueue, claim and settle at once for `ms`.
   * 'enqueue': enqueues one by one until killed, and prints each id once it is acknowledged.
   */
  deed: "open" | "write" | "enqueue";
  /** Marks this process's tasks and names its worker. */
  name: string;
  callers?: number;
  ms?: number;
}

export interface Outcome {
  error?: { code?: string; message: string };
  schema?: { stored: number; known: number };
  enqueued?: string[];
  completed?: string[];
}

if (import.meta.main) {
  const errand = JSON.parse(process.argv[2]!) as Errand;
  const store = createSqliteStore({ path: errand.path, clock: createSystemClock() });
  const outcome = await run(store, errand).catch(
    ({ code, message }): Outcome => ({ error: { code, message } }),
  );
  process.stdout.write(`${JSON.stringify(outcome)}\n`);
  await store.close();
}

async function run(store: TaskStore, errand: Errand): Promise<Outcome> {
  await store.open();
  if (errand.deed === "open") return { schema: await store.schemaVersion() };
  if (errand.deed === "enqueue") return enqueueForEver(store);
  return write(store, errand);
}

async function enqueueForEver(store: TaskStore): Promise<never> {
  for (;;) {
    const task = newTask();
    await store.enqueueTasks([task]);
    process.stdout.write(`${task.id}\n`);
  }
}

async function write(store: TaskStore, { name, callers = 4, ms = 1_000 }: Errand): Promise<Outcome> {
  const types = ["resize-image"];
  await store.registerWorker({
    id: name,
    host: "here",
    pid: process.pid,
    concurrency: 10,
    types,
    leaseMs: 60_000,
  });
  const until = performance.now() + ms;
  const enqueued: string[] = [];
  const completed: string[] = [];
  const caller = async () => {
    while (performance.now() < until) {
      const task = newTask();
      await store.enqueueTasks([task]);
      enqueued.push(task.id);
      const answer = await store.claimTasks({ workerId: name, types, limit: 2, suspect: false });
      if (answer.kind !== "ok") throw new Error(`The claim was answered ${answer.kind}.`);
      const settlements = answer.value.claimed.map(({ ref, fence, task: { id } }) => ({
        ref,
        fence,
        taskId: id,
        workerId: name,
        outcome: "completed" as const,
      }));
      await store.settleTasks(settlements);
      completed.push(...settlements.map(({ taskId }) => taskId));
    }
  };
  await Promise.all(Array.from({ length: callers }, caller));
  return { enqueued, completed };
}
