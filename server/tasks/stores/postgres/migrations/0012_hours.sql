-- Counts by the hour of creation. Older workers must have stopped, and programs of an older version that enqueue: what they
-- write would be missing in them. Roles that were granted their rights by an older version need them again. What writes
-- tasks waits while those that are there are counted, a second for each million or less.

-- How many tasks of each lane and state were created in each hour since 1970: the sum of this table and of the changes that
-- have an hour. The state is 0 until a task has ended, and then its status: a claim moves nothing here, and notes no hour.
-- Lane 0 has the sums of all lanes.
CREATE TABLE :schema.hour_tallies (
  lane integer NOT NULL,
  state smallint NOT NULL,
  hour integer NOT NULL,
  tasks bigint NOT NULL,
  PRIMARY KEY (lane, state, hour)
) WITH (fillfactor = 70);

ALTER TABLE :schema.tally_changes ADD COLUMN hour integer;

LOCK TABLE :schema.tasks IN SHARE ROW EXCLUSIVE MODE;

-- 17259888 hours lie between year 1 and 1970: what is before 1970 is rounded down too.
INSERT INTO :schema.hour_tallies (lane, state, hour, tasks)
  SELECT lane, CASE WHEN status >= 3 THEN status ELSE 0 END, (created_at + 62135596800000) / 3600000 - 17259888, count(*)
  FROM :schema.tasks GROUP BY 1, 2, 3;
INSERT INTO :schema.hour_tallies (lane, state, hour, tasks)
  SELECT 0, state, hour, sum(tasks) FROM :schema.hour_tallies GROUP BY state, hour;
