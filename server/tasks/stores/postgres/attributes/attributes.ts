/**
 * What other statements do to the rows of `attributes`, as parts of them (WITH … AS): each task tells its keys and its
 * creation, so every row is found by its whole key, and a task without attributes costs nothing.
 */

import { few } from "../statement.ts";
import { isFound } from "./attribute-values.ts";
import { isNoted } from "./attribute-work.ts";

/** Rows of `attributes` that were filled in while their task was RUNNING, and whose state says nothing. */
export const unknownState = 2;

/**
 * Tells the rows of tasks that their status has changed: `left` and `entered`. A row may be missing, or be written at this moment by whoever
 * indexes, so the new one is there in any case; what stays of the old is removed by them.
 * @param tasks a table with id, created_at and attributes of each task, and what `from` and `to` need, by `task.`
 */
export function movingAttributes(tasks: string, from: string, to: string): string {
  return `moving AS MATERIALIZED (
    SELECT task.id, task.created_at, own.key, (${from})::smallint AS from_state, (${to})::smallint AS to_state
    FROM ${tasks} AS task CROSS JOIN LATERAL unnest(task.attributes) AS own (key)
    WHERE task.attributes IS NOT NULL AND ${isFound("own.key")}),
  left_state AS (DELETE FROM :schema.attributes USING moving AS entry WHERE ${isEntry} AND attributes.state = entry.from_state),
  entered_state AS (INSERT INTO :schema.attributes (created_at, state, key, task_id)
    SELECT created_at, to_state, key, id FROM moving ON CONFLICT DO NOTHING)`;
}

/**
 * Deletes the rows of tasks: `unfound`, and `leavings` for those that may be written at this moment.
 * @param tasks a table with lane, id, created_at, status and attributes
 */
export function deletingAttributes(tasks: string): string {
  return `unfound AS (DELETE FROM :schema.attributes USING (
      SELECT task.id, task.created_at, own.key, states.state AS from_state
      FROM ${tasks} AS task CROSS JOIN LATERAL (VALUES (${stateOf("task.status")}), (${unknownState}::smallint)) AS states (state)
        CROSS JOIN LATERAL unnest(task.attributes) AS own (key)
      WHERE task.attributes IS NOT NULL OFFSET 0) AS entry WHERE ${isEntry} AND attributes.state = entry.from_state),
  leavings AS (INSERT INTO :schema.attribute_leavings (lane, created_at, task_id, keys)
    SELECT lane, created_at, id, attributes FROM ${tasks} AS task WHERE attributes IS NOT NULL AND ${isNoted("task")})`;
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

/** Of entries that are made apart from the rows they are joined to: else these would be looked for by a part of their key. */
const isEntry = `attributes.key = entry.key AND attributes.created_at = entry.created_at
      AND attributes.task_id = entry.id AND ${few("entry.created_at")}`;
