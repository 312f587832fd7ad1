/** What a store counts, one count after another. */
import type {
  Buckets,
  CountedGroup,
  CountKey,
  StoreSearch,
  TaskCounts,
  TaskStore,
} from "../../server/tasks/core/store.ts";

export interface TaskCount extends CountedGroup {
  /** Milliseconds since 1970, where time was asked for. */
  at?: number;
  count: number;
}

export async function listCounts(
  store: TaskStore,
  search: StoreSearch,
  buckets?: Buckets,
  by?: readonly CountKey[],
): Promise<TaskCount[]> {
  const { groups, cells } = await store.summarizeTasks(search, buckets, by);
  return Array.from({ length: cells.length / 3 }, (_, place) => {
    const [group, at, count] = cells.subarray(3 * place) as unknown as [number, number, number];
    return { ...groups[group], ...(buckets && { at }), count };
  });
}

/** The other way round. */
export function toTaskCounts(counts: readonly TaskCount[]): TaskCounts {
  const cells = counts.flatMap(({ at = 0, count }, place) => [place, at, count]);
  return {
    groups: counts.map(({ at: _at, count: _count, ...group }) => group),
    cells: new Float64Array(cells),
  };
}
