/** The SQL of the order by duration; see duration-keys.ts. */

import { searchIndexes } from "../statements.ts";
import { withPairs } from "./search-statements.ts";

export const duration = "completed_at - started_at";

/** Of those that ran for a second or longer, of a lane and status. */
export const slowMs = 1_000;
export const slowTasks = `FROM tasks INDEXED BY tasks_slow WHERE lane = ? AND status = ? AND status >= 3
  AND ${duration} >= ${slowMs}`;

/** Of pairs as JSON the first duration of each between two; null where there is none. */
export function slowHeads(isDown: boolean): string {
  const ofPair = slowTasks
    .replace("lane = ?", "tasks.lane = pairs.lane")
    .replace("status = ?", "tasks.status = pairs.status");
  const first = `${ofPair.replace("AND status >= 3", "AND tasks.status >= 3")} AND ${duration} BETWEEN ?2 AND ?3`;
  return `${withPairs.replace("?", "?1")} SELECT (SELECT ${duration} ${first} ORDER BY ${duration} ${isDown ? "DESC" : "ASC"} LIMIT 1) FROM pairs`;
}

/**
 * What is asked of the bounds that are kept by stretches of time: those that may have tasks of the order from its place on, and
 * what the first of these took at least, or at most. `?1` and `?2` are between which durations they lie, `?3` has a bit for each
 * status; tasks of stretches before `?4`, or after it downwards, that took as long as the place's lie before the place.
 */
function boundsSql(stretch: "hour" | "minute", isDown: boolean) {
  const head = isDown
    ? `min(kept.longest, ?2 - (kept.${stretch} > ?4))`
    : `max(kept.shortest, ?1 + (kept.${stretch} < ?4))`;
  const has = isDown ? `${head} >= max(kept.shortest, ?1)` : `${head} <= min(kept.longest, ?2)`;
  const direction = isDown ? "DESC" : "ASC";
  const columns = `kept.lane, kept.state, kept.${stretch}, kept.tasks, ${head}`;
  const where = `(?3 >> kept.state) & 1 AND kept.shortest IS NOT NULL AND ${has}`;
  return { columns, where, order: `ORDER BY 5 ${direction}, 3 ${direction}` };
}

export function hoursSql(isDown: boolean): string {
  const { columns, where, order } = boundsSql("hour", isDown);
  return `/* dure:durationHours */ SELECT ${columns} FROM json_each(?5) CROSS JOIN hour_tallies AS kept
    WHERE kept.lane = value AND kept.hour BETWEEN ?6 AND ?7 AND ${where} ${order}`;
}

/** Of a lane, whose minutes lie apart. */
export function minutesSql(isDown: boolean): string {
  const { columns, where, order } = boundsSql("minute", isDown);
  return `/* dure:durationMinutes */ WITH RECURSIVE minutes (at) AS (
      VALUES (?6) UNION ALL SELECT at + 1 FROM minutes WHERE at < ?7)
    SELECT ${columns} FROM minutes CROSS JOIN minute_tallies AS kept WHERE kept.minute = at AND kept.lane = ?5 AND ${where} ${order}`;
}

/** Of a minute, each lane. */
export function lanesSql(isDown: boolean): string {
  const { columns, where, order } = boundsSql("minute", isDown);
  return `/* dure:durationLanes */ SELECT ${columns} FROM minute_tallies AS kept WHERE kept.minute = ?5 AND kept.lane <> 0 AND ${where} ${order}`;
}

const { index, key, condition } = searchIndexes.created;

/** Tasks of a lane and status that were created between two instants and took so long; `beyond` the search's place. */
export function tasksSql(isDown: boolean, hasPlace: boolean): string {
  const [direction, than] = isDown ? ["DESC", "<"] : ["ASC", ">"];
  const beyond = hasPlace ? ` AND (${duration}, id) ${than} (?10, ?11)` : "";
  return `/* dure:durationTasks */ SELECT ${duration}, id, seq FROM tasks INDEXED BY ${index}
    WHERE lane = ?1 AND ${condition.replace("?", "?2")} AND ${key} >= ?3 AND ${key} < ?4 AND updated_at >= ?5 AND updated_at < ?6
      AND ${duration} BETWEEN ?7 AND ?8${beyond} ORDER BY ${duration} ${direction}, id ${direction} LIMIT ?9`;
}

const late = searchIndexes.lateUpdated;

/** Of pairs as JSON those that were last changed in a range, and created long before it. */
export const lateSql = `${withPairs.replace("?", "?1")} SELECT ${duration}, id, seq FROM pairs CROSS JOIN tasks INDEXED BY ${late.index}
  WHERE tasks.lane = pairs.lane AND ${late.condition.replaceAll("status", "tasks.status").replace("?", "pairs.status")}
    AND updated_at >= ?2 AND updated_at < ?3 AND created_at >= ?4 AND created_at < ?5 AND started_at IS NOT NULL LIMIT ?6`;
