/** The SQL of the counts by minutes, hours and days; see time-tallies.ts. */
import { allLanes } from "../../shared/hours.ts";

/** In hours by creation and in hours by change: what waits was not changed, but for what is taken off and added besides. */
const tasksBy = {
  createdAt: "tasks",
  updatedAt: "CASE kept.state WHEN 0 THEN kept.tasks ELSE kept.changed END",
} as const;

export const keptStates = [0, 3, 4, 5] as const;

type Time = keyof typeof tasksBy;
type Stretch = "hour" | "minute" | "day";

function tallySql(name: string, stretch: Stretch) {
  const place = `lane = ? AND state = ? AND ${stretch} = ?`;
  return {
    add: `/* dure:addTo${name} */ INSERT INTO ${stretch}_tallies (tasks, changed, lane, state, ${stretch}) VALUES (?, ?, ?, ?, ?)
      ON CONFLICT DO UPDATE SET tasks = tasks + excluded.tasks, changed = changed + excluded.changed`,
    take: `/* dure:takeFrom${name} */ UPDATE ${stretch}_tallies SET tasks = tasks + ?, changed = changed + ?
      WHERE ${place} RETURNING tasks, changed`,
    delete: `/* dure:delete${name} */ DELETE FROM ${stretch}_tallies WHERE ${place}`,
  } as const;
}

/** Days are kept by triggers. */
export const hourSql = tallySql("Hour", "hour");
export const minuteSql = tallySql("Minute", "minute");

/** Each takes lanes as JSON, and from which stretch on, up to which; but those of all lanes take no lanes. */
export const keptSql = { hour: byLane("hour"), minute: byTime("minute"), day: byTime("day") } as const;

/** Of a lane all lie side by side, the states of each stretch together. */
function byLane(stretch: Stretch) {
  const within = `${stretch} >= ?2 AND ${stretch} < ?3`;
  const ofLane = `FROM ${stretch}_tallies AS kept WHERE kept.lane = value AND ${within}`;
  return {
    /** The lane, and as JSON two lists: `stretch * 8 + state`, and how many tasks. */
    each: (
      time: Time,
    ) => `/* dure:keptOfLanes */ SELECT value, (SELECT json_array(json_group_array(${stretch} * 8 + kept.state),
      json_group_array(${tasksBy[time]})) ${ofLane}) FROM json_each(?1)`,
    /** The lane, and as JSON two lists: stretches, and how many tasks of all states there are in each. */
    eachOfAll: (
      time: Time,
    ) => `/* dure:keptOfLanes */ SELECT value, (SELECT json_array(json_group_array(${stretch}), json_group_array(tasks))
      FROM (SELECT ${stretch}, sum(${tasksBy[time]}) AS tasks ${ofLane} GROUP BY ${stretch})) FROM json_each(?1)`,
    /** The lane, and as JSON how many tasks there are of each of `keptStates`. */
    sums: (time: Time) => {
      const sums = keptStates.map((state) => `sum(${tasksBy[time]}) FILTER (WHERE kept.state = ${state})`);
      return `/* dure:keptSums */ SELECT value, (SELECT json_array(${sums}) ${ofLane}) FROM json_each(?1)`;
    },
    /** The lane, and how many tasks of all states. */
    sumsOfAll: (time: Time) =>
      `/* dure:keptSums */ SELECT value, (SELECT coalesce(sum(${tasksBy[time]}), 0) ${ofLane}) FROM json_each(?1)`,
  } as const;
}

/**
 * All lanes of a stretch lie side by side. Of all lanes they are read in one go, of some the stretches that there are one by one.
 * Gives the stretch, or the first one for the whole, and as JSON two lists: `lane * 8 + state`, and how many tasks.
 */
function byTime(stretch: Stretch) {
  const lists = (time: Time) =>
    `json_array(json_group_array(kept.lane * 8 + kept.state), json_group_array(${tasksBy[time]}))`;
  const ofAll = `FROM ${stretch}_tallies AS kept WHERE ${stretch} >= ?1 AND ${stretch} < ?2 AND kept.lane <> ${allLanes}`;
  const next = (bound: string) =>
    `SELECT min(${stretch}) FROM ${stretch}_tallies WHERE ${stretch} ${bound} AND ${stretch} < ?3`;
  const stretches = `WITH RECURSIVE stretches (at) AS (
      ${next(">= ?2")} UNION ALL SELECT (${next("> at")}) FROM stretches WHERE at IS NOT NULL)`;
  const ofLanes = `FROM json_each(?1) CROSS JOIN ${stretch}_tallies AS kept WHERE kept.${stretch} = at AND kept.lane = value`;
  return {
    eachOfAllLanes: (time: Time) =>
      `/* dure:keptOfAllLanes */ SELECT ${stretch}, ${lists(time)} ${ofAll} GROUP BY ${stretch}`,
    sumsOfAllLanes: (time: Time) => `/* dure:keptSums */ SELECT ?1, ${lists(time)} ${ofAll}`,
    each: (time: Time) => `/* dure:keptOfLanes */ ${stretches}
      SELECT at, (SELECT ${lists(time)} ${ofLanes}) FROM stretches WHERE at IS NOT NULL`,
  } as const;
}
