/** The read side: TaskSearchOptions, searchTasks, getTaskById, countTasks, and pages by cursor. The work is in find.ts. */
import type { Duration } from "./duration.ts";
import type { TaskFilter } from "./filters/filter.ts";
import { countTasksIn, getTaskByIdIn, searchTaskPageIn, searchTasksIn } from "./find.ts";
import { defaultInstance } from "./instance.ts";
import type { Task } from "./task.ts";
import { TaskStatus } from "./task.ts";

export type { Task };
export { TaskStatus };

/** A half-open range of time: `start` is included, `end` is not. */
export interface DateRange {
  start?: Date;
  end?: Date;
}

/**
 * What tasks are sorted by. Only tasks that have such a value are listed: none that has not started by `startedAt`. By
 * `relevance`, those that answer the texts asked for best, among the newest 1,000 that fit; only where a text is asked for.
 */
export type TaskSortField =
  | "createdAt"
  | "updatedAt"
  | "startedAt"
  | "completedAt"
  | "dueAt"
  | "duration"
  | "priority"
  | "relevance"
  | "id";

/**
 * Every filter given must hold. Unknown keys are refused. Beside the specified ones, all of `TaskFilter`.
 */
export interface TaskSearchOptions<Payload = any, Result = any, Attributes = any>
  extends TaskFilter<Payload, Result, Attributes> {
  createdAtRange?: DateRange;
  updatedAtRange?: DateRange;
  /** 1 to 10,000. Default 50. */
  limit?: number;
  /**
   * The most bytes of payloads, results and errors, as they are stored, that a page brings; its first task comes however
   * large it is. A page that is full of them ends before `limit`, and `nextCursor` goes on. With `updatedSince` it may be
   * exceeded by a few tasks. Default: no bound.
   */
  bytesMax?: number;
  /** Skips this many first. Default 0. For deep pages a cursor is faster and does not move. */
  offset?: number;
  /** Default 'createdAt'. */
  sortBy?: TaskSortField;
  /** Default 'desc'. Ties are broken by `id` in the same direction, so every order is total. */
  sortOrder?: "asc" | "desc";
  /** The same in one line of text: `status:failed userId:42 created:>2h "ETIMEDOUT"`. Joined to the other filters by and. */
  query?: string;
  /**
   * How long the search may look. Filters that no index serves end within it: the page then says how far it came
   * (`complete`, `searchedBackTo`). Default '1s'; 'none' for no bound.
   */
  budget?: Duration | "none";
  /** Whether definitions that have no task yet are listed, as PENDING entries of their own. Default true. */
  definitions?: boolean;
  /** A cursor of `searchTaskPage` or `definition.searchPage` with the same filters and order; takes the place of `offset`. */
  cursor?: string | undefined;
  /**
   * Only tasks that were stored or changed since: the `updatedCursor` of an earlier page, the cursor of a watcher's change,
   * or 'now', which finds nothing and says where to begin. In about the order of the changes; nothing that is committed
   * is missed, and a task may come again. Without `sortBy`, `sortOrder`, `offset` and `cursor`; only for searches.
   */
  updatedSince?: string | undefined;
}

/** A page of a search and the way to its neighbours. */
export interface TaskPage<Payload = any, Result = any> {
  tasks: Task<Payload, Result>[];
  /** Pass as `cursor` to continue after the last task; absent on the last page. */
  nextCursor?: string;
  /** Pass as `cursor` to get the page before the first task; absent on the first page. */
  previousCursor?: string;
  /**
   * False when the search's budget ran out before the page was full, and `nextCursor` goes on from there; and when texts
   * are not indexed yet, or attributes not filled in: `unindexed`, `unfilled`.
   */
  complete: boolean;
  /** Set when the next task did not fit into `bytesMax`, so that there are fewer than `limit`. */
  isCut?: true;
  /** With `updatedSince`: pass it to the next page, or later. When `complete` is false, there is more already. */
  updatedCursor?: string;
  /** Where the search came to, when it is not complete: everything on this side of it was looked at. */
  searchedBackTo?: Date;
  /** About how many tasks a search for a text has not looked at, because their texts wait to be indexed. */
  unindexed?: number;
  /** About how many tasks were judged without an attribute that their definition has gained and that waits to be filled in. */
  unfilled?: number;
  /** What would make it complete, when it is not; and when nothing was found, why nothing can fit. */
  hint?: string;
}

/**
 * Tasks that fit the options, in a total order. Definitions that have no task yet are listed too, as PENDING
 * entries with `isDefinition: true`; `definitions: false` leaves them out.
 * @throws DureError INVALID_OPTION with every problem of the options at once; INVALID_QUERY, INVALID_CURSOR
 */
export function searchTasks(options?: TaskSearchOptions): Promise<Task[]> {
  return searchTasksIn(defaultInstance(), options);
}

/** `searchTasks`, with cursors to the pages before and after; they stay valid while tasks come and go. @throws as `searchTasks` */
export function searchTaskPage(options?: TaskSearchOptions): Promise<TaskPage> {
  return searchTaskPageIn(defaultInstance(), options);
}

/**
 * How many tasks fit; exact, real tasks only, however long that takes: `summarizeTasks` keeps to a budget. `limit`, `offset`,
 * order, cursor and budget do not matter.
 * @throws DureError INVALID_OPTION, INVALID_QUERY
 */
export function countTasks(options?: TaskSearchOptions): Promise<number> {
  return countTasksIn(defaultInstance(), options);
}

/**
 * One task, or undefined. The id of a definition always answers: the definition's entry (`isDefinition: true`)
 * with the status, attempts, times, result and error of its latest task.
 */
export function getTaskById(id: string): Promise<Task | undefined> {
  return getTaskByIdIn(defaultInstance(), id);
}
