/**
 * What statements that write tasks note for the counts by the minute, as parts of them: a row for the tasks of a lane that
 * went from one state to another, and were created and ended in the same minutes. Inserts only, so that nobody waits; folded
 * by minute-tallies.ts. Tasks that are claimed, or come back, are noted nowhere: they stay where they are counted.
 */
import { minuteSql } from "../../shared/kept-counts.ts";

/** What a row of `tally_changes` that has an hour must have, or the counts by the minute are taken to lack it. */
export const byMinute = "by_minute";

const noting = "INSERT INTO :schema.minute_changes (lane, was, state, tasks, created, ended)";

/** @param tasks a table with lane and created_at */
export function notingNew(tasks: string): string {
  return `${noting} SELECT lane, NULL::smallint, 0, count(*), ${minuteSql("created_at")}, NULL::bigint FROM ${tasks} GROUP BY 1, 5`;
}

/** @param tasks a table with lane, created_at, updated_at, and the status with which each has ended */
export function notingEnded(tasks: string, status = "status"): string {
  return `${noting} SELECT lane, 0, ${status}, count(*), ${minutes} FROM ${tasks} WHERE ${status} >= 3 GROUP BY 1, 3, 5, 6`;
}

/** @param tasks a table with lane, created_at, updated_at and status, all of which had ended */
export function notingDeleted(tasks: string): string {
  return `${noting} SELECT lane, status, NULL::smallint, count(*), ${minutes} FROM ${tasks} GROUP BY 1, 2, 5, 6`;
}

/** New ones, of any status. @param tasks a table with lane, created_at, updated_at and status */
export function notingStored(tasks: string): string {
  const state = "CASE WHEN status >= 3 THEN status ELSE 0 END";
  return `${noting} SELECT lane, NULL::smallint, ${state}, count(*), ${minuteSql("created_at")}, CASE WHEN status >= 3 THEN ${minuteSql("updated_at")} END
    FROM ${tasks} GROUP BY 1, 3, 5, 6`;
}

/** Ready sums. @param sums a query of lane, was, state, tasks, created, ended */
export function notingSums(sums: string): string {
  return `${noting} ${sums}`;
}

const minutes = `${minuteSql("created_at")}, ${minuteSql("updated_at")}`;
