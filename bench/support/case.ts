/** What every case shares: its parameters, one database of its own, and the one line of JSON that it prints. */
import { join } from "node:path";
import { parseArgs } from "node:util";
import { temporaryFolder } from "./data.ts";
import { rateSince } from "./numbers.ts";
import { payload, typeName } from "./sample.ts";

export { finish } from "./figures.ts";

import { type BenchDure, createDure } from "./product.ts";

/** At this concurrency a drain is bound by the store, not by round trips. */
export const fullConcurrency = 1_000;

export interface CaseOptions {
  tasks: number;
  database: string;
}

/** Reads `--tasks` and `--database`; without the latter, a new file that is removed at the end. */
export function caseOptions(defaultTasks: number): CaseOptions {
  const { values } = parseArgs({ options: { tasks: { type: "string" }, database: { type: "string" } } });
  return {
    tasks: Number(values.tasks ?? defaultTasks),
    database: values.database ?? join(temporaryFolder("case"), "tasks.db"),
  };
}

/** Opens the product, retention off, so that nothing else goes on. */
export function open(database: string, concurrency = fullConcurrency): BenchDure {
  return createDure({ database, retention: false, worker: { concurrency } });
}

/** Defines the bench's task. The handler does nothing but what `onStart` does. */
export function define(dure: BenchDure, onStart: (payload: unknown) => void = () => undefined) {
  return dure.defineTask(typeName, async (task) => onStart(task.payload));
}

export function items(count: number): { payload: typeof payload }[] {
  return Array.from({ length: count }, () => ({ payload }));
}

/** Runs what waits; answers how many of `tasks` a second, from start() until the last one's end is stored. */
export async function drainRate(dure: BenchDure, reached: Promise<void>, tasks: number): Promise<number> {
  const startedAt = performance.now();
  await dure.start();
  await reached;
  await dure.stop();
  return rateSince(tasks, startedAt);
}

/** A handler's counter, and a promise for the moment when `count` tasks have started. */
export function startCounter(count: number): { onStart: () => void; reached: Promise<void> } {
  let started = 0;
  let resolve: () => void;
  const reached = new Promise<void>((whenReached) => {
    resolve = whenReached;
  });
  return {
    onStart: () => {
      started += 1;
      if (started === count) resolve();
    },
    reached,
  };
}
