/** Moving all tasks from one database to another, as `dure copy` does. */
import { openStore } from "./dure-store.ts";
import type { Copied, CopyProgress } from "./tasks/runtime/copier.ts";
import { copyTasks, reopenSource } from "./tasks/runtime/copier.ts";

export interface CopyOptions {
  /** What `database` of createDure takes; the tasks that are there. It takes no changes any more from then on. */
  from: string;
  /** Where they go; made and migrated if need be. */
  to: string;
  signal?: AbortSignal;
  onProgress?: (progress: CopyProgress) => void;
}

/** @throws as copyTasks, and DATABASE_… of either database */
export async function copyDatabase({ from, to, ...options }: CopyOptions): Promise<Copied> {
  const source = await openStore(from);
  try {
    const target = await openStore(to);
    try {
      return await copyTasks(source, target, target.location, options);
    } finally {
      await target.close();
    }
  } finally {
    await source.close();
  }
}

/** Takes back that a database takes no changes any more. */
export async function reopenDatabase(database: string): Promise<void> {
  const store = await openStore(database);
  try {
    await reopenSource(store);
  } finally {
    await store.close();
  }
}
