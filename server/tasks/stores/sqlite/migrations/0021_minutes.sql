-- Counts by the minute, and by the change that ended a task. Older workers must have stopped: what they move would be missing
-- in them. Counting what is there takes some three seconds for each million of tasks.

-- As hour_tallies, by the minute since 1970. `tasks` were created in it; `changed` have ended, and were last changed in it.
-- Of a lane the states of a minute lie side by side, so that a commit writes few pages.
CREATE TABLE minute_tallies (
  lane INTEGER NOT NULL,
  minute INTEGER NOT NULL,
  state INTEGER NOT NULL,
  tasks INTEGER NOT NULL,
  changed INTEGER NOT NULL,
  PRIMARY KEY (lane, minute, state)
) STRICT, WITHOUT ROWID;

-- In the order of the indexes, so that nothing is sorted. 1035593280 minutes lie between year 1 and 1970: what is before 1970
-- is rounded down too.
INSERT INTO minute_tallies (lane, minute, state, tasks, changed)
  SELECT lane, (created_at + 62135596800000) / 60000 - 1035593280, CASE WHEN status >= 3 THEN status ELSE 0 END, 1, 0
  FROM tasks INDEXED BY tasks_lane_created WHERE status <> 2 AND version > 1
  ON CONFLICT DO UPDATE SET tasks = tasks + 1;
INSERT INTO minute_tallies (lane, minute, state, tasks, changed)
  SELECT lane, (created_at + 62135596800000) / 60000 - 1035593280, 0, 1, 0 FROM tasks INDEXED BY tasks_lane_fresh WHERE version = 1
  ON CONFLICT DO UPDATE SET tasks = tasks + 1;
INSERT INTO minute_tallies (lane, minute, state, tasks, changed)
  SELECT lane, (created_at + 62135596800000) / 60000 - 1035593280, 0, 1, 0 FROM tasks INDEXED BY tasks_running WHERE status = 2
  ON CONFLICT DO UPDATE SET tasks = tasks + 1;
INSERT INTO minute_tallies (lane, minute, state, tasks, changed)
  SELECT lane, (max(updated_at, created_at) + 62135596800000) / 60000 - 1035593280, status, 0, 1
  FROM tasks INDEXED BY tasks_lane_updated WHERE status <> 2 AND version > 1 AND status >= 3
  ON CONFLICT DO UPDATE SET changed = changed + 1;

ALTER TABLE hour_tallies ADD COLUMN changed INTEGER NOT NULL DEFAULT 0;
DELETE FROM hour_tallies;
INSERT INTO hour_tallies (lane, state, hour, tasks, changed)
  SELECT lane, state, (minute + 1035593280) / 60 - 17259888, sum(tasks), sum(changed) FROM minute_tallies GROUP BY 1, 2, 3;
INSERT INTO hour_tallies (lane, state, hour, tasks, changed)
  SELECT 0, state, hour, sum(tasks), sum(changed) FROM hour_tallies GROUP BY state, hour;
INSERT INTO minute_tallies (lane, minute, state, tasks, changed)
  SELECT 0, minute, state, sum(tasks), sum(changed) FROM minute_tallies GROUP BY minute, state;
