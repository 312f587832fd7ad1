/** What a store is asked when tasks are searched or counted, and what it answers. */
import type { Condition } from "../filters/condition.ts";
import type { TaskSortField } from "../search.ts";
import type { Task, TaskStatusName } from "../task.ts";

/** A search, ready to run: checked, defaults filled in, cursor decoded. */
export interface StoreSearch {
  id?: string;
  types?: readonly string[];
  statuses?: readonly TaskStatusName[];
  queues?: readonly string[];
  /** Milliseconds since 1970; `start` included, `end` excluded. */
  created?: { start?: number; end?: number };
  updated?: { start?: number; end?: number };
  /** What must hold besides; the filters above are never in it at its top. */
  where?: Condition;
  /** How long to look before giving up; absent for as long as it takes. Only searches with a `where`, or in an order that no index has whole, need it. */
  budgetMs?: number;
  sortBy: TaskSortField;
  descending: boolean;
  limit: number;
  offset: number;
  /**
   * How many bytes of payloads, results and errors (`valueBytes`) the answer has at most; its first task comes however
   * large it is. Absent for any. What is read at once is bounded likewise, whatever is found.
   */
  bytesMax?: number;
  /** Continue strictly after this place in the order, or, with `backwards`, strictly before it; `offset` counts from there. */
  after?: Place & { backwards: boolean };
  /** Whether definitions that have no task yet are listed as well. */
  definitions: boolean;
}

/** What a search found. */
export interface Found {
  tasks: Task[];
  /** Set when the next task that was found did not fit into `bytesMax`. */
  isCut?: true;
  /**
   * Where it stopped when its budget ran out: all before this place, in the order of reading, was looked at; `start` where that
   * is nothing.
   */
  stoppedAt?: Place | "start";
  /** How many of the search's offset are still to be passed over behind where it stopped; absent for none. */
  offsetLeft?: number;
  /**
   * Set when it stopped, and no place says where: in an order that no index has, these are the best of the newest tasks
   * that were looked at.
   */
  isPartial?: true;
  /** What each of the tasks is sorted by, where it does not tell that itself: by relevance, or as it was when it was found. */
  values?: readonly (Place["value"] | undefined)[];
  /** About how many tasks were not looked at, because their texts wait to be indexed; set when there are such. */
  unindexed?: number;
  /** About how many tasks were judged without an attribute that waits to be filled in; set when there are such. */
  unfilled?: number;
}

/**
 * What gives the tasks that a search looks at:
 * - `id`: the one task of that id, or those of the ids or idempotency keys that are asked for, or that begin as it is asked for.
 * - `order`: the indexes have all that is asked for, in its order: what is answered is read, and no more.
 * - `attributes`, `texts`, `slow` (how long tasks ran): an index that knows one of the conditions; each is tested on the
 *   others.
 * - `walk`: all that pass the filters by type, status, queue and instant, each of which is tested; of `startedAt`, all that may
 *   have started within a range; of `attempts`, all that were tried before.
 */
export type PlanSource = "id" | "order" | "attributes" | "texts" | "slow" | "walk";

/** How a store would serve a page of a search now. */
export interface SearchPlan {
  source: PlanSource;
  /** Which of them: `attribute userId`. */
  of?: string;
  /** The indexes of the database that give them, by name. */
  indexes: readonly string[];
  /** About how many tasks there are to look at until the answer is known to be whole. */
  candidates: number;
  /** Set when there may be many more. */
  isAtLeast?: true;
  /** About how many tasks wait for an attribute that is asked for to be filled in; set when there are such. */
  unfilled?: number;
  /** Whether all of them are read and sorted before the first is answered: nothing has them in the order asked for. */
  isSorted: boolean;
}

/** A place in the order of a search: the value sorted by (null by id alone) and the id there. */
export interface Place {
  value: number | null;
  id: string;
}

/** A count, and how much it may be off. */
export interface Count {
  count: number;
  /** 0 when it is exact; else the true count is within this of it. */
  errorMax: number;
  /** So many tasks wait for an attribute that is asked for to be filled in, as part of `errorMax`; set when there are such. */
  unfilled?: number;
}

/** What tasks are counted by, beside time. */
export const countKeys = ["type", "queue", "status"] as const;
export type CountKey = (typeof countKeys)[number];

/** By what tasks were counted; a value for each key that was asked for. */
export interface CountedGroup {
  type?: string;
  queue?: string;
  status?: TaskStatusName;
}

/** How many tasks there are of each group, and where time was asked for, in each stretch of it. */
export interface TaskCounts {
  groups: readonly CountedGroup[];
  /**
   * Of each count the number of its group, when its stretch of time begins, in milliseconds since 1970, or 0, and how many tasks; one
   * after another, since thousands of objects take longer to be made, and to be sent to another thread, than the tasks to be counted.
   */
  cells: Float64Array;
}

/** Stretches of time, counted from 1970 in UTC. */
export interface Buckets {
  time: "createdAt" | "updatedAt";
  bucketMs: number;
}
