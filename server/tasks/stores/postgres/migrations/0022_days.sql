-- Counts by the hour, a day of a lane to a row: how many tasks of each type there were in each hour is read from a few hundred
-- rows instead of thousands. Older workers may go on: what anybody folds into the counts by the hour is added here by the
-- server itself. What is there is added up, a second for each million of those counts; counts are not folded meanwhile, and
-- nobody waits for that. Roles that were granted their rights by an older version need them again.

-- Of each hour of the day since 1970, 24 of them, how many tasks of the lane and state were created in it, or ended in it: what
-- hour_tallies and ended_tallies have. The state -1 has the sums of all states. All lanes of a day lie side by side.
CREATE TABLE :schema.day_tallies (
  by_end boolean NOT NULL,
  state smallint NOT NULL,
  day integer NOT NULL,
  lane integer NOT NULL,
  tasks bigint[] NOT NULL,
  PRIMARY KEY (by_end, state, day, lane)
) WITH (fillfactor = 70);

-- With the rights of the schema's owner, for those who fold may have none to the new table. Whoever folds is alone, so that no
-- row is waited for. The table of the trigger tells which counts they are; 719162 days lie between year 1 and 1970.
CREATE FUNCTION :schema.add_to_days() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS
  $days$ DECLARE
    is_end CONSTANT boolean := TG_TABLE_NAME = 'ended_tallies'; -- else of creation
    moved text := ''; -- what the statement did to the counts by the hour
  BEGIN
    IF TG_OP <> 'INSERT' THEN
      IF NOT EXISTS (SELECT 1 FROM was) THEN RETURN NULL; END IF; -- nothing
      moved := 'SELECT lane, state, hour, -tasks AS tasks FROM was WHERE lane <> 0'; -- what was is taken off
    END IF; -- and
    IF TG_OP <> 'DELETE' THEN
      IF NOT EXISTS (SELECT 1 FROM now_is) THEN RETURN NULL; END IF; -- nothing
      moved := concat_ws(' UNION ALL ', nullif(moved, ''), 'SELECT lane, state, hour, tasks FROM now_is WHERE lane <> 0'); -- what is is added
    END IF; -- all of it
    EXECUTE format('INSERT INTO %I.day_tallies AS kept (by_end, state, day, lane, tasks)
      SELECT %L::boolean, state, day, lane, ARRAY(SELECT coalesce(own.tasks, 0) FROM generate_series(0, 23) AS place
          LEFT JOIN unnest(hours, counts) AS own (hour, tasks) ON own.hour = place ORDER BY place)
        FROM (
          SELECT state, day, lane, array_agg(hour) AS hours, array_agg(tasks) AS counts FROM (
            SELECT coalesce(state, -1) AS state, day, lane, hour, sum(tasks)::bigint AS tasks FROM (
              SELECT lane, state, (hour + 17259888) / 24 - 719162 AS day, (hour + 17259888) %% 24 AS hour, tasks FROM (%s) AS moved) AS cells
            GROUP BY GROUPING SETS ((state, day, lane, hour), (day, lane, hour)) HAVING sum(tasks) <> 0) AS sums
          GROUP BY state, day, lane) AS days
        ORDER BY state, day, lane
      ON CONFLICT (by_end, state, day, lane) DO UPDATE SET tasks = ARRAY(
        SELECT one + other FROM unnest(kept.tasks, excluded.tasks) WITH ORDINALITY AS own (one, other, place) ORDER BY place)',
      TG_TABLE_SCHEMA, is_end, moved); -- to the days
    IF TG_OP = 'DELETE' THEN
      EXECUTE format('DELETE FROM %I.day_tallies AS kept USING (
          SELECT DISTINCT lane, (hour + 17259888) / 24 - 719162 AS day, moved.state FROM was CROSS JOIN LATERAL (VALUES (state), (-1)) AS moved (state)
        ) AS own WHERE kept.by_end = %L::boolean AND kept.state = own.state AND kept.day = own.day AND kept.lane = own.lane AND 0 = ALL(kept.tasks)',
        TG_TABLE_SCHEMA, is_end); -- what is empty
    END IF; -- of a day
    RETURN NULL; -- after the statement
  END $days$;

-- As with note_minute_gap: it writes to wherever the table of its trigger lies.
REVOKE ALL ON FUNCTION :schema.add_to_days() FROM PUBLIC;

CREATE TRIGGER days_inserted AFTER INSERT ON :schema.hour_tallies
  REFERENCING NEW TABLE AS now_is FOR EACH STATEMENT EXECUTE FUNCTION :schema.add_to_days();
CREATE TRIGGER days_updated AFTER UPDATE ON :schema.hour_tallies
  REFERENCING OLD TABLE AS was NEW TABLE AS now_is FOR EACH STATEMENT EXECUTE FUNCTION :schema.add_to_days();
CREATE TRIGGER days_deleted AFTER DELETE ON :schema.hour_tallies
  REFERENCING OLD TABLE AS was FOR EACH STATEMENT EXECUTE FUNCTION :schema.add_to_days();
CREATE TRIGGER days_inserted AFTER INSERT ON :schema.ended_tallies
  REFERENCING NEW TABLE AS now_is FOR EACH STATEMENT EXECUTE FUNCTION :schema.add_to_days();
CREATE TRIGGER days_updated AFTER UPDATE ON :schema.ended_tallies
  REFERENCING OLD TABLE AS was NEW TABLE AS now_is FOR EACH STATEMENT EXECUTE FUNCTION :schema.add_to_days();
CREATE TRIGGER days_deleted AFTER DELETE ON :schema.ended_tallies
  REFERENCING OLD TABLE AS was FOR EACH STATEMENT EXECUTE FUNCTION :schema.add_to_days();

-- Whoever folded before the triggers were there has committed, and whoever folds now waits for them.
INSERT INTO :schema.day_tallies (by_end, state, day, lane, tasks)
  SELECT by_end, state, day, lane, ARRAY(SELECT coalesce(own.tasks, 0) FROM generate_series(0, 23) AS place
      LEFT JOIN unnest(hours, counts) AS own (hour, tasks) ON own.hour = place ORDER BY place)
  FROM (
    SELECT by_end, state, day, lane, array_agg(hour) AS hours, array_agg(tasks) AS counts FROM (
      SELECT by_end, coalesce(state, -1) AS state, day, lane, hour, sum(tasks)::bigint AS tasks FROM (
        SELECT false AS by_end, lane, state, (hour + 17259888) / 24 - 719162 AS day, (hour + 17259888) % 24 AS hour, tasks
          FROM :schema.hour_tallies WHERE lane <> 0
        UNION ALL SELECT true, lane, state, (hour + 17259888) / 24 - 719162, (hour + 17259888) % 24, tasks
          FROM :schema.ended_tallies WHERE lane <> 0) AS cells
      GROUP BY GROUPING SETS ((by_end, state, day, lane, hour), (by_end, day, lane, hour))) AS sums
    GROUP BY by_end, state, day, lane) AS days
  ORDER BY by_end, day, state, lane;
