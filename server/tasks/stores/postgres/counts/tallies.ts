/** The counts: `tallies`, `hour_tallies`, and the changes not yet folded into them. Folding keeps the changes few, so that sums stay cheap. */
import { allLanes } from "../../shared/hours.ts";
import type { Context } from "../context.ts";
import { hasty, statement } from "../statement.ts";
import { notingWork } from "../texts/text-work.ts";

/** The sums over both tables, where they are not zero. Joins as a table of (lane, status, tasks). */
export const sums = `SELECT lane, status, sum(tasks)::bigint AS tasks FROM (
    SELECT lane, status, tasks FROM :schema.tallies UNION ALL SELECT lane, status, tasks FROM :schema.tally_changes
  ) AS counted GROUP BY lane, status HAVING sum(tasks) <> 0`;

/** Changes that are folded in one statement. */
export const talliesFoldedMax = 10_000;

/** Folds at most so many changes, and notes where texts are to be indexed; does nothing while another process does. Answers how many were folded. */
export async function foldTallies(context: Context): Promise<number> {
  const [row] = await context.lull.query(fold);
  return row![0];
}

const fold = statement(
  "foldTallies",
  `WITH free AS MATERIALIZED (SELECT pg_try_advisory_xact_lock(1148547685, hashtext('tallies ' || (SELECT tableoid FROM :schema.migrations LIMIT 1))) AS mine),
  taken AS (
    DELETE FROM :schema.tally_changes WHERE (SELECT mine FROM free) AND ${hasty} AND ctid = ANY(ARRAY(
      SELECT ctid FROM :schema.tally_changes LIMIT ${talliesFoldedMax}))
    RETURNING lane, status, tasks, hour, first_at, last_at),
  noted AS (${notingWork("SELECT lane, status, tasks, first_at, last_at FROM taken WHERE first_at IS NOT NULL")}),
  folded AS (
    INSERT INTO :schema.tallies AS kept (lane, status, tasks)
    SELECT lane, status, sum(tasks) FROM taken GROUP BY lane, status ORDER BY lane, status
    ON CONFLICT (lane, status) DO UPDATE SET tasks = kept.tasks + excluded.tasks),
  hours AS MATERIALIZED (
    SELECT coalesce(lane, ${allLanes}) AS lane, state, hour, sum(tasks) AS tasks
    FROM (SELECT lane, CASE WHEN status >= 3 THEN status ELSE 0 END AS state, hour, tasks FROM taken WHERE hour IS NOT NULL) AS own
    GROUP BY GROUPING SETS ((lane, state, hour), (state, hour)) HAVING sum(tasks) <> 0),
  emptied AS (
    DELETE FROM :schema.hour_tallies AS kept USING hours WHERE kept.lane = hours.lane AND kept.state = hours.state
      AND kept.hour = hours.hour AND kept.tasks + hours.tasks = 0 RETURNING kept.lane, kept.state, kept.hour),
  folded_hours AS (
    INSERT INTO :schema.hour_tallies AS kept (lane, state, hour, tasks)
    SELECT lane, state, hour, tasks FROM hours
    WHERE (lane, state, hour) NOT IN (SELECT lane, state, hour FROM emptied) ORDER BY lane, state, hour
    ON CONFLICT (lane, state, hour) DO UPDATE SET tasks = kept.tasks + excluded.tasks)
  SELECT count(*)::integer FROM taken`,
);
