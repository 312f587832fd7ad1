/** Counts what an archive has of a search, in all or by groups. */
import { type CountedTask, CountedTasks } from "../../core/counts/counted-tasks.ts";
import { readHow, type TaskSummary, type TaskSummaryOptions } from "../../core/counts/summary.ts";
import type { Instance } from "../../core/instance.ts";
import type { TaskSearchOptions } from "../../core/search.ts";
import type { Attributes } from "../../core/store.ts";
import type { Task } from "../../core/task.ts";
import { mayHold } from "./archive-bounds.ts";
import { begin, newProgress, readFile, reportOf } from "./archive-reading.ts";
import type { ArchivePage } from "./archive-search.ts";

/** How many archived tasks fit, and how far that was looked for. */
export type ArchiveCount = { count: number } & Pick<
  ArchivePage,
  "complete" | "searchedBackTo" | "files" | "damaged"
>;

/** `ArchiveCount` with its groups, as `summarizeTasks` has them. */
export type ArchiveSummary = ArchiveCount & Pick<TaskSummary, "groups" | "valuesLeftOut">;

/** @throws DureError INVALID_OPTION, INVALID_QUERY */
export async function countArchiveIn(
  instance: Instance,
  folder: string | undefined,
  options: TaskSearchOptions = {},
): Promise<ArchiveCount> {
  const { cursor: _cursor, offset: _offset, limit: _limit, ...filters } = options;
  return countFitting(instance, folder, filters, { keep: () => undefined, take: () => {} });
}

/** @throws DureError INVALID_OPTION, INVALID_QUERY */
export async function summarizeArchiveIn(
  instance: Instance,
  folder: string | undefined,
  options: TaskSummaryOptions = {},
): Promise<ArchiveSummary> {
  const { filter, keys, time, percentiles } = readHow("summarizeArchive(options)", options);
  const counted = new CountedTasks(keys, time, percentiles);
  const count = await countFitting(instance, folder, filter, {
    keep: ({ status, type, queue, createdAt, updatedAt, startedAt, completedAt }, attributes) => {
      const started = { ...(startedAt && { startedAt }), ...(completedAt && { completedAt }) };
      const task: CountedTask = { status, type, ...(queue && { queue }), createdAt, updatedAt, ...started };
      return { task, attributes: attributes() };
    },
    take: ({ task, attributes }) => counted.add(task, attributes),
  });
  return { ...count, ...counted.list() };
}

interface Counting<Kept> {
  /** What is remembered of a task until its file is read. */
  keep(task: Task, attributes: () => Attributes | undefined): Kept;
  take(kept: Kept): void;
}

async function countFitting<Kept>(
  instance: Instance,
  folder: string | undefined,
  filters: TaskSearchOptions,
  { keep, take }: Counting<Kept>,
): Promise<ArchiveCount> {
  // An order that its query says does not matter.
  const { files, reading, now } = await begin(instance, folder, { ...filters, sortBy: "createdAt" });
  const progress = newProgress();
  let count = 0;
  for (const file of files) {
    if (!mayHold(file.bounds, reading.search)) continue;
    // A task that was written twice ended once: it is in one file, and as it was last.
    const fitting = new Map<string, Kept>();
    await readFile(file, reading, progress, now, (record, fits) => {
      if (fits)
        fitting.set(
          record.task.id,
          keep(record.task, () => reading.attributesOf(record)),
        );
      else fitting.delete(record.task.id);
    });
    count += fitting.size;
    for (const kept of fitting.values()) take(kept);
    if (progress.stoppedIn) break;
  }
  return {
    count,
    complete: !progress.stoppedIn,
    ...reportOf(files, progress, reading.search, instance.clock.now()),
  };
}
