-- How long the shortest and the longest task of each minute and hour of the counts ran, so that an order by duration finds those that
-- may be first. Older workers must have stopped: what they end would be missing in them. Reading what is there takes some
-- five seconds for each million of tasks.

-- In milliseconds, of tasks of the lane that were created then and have ended in the state; null where none of them had started.
-- Of tasks that were deleted too: no task that is there ran for less, or for longer.
ALTER TABLE minute_tallies ADD COLUMN shortest INTEGER;
ALTER TABLE minute_tallies ADD COLUMN longest INTEGER;
ALTER TABLE hour_tallies ADD COLUMN shortest INTEGER;
ALTER TABLE hour_tallies ADD COLUMN longest INTEGER;

-- In the order of the table, so that nothing is sorted.
INSERT INTO minute_tallies (lane, minute, state, tasks, changed, shortest, longest)
  SELECT lane, (created_at + 62135596800000) / 60000 - 1035593280, status, 0, 0, completed_at - started_at, completed_at - started_at
  FROM tasks NOT INDEXED WHERE status >= 3 AND started_at IS NOT NULL
  ON CONFLICT DO UPDATE SET shortest = min(coalesce(shortest, excluded.shortest), excluded.shortest),
    longest = max(coalesce(longest, excluded.longest), excluded.longest);

-- Of each of these there are counts already.
INSERT INTO minute_tallies (lane, minute, state, tasks, changed, shortest, longest)
  SELECT 0, minute, state, 0, 0, min(shortest), max(longest) FROM minute_tallies WHERE shortest IS NOT NULL GROUP BY 2, 3
  ON CONFLICT DO UPDATE SET shortest = excluded.shortest, longest = excluded.longest;
INSERT INTO hour_tallies (lane, hour, state, tasks, changed, shortest, longest)
  SELECT lane, (minute + 1035593280) / 60 - 17259888, state, 0, 0, min(shortest), max(longest)
  FROM minute_tallies WHERE shortest IS NOT NULL GROUP BY 1, 2, 3
  ON CONFLICT DO UPDATE SET shortest = excluded.shortest, longest = excluded.longest;
