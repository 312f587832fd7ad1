/** The SQL of the counts by hours and minutes; see time-tallies.ts. */

/** In hours by creation and in hours by change: what waits was not changed, but for what is taken off and added besides. */
const tasksBy = {
  createdAt: "tasks",
  updatedAt: "CASE kept.state WHEN 0 THEN kept.tasks ELSE kept.changed END",
} as const;

export const keptStates = [0, 3, 4, 5] as const;

const ofPairs = `WITH pairs AS MATERIALIZED
  (SELECT value ->> 0 AS lane, value ->> 1 AS state, value ->> 2 AS number FROM json_each(?1))`;
const whole = "kept.lane = pairs.lane AND kept.state = pairs.state AND hour >= ?2 AND hour < ?3";

function tallySql(name: string, stretch: "hour" | "minute") {
  const place = `lane = ? AND state = ? AND ${stretch} = ?`;
  return {
    add: `/* dure:addTo${name} */ INSERT INTO ${stretch}_tallies (tasks, changed, lane, state, ${stretch}) VALUES (?, ?, ?, ?, ?)
      ON CONFLICT DO UPDATE SET tasks = tasks + excluded.tasks, changed = changed + excluded.changed`,
    take: `/* dure:takeFrom${name} */ UPDATE ${stretch}_tallies SET tasks = tasks + ?, changed = changed + ?
      WHERE ${place} RETURNING tasks, changed`,
    delete: `/* dure:delete${name} */ DELETE FROM ${stretch}_tallies WHERE ${place}`,
  } as const;
}

export const hourSql = tallySql("Hour", "hour");
export const minuteSql = tallySql("Minute", "minute");

/** The hours of pairs as JSON, `[lane, state, group]` each: the group, the hour, and how many tasks, not added up. */
export function hoursOfPairs(time: keyof typeof tasksBy): string {
  return `/* dure:hoursOfPairs */ ${ofPairs}
    SELECT number, hour, ${tasksBy[time]} FROM pairs CROSS JOIN hour_tallies AS kept WHERE ${whole}`;
}

/** The same, where only the sum of each pair is asked for: the hour is the first one. */
export function sumsOfPairs(time: keyof typeof tasksBy): string {
  return `/* dure:sumsOfPairs */ ${ofPairs}
    SELECT number, ?2, (SELECT coalesce(sum(${tasksBy[time]}), 0) FROM hour_tallies AS kept WHERE ${whole}) FROM pairs`;
}

/** Of lanes as JSON: the lane, and as JSON how many tasks of each of `keptStates` are in some minutes. */
export function minuteSumsOfLanes(time: keyof typeof tasksBy): string {
  const sums = keptStates.map((state) => `sum(${tasksBy[time]}) FILTER (WHERE kept.state = ${state})`);
  return `/* dure:minuteSumsOfLanes */ SELECT value, (SELECT json_array(${sums}) FROM minute_tallies AS kept
    WHERE kept.lane = value AND minute >= ?2 AND minute < ?3) FROM json_each(?1)`;
}

/** The minutes of lanes as JSON: the lane, the state, the minute, and how many tasks. */
export function minutesOfLanes(time: keyof typeof tasksBy): string {
  return `/* dure:minutesOfLanes */ WITH lanes AS MATERIALIZED (SELECT value AS lane FROM json_each(?1))
    SELECT kept.lane, kept.state, minute, ${tasksBy[time]} FROM lanes CROSS JOIN minute_tallies AS kept
      WHERE kept.lane = lanes.lane AND minute >= ?2 AND minute < ?3`;
}
