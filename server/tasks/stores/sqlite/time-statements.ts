/** The SQL of the counts by hours and minutes; see time-tallies.ts. */

/** In hours by creation and in hours by change: what waits was not changed, but for what is taken off and added besides. */
const tasksBy = {
  createdAt: "tasks",
  updatedAt: "CASE kept.state WHEN 0 THEN kept.tasks ELSE kept.changed END",
} as const;

export const keptStates = [0, 3, 4, 5] as const;

type Time = keyof typeof tasksBy;
type Stretch = "hour" | "minute";

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

export const hourSql = tallySql("Hour", "hour");
export const minuteSql = tallySql("Minute", "minute");

/** Each takes lanes as JSON, and from which stretch on, up to which. Of a lane they lie side by side, the states of each together. */
export const keptSql = { hour: keptOf("hour"), minute: keptOf("minute") } as const;

function keptOf(stretch: Stretch) {
  const within = `${stretch} >= ?2 AND ${stretch} < ?3`;
  const ofLane = `FROM ${stretch}_tallies AS kept WHERE kept.lane = value AND ${within}`;
  return {
    /** The lane, the state, the stretch, and how many tasks. */
    each: (
      time: Time,
    ) => `/* dure:keptOfLanes */ WITH lanes AS MATERIALIZED (SELECT value AS lane FROM json_each(?1))
      SELECT kept.lane, kept.state, ${stretch}, ${tasksBy[time]} FROM lanes CROSS JOIN ${stretch}_tallies AS kept
        WHERE kept.lane = lanes.lane AND ${within}`,
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
