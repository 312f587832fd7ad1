-- The order by duration from any bound. An index has every task that ran for 64 ms or longer, where it had those of a second; of
-- the others, by which a busy worker is measured, it is kept in which hours there are some of each duration, and the index of their
-- creation tells how long they ran. Bounds of durations by the minute and the hour are not kept any more. Older workers must have
-- stopped: they keep those bounds. Reading what is there takes some ten seconds for each million of tasks.

DROP INDEX tasks_slow;
CREATE INDEX tasks_duration ON tasks (lane, status, completed_at - started_at, id, updated_at)
  WHERE status >= 3 AND started_at IS NOT NULL AND (own_id = 1 OR completed_at - started_at NOT BETWEEN 0 AND 63);

DROP INDEX tasks_lane_created;
CREATE INDEX tasks_lane_created ON tasks (lane, status, created_at, id, updated_at, completed_at - started_at)
  WHERE status <> 2 AND version > 1;

-- In milliseconds, and in hours since 1970: tasks of the lane that were created then and have ended with the status ran so long. Of tasks that
-- were deleted too, until the hour has none. Of chosen ids the index has all.
CREATE TABLE brief_hours (
  lane INTEGER NOT NULL,
  status INTEGER NOT NULL,
  duration INTEGER NOT NULL,
  hour INTEGER NOT NULL,
  PRIMARY KEY (lane, status, duration, hour)
) STRICT, WITHOUT ROWID;

-- 17259888 hours lie between year 1 and 1970: what is before 1970 is rounded down too.
INSERT OR IGNORE INTO brief_hours (lane, status, duration, hour)
  SELECT lane, status, completed_at - started_at, (created_at + 62135596800000) / 3600000 - 17259888
  FROM tasks INDEXED BY tasks_lane_created
  WHERE status <> 2 AND version > 1 AND completed_at - started_at BETWEEN 0 AND 63
    AND lane IN (SELECT lane FROM lanes WHERE own_ids = 0);

ALTER TABLE minute_tallies DROP COLUMN shortest;
ALTER TABLE minute_tallies DROP COLUMN longest;
ALTER TABLE hour_tallies DROP COLUMN shortest;
ALTER TABLE hour_tallies DROP COLUMN longest;
