/** The SQL of the order by duration; see duration-keys.ts. */
import { briefMs } from "../counts/brief-hours.ts";
import { searchIndexes } from "../statements.ts";
import { withPairs } from "./search-statements.ts";

export const duration = "completed_at - started_at";
export const durationIndex = "tasks_duration";

/** Tasks of a lane and status that the index has, as it says it itself. */
function indexed(lane: string, status: string): string {
  return `FROM tasks INDEXED BY ${durationIndex} WHERE tasks.lane = ${lane} AND tasks.status = ${status} AND tasks.status >= 3
    AND started_at IS NOT NULL AND (own_id = 1 OR ${duration} NOT BETWEEN 0 AND ${briefMs - 1})`;
}

export const indexedTasks = indexed("?", "?");

function orderOf(isDown: boolean): string {
  const direction = isDown ? "DESC" : "ASC";
  return `ORDER BY ${duration} ${direction}, id ${direction}`;
}

function beyond(isDown: boolean): string {
  return `(${duration}, id) ${isDown ? "<" : ">"} (?, ?)`;
}

/** Of pairs as JSON the first duration of each between two; null where there is none. */
export function indexedHeads(isDown: boolean): string {
  const first = `SELECT ${duration} ${indexed("pairs.lane", "pairs.status")} AND ${duration} BETWEEN ? AND ?
    ${orderOf(isDown)} LIMIT 1`;
  return `${withPairs} SELECT (${first}) FROM pairs`;
}

/** Takes lane, status and two durations; and the place that it goes on from. */
export function indexedKeys(isDown: boolean, hasPlace: boolean): string {
  return `/* dure:indexedDurations */ SELECT ${duration}, id, seq ${indexedTasks} AND ${duration} BETWEEN ? AND ?
    ${hasPlace ? `AND ${beyond(isDown)}` : ""} ${orderOf(isDown)}`;
}

/** Where so many of them end, at the OFFSET that is its last value. */
export function indexedEdge(isDown: boolean, hasPlace: boolean): string {
  return `${indexedKeys(isDown, hasPlace).replace(", seq", "")} LIMIT 1 OFFSET ?`;
}

/** Those of so many that meet conditions; in order, since nothing is sorted outside. The creation of ids that were chosen is in the row. */
export function indexedWithin(isDown: boolean, hasPlace: boolean, conditions: readonly string[]): string {
  const columns = conditions.some((condition) => condition.startsWith("created_at")) ? ", created_at" : "";
  const passed = indexedKeys(isDown, hasPlace).replace(
    `${duration}, id, seq`,
    `${duration} AS took, id, seq, updated_at${columns}`,
  );
  return `SELECT took, id, seq FROM (${passed} LIMIT ?) WHERE ${conditions.join(" AND ")}`;
}

const { created, lateUpdated } = searchIndexes;

/** Of pairs as JSON, those created between two instants and changed between two, which took between so long; takes the place, and how many. */
export function fewTasks(isDown: boolean, hasPlace: boolean): string {
  return `${withPairs} SELECT ${duration}, id, seq FROM pairs CROSS JOIN tasks INDEXED BY ${created.index}
    WHERE tasks.lane = pairs.lane AND ${created.condition.replaceAll("status", "tasks.status").replace("?", "pairs.status")}
      AND created_at >= ? AND created_at < ? AND updated_at >= ? AND updated_at < ? AND ${duration} BETWEEN ? AND ?
      ${hasPlace ? `AND ${beyond(isDown)}` : ""} ${orderOf(isDown)} LIMIT ?`;
}

/** Of pairs as JSON those that were last changed in a range, and created long before it. */
export const lateTasks = `${withPairs.replace("?", "?1")} SELECT ${duration}, id, seq, own_id FROM pairs CROSS JOIN tasks INDEXED BY ${lateUpdated.index}
  WHERE tasks.lane = pairs.lane AND ${lateUpdated.condition.replaceAll("status", "tasks.status").replace("?", "pairs.status")}
    AND updated_at >= ?2 AND updated_at < ?3 AND created_at >= ?4 AND created_at < ?5 AND started_at IS NOT NULL LIMIT ?6`;

function briefPlaces(lane: string, status: string, which: string): string {
  return `FROM brief_hours AS kept WHERE kept.lane = ${lane} AND kept.status = ${status} AND ${which}`;
}

/** Of pairs as JSON the first of each from a place on, of durations up to one; as one number, the hour times `briefMs`, and the duration. */
export function briefHeads(isDown: boolean): string {
  const which = isDown
    ? "(duration, hour) <= (?, ?) AND duration >= ? ORDER BY duration DESC, hour DESC"
    : "(duration, hour) >= (?, ?) AND duration <= ? ORDER BY duration, hour";
  const first = `SELECT hour * ${briefMs} + duration ${briefPlaces("pairs.lane", "pairs.status", which)} LIMIT 1`;
  return `${withPairs} SELECT (${first}) FROM pairs`;
}

/** The hours of a pair and duration between two, so many of them. */
export function briefHours(isDown: boolean): string {
  const which = `duration = ? AND hour BETWEEN ? AND ? ORDER BY hour ${isDown ? "DESC" : "ASC"}`;
  return `/* dure:briefHours */ SELECT hour ${briefPlaces("?", "?", which)} LIMIT ?`;
}

/** The duration of a pair that is next to one, up to another. */
export function briefNext(isDown: boolean): string {
  const which = isDown
    ? "duration < ? AND duration >= ? ORDER BY duration DESC"
    : "duration > ? AND duration <= ? ORDER BY duration";
  return `/* dure:briefNext */ SELECT duration ${briefPlaces("?", "?", which)} LIMIT 1`;
}

/** How many tasks of a lane were created in an hour and have ended with a status. */
export const endedInHour =
  "/* dure:endedInHour */ SELECT tasks FROM hour_tallies WHERE lane = ? AND hour = ? AND state = ?";

/**
 * Of so many tasks of a lane and status that were created between two instants, those that were changed between two and took so long: as
 * many as are wanted. An index walk begins at one bound: with a place, an instant and an id, that is in the stead of the instant where
 * it begins.
 */
export function briefTasks(isDown: boolean, hasPlace: boolean): string {
  const columns = `created_at, id, seq, updated_at, ${duration} AS took`;
  const passed = `${createdIn(columns, isDown, hasPlace)} ${createdOrder(isDown)}`;
  return `/* dure:briefTasks */ SELECT took, id, seq, created_at FROM (${passed} LIMIT ?)
    WHERE updated_at >= ? AND updated_at < ? AND took = ? LIMIT ?`;
}

/** The same, however many are passed over, for a third less each. @param changed conditions on the latest change */
export function briefTasksOfFew(isDown: boolean, hasPlace: boolean, changed: readonly string[]): string {
  const conditions = [`${duration} = ?`, ...changed].join(" AND ");
  return `/* dure:briefTasks */ ${createdIn(`${duration}, id, seq, created_at`, isDown, hasPlace)}
    AND ${conditions} ${createdOrder(isDown)} LIMIT ?`;
}

/** Where so many of them end, whatever they took, at the OFFSET that is its last value. */
export function briefEdge(isDown: boolean, hasPlace: boolean): string {
  return `/* dure:briefEdge */ ${createdIn("created_at, id", isDown, hasPlace)} ${createdOrder(isDown)} LIMIT 1 OFFSET ?`;
}

function createdIn(columns: string, isDown: boolean, hasPlace: boolean): string {
  const place = `(created_at, id) ${isDown ? "<" : ">"} (?, ?)`;
  const from = hasPlace && !isDown ? place : "created_at >= ?";
  const to = hasPlace && isDown ? place : "created_at < ?";
  return `SELECT ${columns} FROM tasks INDEXED BY ${created.index} WHERE lane = ? AND ${created.condition} AND ${from} AND ${to}`;
}

function createdOrder(isDown: boolean): string {
  const direction = isDown ? "DESC" : "ASC";
  return `ORDER BY created_at ${direction}, id ${direction}`;
}

/** The first and the last minute in which any task was created or changed; 0 without one. */
export const minutesOfTasks = `/* dure:minutesOfTasks */ SELECT coalesce((SELECT min(minute) FROM minute_tallies), 0),
  coalesce((SELECT max(minute) FROM minute_tallies), 0)`;
