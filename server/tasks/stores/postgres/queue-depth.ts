/**
 * The limit of how many tasks may wait in a queue (`queueDepthMax`), by the kept counts. What others are storing at this
 * moment is not counted yet, so callers that enqueue together may pass it by what they enqueue.
 */
import type { NewTask } from "../../core/store.ts";
import type { Task } from "../../core/task.ts";
import type { Session } from "./connections/database.ts";
import { statement } from "./statement.ts";

export interface FullQueue {
  queue: string;
  max: number;
}

/** The queue that these new tasks would make too deep, if one. One round trip; none for tasks without a limit. */
export async function queueFullWith(
  session: Session,
  tasks: readonly NewTask[],
): Promise<FullQueue | undefined> {
  return (await readRoom(session, tasks))?.take(tasks);
}

/**
 * The queue that is too deep now that these tasks are stored, in a transaction that can still be undone.
 * @param answers null for each task that is new
 */
export async function queueOverfull(
  session: Session,
  tasks: readonly NewTask[],
  answers: readonly (Task | null)[],
): Promise<FullQueue | undefined> {
  const added = tasks.filter((task, index) => isLimited(task) && answers[index] === null);
  return (await readRoom(session, added))?.lacking(added);
}

/** What room these tasks may find, by one question; undefined where none of them has a limit. */
export async function readRoom(session: Session, tasks: readonly NewTask[]): Promise<Room | undefined> {
  const queues = new Set(tasks.filter(isLimited).map(({ queue }) => queue));
  if (queues.size === 0) return undefined;
  const rows = await session.query(waitingInQueues, [[...queues]]);
  return new Room(new Map(rows.map(([queue, count]) => [queue as string, Number(count)])));
}

function isLimited({ queueDepthMax }: NewTask): boolean {
  return queueDepthMax !== undefined;
}

/** How many tasks wait in some queues, those that have taken room since included. */
class Room {
  readonly #waiting: Map<string, number>;

  constructor(waiting: Map<string, number>) {
    this.#waiting = waiting;
  }

  /** Takes the room that tasks need, if there is some for all of them; else answers the queue that lacks it. */
  take(tasks: readonly NewTask[]): FullQueue | undefined {
    const needed = new Map<string, number>();
    for (const { queue } of tasks.filter(isLimited)) needed.set(queue, (needed.get(queue) ?? 0) + 1);
    const full = this.lacking(tasks, needed);
    if (full) return full;
    for (const [queue, count] of needed) this.#waiting.set(queue, this.#of(queue) + count);
    return undefined;
  }

  /** The first queue of tasks in which more than they allow wait, or would. @param needed how many more, by queue */
  lacking(tasks: readonly NewTask[], needed: ReadonlyMap<string, number> = new Map()): FullQueue | undefined {
    for (const { queue, queueDepthMax: max } of tasks) {
      if (max !== undefined && this.#of(queue) + (needed.get(queue) ?? 0) > max) return { queue, max };
    }
    return undefined;
  }

  #of(queue: string): number {
    return this.#waiting.get(queue) ?? 0;
  }
}

/** By `lanes_queue` and the tallies' key, so that other queues cost nothing; of changes there are few. */
export const waitingInQueues = statement(
  "waitingInQueues",
  `WITH mine AS MATERIALIZED (SELECT lane, queue FROM :schema.lanes WHERE queue = ANY($1::text[]))
  SELECT queue, sum(tasks)::bigint FROM (
    SELECT mine.queue, kept.tasks FROM mine CROSS JOIN LATERAL (
      SELECT tasks FROM :schema.tallies WHERE tallies.lane = mine.lane AND tallies.status = 1 OFFSET 0) AS kept
    UNION ALL
    SELECT mine.queue, changed.tasks FROM :schema.tally_changes AS changed JOIN mine USING (lane) WHERE changed.status = 1
  ) AS counted GROUP BY queue`,
);
