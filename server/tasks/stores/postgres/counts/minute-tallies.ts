/**
 * The counts by the minute of creation and of the end, `minute_tallies`, and by the hour of the end, `ended_tallies`: folding
 * into them what `minute_changes` have. An hour of a lane and state is one row, since what is asked of lies side by side then,
 * and a row for each minute would take ten times the room.
 */
import { allLanes } from "../../shared/hours.ts";
import { hourOfMinuteSql } from "../../shared/kept-counts.ts";
import type { Context } from "../context.ts";
import { hasty, statement } from "../statement.ts";

/** Changes that are folded in one statement. */
export const minutesFoldedMax = 10_000;

/** Held by who writes to the sums: never two at once, so that none waits for the other's rows. */
export const minutesLock =
  "pg_try_advisory_xact_lock(1148547685, hashtext('minutes ' || (SELECT tableoid FROM :schema.migrations LIMIT 1)))";

/** Folds at most so many changes; does nothing while another process does. Answers how many were folded. */
export async function foldMinutes(context: Context): Promise<number> {
  const [row] = await context.lull.query(fold);
  return row![0];
}

/** The hour of a minute since 1970, and which one of it that is: columns of `cells`. */
export const placeOfMinute = `${hourOfMinuteSql("minute")}::integer AS hour, (minute - ${hourOfMinuteSql("minute")} * 60)::smallint AS minute`;

/**
 * Parts of a statement behind `WITH`: add to the sums what `cells` has. That is a part before them, and has lane, state, hour,
 * minute, tasks and ended, each minute of a lane and state once, and those of all lanes.
 */
export const addingToMinutes = (() => {
  const key = "lane, state, hour";
  return `hours AS MATERIALIZED (
    SELECT ${key}, array_agg(minute ORDER BY minute) AS minutes, array_agg(tasks ORDER BY minute) AS tasks,
      array_agg(ended ORDER BY minute) AS ended, array_agg(-tasks ORDER BY minute) AS tasks_left,
      array_agg(-ended ORDER BY minute) AS ended_left, sum(ended) AS all_ended
    FROM cells GROUP BY ${key}),
  emptied AS (
    DELETE FROM :schema.minute_tallies AS kept USING hours WHERE kept.lane = hours.lane AND kept.state = hours.state
      AND kept.hour = hours.hour AND kept.minutes = hours.minutes AND kept.tasks = hours.tasks_left AND kept.ended = hours.ended_left
    RETURNING kept.lane, kept.state, kept.hour),
  added AS (
    INSERT INTO :schema.minute_tallies AS kept (${key}, minutes, tasks, ended)
    SELECT ${key}, minutes, tasks, ended FROM hours WHERE (${key}) NOT IN (SELECT ${key} FROM emptied) ORDER BY ${key}
    ON CONFLICT (${key}) DO UPDATE SET (minutes, tasks, ended) = (
      SELECT coalesce(array_agg(minute ORDER BY minute), '{}'), coalesce(array_agg(tasks ORDER BY minute), '{}'),
        coalesce(array_agg(ended ORDER BY minute), '{}')
      FROM (
        SELECT minute, sum(tasks)::integer AS tasks, sum(ended)::integer AS ended FROM (
          SELECT * FROM unnest(kept.minutes, kept.tasks, kept.ended)
          UNION ALL SELECT * FROM unnest(excluded.minutes, excluded.tasks, excluded.ended)) AS both_sums (minute, tasks, ended)
        GROUP BY minute HAVING sum(tasks) <> 0 OR sum(ended) <> 0) AS summed)),
  hours_emptied AS (
    DELETE FROM :schema.ended_tallies AS kept USING hours WHERE kept.lane = hours.lane AND kept.state = hours.state
      AND kept.hour = hours.hour AND kept.tasks + hours.all_ended = 0 RETURNING kept.lane, kept.state, kept.hour),
  hours_added AS (
    INSERT INTO :schema.ended_tallies AS kept (${key}, tasks)
    SELECT ${key}, all_ended FROM hours WHERE all_ended <> 0 AND (${key}) NOT IN (SELECT ${key} FROM hours_emptied) ORDER BY ${key}
    ON CONFLICT (${key}) DO UPDATE SET tasks = kept.tasks + excluded.tasks)`;
})();

/** What rows of `minute_changes` do to the sums: a query of lane, state, minute, tasks, ended. */
export function movesOf(changes: string): string {
  return `SELECT lane, moved.state, moved.minute, moved.tasks, moved.ended FROM ${changes} CROSS JOIN LATERAL (VALUES
      (was, created, -tasks, 0), (state, created, tasks, 0), (was, changes.ended, 0, -tasks), (state, changes.ended, 0, tasks)
    ) AS moved (state, minute, tasks, ended)
    WHERE moved.state IS NOT NULL AND moved.minute IS NOT NULL AND (moved.tasks <> 0 OR moved.state >= 3)`;
}

const fold = statement(
  "foldMinutes",
  `WITH free AS MATERIALIZED (SELECT ${minutesLock} AS mine),
  taken AS (
    DELETE FROM :schema.minute_changes WHERE (SELECT mine FROM free) AND ${hasty} AND ctid = ANY(ARRAY(
      SELECT ctid FROM :schema.minute_changes LIMIT ${minutesFoldedMax}))
    RETURNING lane, was, state, tasks, created, ended),
  moves AS (${movesOf("taken AS changes")}),
  cells AS MATERIALIZED (
    SELECT coalesce(lane, ${allLanes}) AS lane, state, ${placeOfMinute}, sum(tasks)::integer AS tasks, sum(ended)::integer AS ended
    FROM moves GROUP BY GROUPING SETS ((lane, state, minute), (state, minute)) HAVING sum(tasks) <> 0 OR sum(ended) <> 0),
  ${addingToMinutes}
  SELECT count(*)::integer FROM taken`,
);
