-- Counts by the hour of creation. Older workers must have stopped: what they move would be missing in them. Counting what is
-- there takes a second or two for each million of tasks.

-- How many tasks of each lane and state were created in each hour since 1970; kept in the transaction of every change, so
-- always exact. The state is 0 until a task has ended, so that a claim moves nothing here, and then its status. Lane 0 has
-- the sums of all lanes.
CREATE TABLE hour_tallies (
  lane INTEGER NOT NULL,
  state INTEGER NOT NULL,
  hour INTEGER NOT NULL,
  tasks INTEGER NOT NULL,
  PRIMARY KEY (lane, state, hour)
) STRICT, WITHOUT ROWID;

-- 17259888 hours lie between year 1 and 1970: what is before 1970 is rounded down too.
INSERT INTO hour_tallies (lane, state, hour, tasks)
  SELECT lane, CASE WHEN status >= 3 THEN status ELSE 0 END, (created_at + 62135596800000) / 3600000 - 17259888, count(*)
  FROM tasks GROUP BY 1, 2, 3;
INSERT INTO hour_tallies (lane, state, hour, tasks) SELECT 0, state, hour, sum(tasks) FROM hour_tallies GROUP BY state, hour;
