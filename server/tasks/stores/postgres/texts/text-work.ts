/** Where tasks lie whose texts are to be indexed: `text_work`, as parts of statements. */

/** An hour, in milliseconds: what lies closer together is one piece of work. */
export const pieceMs = 3_600_000;

/** Whether the text of a task is not indexed as the task is now. */
export const isNotIndexed =
  "(SELECT texts.version FROM :schema.texts WHERE texts.task_id = tasks.id) IS DISTINCT FROM tasks.version";

/** Notes work that nobody has begun on. @param work a query of lane, status, tasks, first_at, last_at */
export function notingWork(work: string): string {
  return `INSERT INTO :schema.text_work AS kept (hour, lane, status, first_at, last_at, tasks)
    SELECT hour, lane, status, min(first_at), max(last_at), sum(tasks) FROM (
      SELECT *, first_at / ${pieceMs} AS hour FROM (${work}) AS work) AS pieces
    GROUP BY hour, lane, status ORDER BY hour, lane, status
    ON CONFLICT (hour, lane, status) WHERE taken_at IS NULL DO UPDATE SET
      first_at = least(kept.first_at, excluded.first_at), last_at = greatest(kept.last_at, excluded.last_at),
      tasks = kept.tasks + excluded.tasks`;
}
