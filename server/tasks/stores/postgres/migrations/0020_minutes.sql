-- Counts by the minute, and by the change that ended a task. Older workers may go on: that they wrote is noted, and once they do
-- not any more what is there is counted anew. Nothing is read for this, so it takes no time; workers count what is there behind
-- it, some minutes for ten million tasks, and until then such counts are taken from the indexes, as before. Roles that were
-- granted their rights by an older version need them again.

-- How many tasks of a lane went from one state to another: those that were created in the minute `created` since 1970, and ended
-- in the minute `ended`, before or after it. The state is 0 until a task has ended, and then its status; `was` is null for tasks
-- that are new, `state` for those that are deleted.
CREATE TABLE :schema.minute_changes (
  lane integer NOT NULL,
  was smallint,
  state smallint,
  tasks integer NOT NULL,
  created bigint NOT NULL,
  ended bigint
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);

-- The sums of them, an hour since 1970 to a row: of each minute of it that is in `minutes`, how many tasks of the lane and state
-- were created in it, and how many ended in it. Lane 0 has the sums of all lanes.
CREATE TABLE :schema.minute_tallies (
  lane integer NOT NULL,
  state smallint NOT NULL,
  hour integer NOT NULL,
  minutes smallint[] NOT NULL,
  tasks integer[] NOT NULL,
  ended integer[] NOT NULL,
  PRIMARY KEY (lane, state, hour)
) WITH (fillfactor = 70);

-- Which lanes and states have tasks in a minute.
CREATE INDEX minute_tallies_hour ON :schema.minute_tallies (hour);

-- How many ended in each hour, as hour_tallies have how many were created in it.
CREATE TABLE :schema.ended_tallies (
  lane integer NOT NULL,
  state smallint NOT NULL,
  hour integer NOT NULL,
  tasks bigint NOT NULL,
  PRIMARY KEY (lane, state, hour)
) WITH (fillfactor = 70);

-- Empty where the three tables above have all tasks. A row with a lane says how far those that are there have been counted; all
-- others, that an older version wrote.
CREATE TABLE :schema.minute_gaps (
  noted_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  lane integer,
  state smallint,
  by_end boolean,
  minute bigint
);

-- Not null where the statement that wrote the row counted by the minute too.
ALTER TABLE :schema.tally_changes ADD COLUMN by_minute boolean;

-- With the rights of the schema's owner, for those who wrote have none to the new table. One row is as good as those that were
-- committed before it, so now and then these are deleted: there are never many, also where nobody folds them.
CREATE FUNCTION :schema.note_minute_gap() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS
  $note$ DECLARE own tid; -- its place
  BEGIN
    EXECUTE format('INSERT INTO %I.minute_gaps DEFAULT VALUES RETURNING ctid', TG_TABLE_SCHEMA) INTO own; -- first
    IF random() < 0.001 THEN
      EXECUTE format('DELETE FROM %1$I.minute_gaps WHERE ctid = ANY(ARRAY(
        SELECT ctid FROM %1$I.minute_gaps WHERE lane IS NULL AND ctid <> $1 FOR UPDATE SKIP LOCKED))', TG_TABLE_SCHEMA) USING own; -- others
    END IF; -- rarely
    RETURN NULL; -- after the statement
  END $note$;

-- Else whoever may make a table of that name, a temporary one too, could let it write to a table of their own, with its owner's rights.
REVOKE ALL ON FUNCTION :schema.note_minute_gap() FROM PUBLIC;

CREATE TRIGGER minute_gap AFTER INSERT ON :schema.tally_changes
  FOR EACH ROW WHEN (NEW.hour IS NOT NULL AND NEW.by_minute IS NULL) EXECUTE FUNCTION :schema.note_minute_gap();

-- Whoever wrote before this waits for the table above, or has committed.
INSERT INTO :schema.minute_gaps (lane, state, by_end, minute)
  SELECT 0, 0, false, -1035593280 WHERE EXISTS (SELECT 1 FROM :schema.tasks);
