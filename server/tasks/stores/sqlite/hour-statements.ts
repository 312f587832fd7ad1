/** The SQL of the counts by the hour of creation; see hour-tallies.ts. */
export const tallySql = {
  addToHour: `/* dure:addToHour */ INSERT INTO hour_tallies (tasks, lane, state, hour) VALUES (?, ?, ?, ?)
    ON CONFLICT DO UPDATE SET tasks = tasks + excluded.tasks`,
  takeFromHour: `/* dure:takeFromHour */ UPDATE hour_tallies SET tasks = tasks + ?1
    WHERE lane = ?2 AND state = ?3 AND hour = ?4 RETURNING tasks`,
  /** Of pairs as JSON, `[lane, state, group]` each. */
  sumsOfHours: `/* dure:sumsOfHours */ WITH pairs AS MATERIALIZED (
      SELECT value ->> 0 AS lane, value ->> 1 AS state, value ->> 2 AS number FROM json_each(?1))
    SELECT number, hour, sum(tasks) FROM pairs CROSS JOIN hour_tallies AS kept
      WHERE kept.lane = pairs.lane AND kept.state = pairs.state AND hour >= ?2 AND hour < ?3 GROUP BY number, hour`,
  createdInHours: `/* dure:createdInHours */ SELECT coalesce(sum(tasks), 0) FROM hour_tallies
    WHERE lane = 0 AND state IN (0, 3, 4, 5) AND hour BETWEEN ? AND ?`,
  deleteHour: "/* dure:deleteHour */ DELETE FROM hour_tallies WHERE lane = ? AND state = ? AND hour = ?",
} as const;
