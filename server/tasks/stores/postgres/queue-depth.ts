/**
 * The limit of how many tasks may wait in a queue (`queueDepthMax`), by the kept counts. What others are storing at this
 * moment is not counted yet, so callers that enqueue together may pass it by what they enqueue.
 */
import type { NewTask } from "../../core/store.ts";
import type { Task } from "../../core/task.ts";
import type { Session } from "./database.ts";
import { statement } from "./statement.ts";

export interface FullQueue {
  queue: string;
  max: number;
}

/** The queue that these new tasks would make too deep, if one. One round trip; none for tasks without a limit. */
export function queueFullWith(
  session: Session,
  tasks: readonly NewTask[],
): FullQueue | undefined | Promise<FullQueue | undefined> {
  return tasks.some(isLimited) ? findFull(session, tasks, 1) : undefined;
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
  return added.length > 0 ? findFull(session, added, 0) : undefined;
}

function isLimited({ queueDepthMax }: NewTask): boolean {
  return queueDepthMax !== undefined;
}

/** @param share 1 when the tasks are to be added to what is counted, 0 when they are in it */
async function findFull(
  session: Session,
  tasks: readonly NewTask[],
  share: 0 | 1,
): Promise<FullQueue | undefined> {
  const limits = new Map<string, { max: number; coming: number }>();
  for (const { queue, queueDepthMax: max } of tasks) {
    if (max === undefined) continue;
    const known = limits.get(queue);
    if (known) known.coming += share;
    else limits.set(queue, { max, coming: share });
  }
  const rows = await session.query(waitingInQueues, [[...limits.keys()]]);
  const waiting = new Map(rows.map(([queue, count]) => [queue as string, Number(count)]));
  for (const [queue, { max, coming }] of limits) {
    if ((waiting.get(queue) ?? 0) + coming > max) return { queue, max };
  }
  return undefined;
}

/** Of lanes there are few, so they are looked through; the sums are of rows by their key and of the few changes. */
const waitingInQueues = statement(
  "waitingInQueues",
  `SELECT queue, sum(tasks)::bigint AS tasks FROM :schema.lanes JOIN (
    SELECT lane, tasks FROM :schema.tallies WHERE status = 1
    UNION ALL SELECT lane, tasks FROM :schema.tally_changes WHERE status = 1
  ) AS counted USING (lane) WHERE queue = ANY($1::text[]) GROUP BY queue`,
);
