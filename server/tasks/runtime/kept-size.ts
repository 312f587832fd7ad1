/**
 * Retention by size: how many tasks of a type and status fit in so many bytes. Judged by some of them, the newest and the
 * oldest: to weigh each of millions once a minute would cost more than it is worth.
 */
import type { Attempt } from "../core/attempt.ts";
import type { TaskStore } from "../core/store.ts";
import type { Task } from "../core/task.ts";
import { encodeValue } from "../core/values/value.ts";
import type { EndedStatus } from "./retention.ts";

/** From either end. */
const sampleSize = 25;
/** About what a task takes beside its own texts: its row's other columns, and its entries in the indexes. */
const rowBytes = 400;

/** About how many of them, those that ended last, take that many bytes. */
export async function countInBytes(
  store: TaskStore,
  type: string,
  status: EndedStatus,
  sizeBytes: number,
): Promise<number> {
  const ends = await Promise.all([true, false].map((descending) => someOf(store, type, status, descending)));
  const tasks = new Map(ends.flat().map((task) => [task.id, task]));
  const sizes = await Promise.all(
    [...tasks.values()].map(async (task) => bytesOf(task, await store.listAttempts(task.id))),
  );
  const total = sizes.reduce((sum, size) => sum + size, 0);
  return total === 0 ? Number.MAX_SAFE_INTEGER : Math.floor((sizeBytes * sizes.length) / total);
}

async function someOf(
  store: TaskStore,
  type: string,
  status: EndedStatus,
  descending: boolean,
): Promise<Task[]> {
  const { tasks } = await store.searchTasks({
    types: [type],
    statuses: [status],
    sortBy: "updatedAt",
    descending,
    limit: sampleSize,
    offset: 0,
    definitions: false,
  });
  return tasks;
}

function bytesOf(task: Task, attempts: readonly Attempt[]): number {
  const { payload, result, error = "", description = "", tags = [] } = task;
  const values = [payload, result].filter((value) => value !== undefined);
  const encoded = values.map((value) => encodeValue(value, "payload"));
  const records = attempts.map(({ error: met, logs }) => JSON.stringify([met ?? null, logs]));
  const texts = [
    ...encoded.flatMap(({ json, types }) => [json, types ?? ""]),
    ...records,
    error,
    description,
  ];
  return [...texts, ...tags].reduce((sum, text) => sum + Buffer.byteLength(text), rowBytes);
}
