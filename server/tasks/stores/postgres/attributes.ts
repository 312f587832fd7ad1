/**
 * What other statements do to the rows of `attributes`, as parts of them (WITH … AS): each task tells its keys and its
 * creation, so every row is found by its whole key, and a task without attributes costs nothing.
 */
import { isFound } from "./attribute-values.ts";
import { few } from "./statement.ts";

/** Rows of `attributes` that were filled in while their task was RUNNING, and whose state says nothing. */
export const unknownState = 2;

/**
 * Tells the rows of tasks that their status has changed.
 * @param tasks a table with id, created_at and attributes of each task, and what `from` and `to` need, by `task.`
 */
export function movingAttributes(tasks: string, from: string, to: string): string {
  const entries = entriesOf(
    `${tasks} AS task`,
    `(${from})::smallint AS from_state, (${to})::smallint AS to_state`,
  );
  return `UPDATE :schema.attributes SET state = to_state FROM ${entries} WHERE ${isEntry} AND attributes.state = from_state`;
}

/** Deletes the rows of tasks. @param tasks as `movingAttributes`, with `status` */
export function deletingAttributes(tasks: string): string {
  const entries = entriesOf(
    `${tasks} AS task CROSS JOIN LATERAL (VALUES (${stateOf("task.status")}), (${unknownState}::smallint)) AS states (state)`,
    "states.state AS from_state",
  );
  return `DELETE FROM :schema.attributes USING ${entries} WHERE ${isEntry} AND attributes.state = from_state`;
}

/** Adds rows of tasks. @param tasks a table with id, created_at and these keys of each task */
export function addingAttributes(tasks: string, keys: string, state: string): string {
  return `INSERT INTO :schema.attributes (created_at, state, key, task_id)
    SELECT task.created_at, ${state}, own.key, task.id
    FROM ${tasks} AS task CROSS JOIN LATERAL unnest(${keys}) AS own (key)
    WHERE ${keys} IS NOT NULL AND ${isFound("own.key")}
    ON CONFLICT DO NOTHING`;
}

/** The state that goes with a stored status. */
export function stateOf(status: string): string {
  return `(CASE WHEN ${status} >= 3 THEN ${status} ELSE 0 END)::smallint`;
}

/** The keys of tasks, apart from the rows they are joined to: else these would be looked for by a part of their key. */
function entriesOf(tasks: string, states: string): string {
  return `(SELECT task.id, task.created_at, own.key, ${states}
      FROM ${tasks} CROSS JOIN LATERAL unnest(task.attributes) AS own (key)
      WHERE task.attributes IS NOT NULL OFFSET 0) AS entry`;
}

const isEntry = `attributes.key = entry.key AND attributes.created_at = entry.created_at
      AND attributes.task_id = entry.id AND ${few("entry.created_at")}`;
