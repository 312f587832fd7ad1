-- Counts of hours and days that are over, packed: all lanes of such a stretch of time in one row, which is read many times sooner than
-- theirs. Older workers may go on: what anybody folds into the counts that are packed is noted by the server itself, and what is noted
-- is read as before. Workers pack behind this, some seconds for a month; counts are not folded while it runs, a second or less for ten
-- million tasks of a month, and nobody waits for that. Roles that were granted their rights by an older version need them again.

-- Of an hour what minute_tallies have, by the minute, where `hours` is 1; of a day what day_tallies have, by the hour, where it is 24.
-- `first` is which hour or day since 1970 it is. `counts` has its minutes or hours one after another, from the byte on that `places` says of
-- each, and `total` the whole day. `by_end` are those by the end of tasks, with what waits by its creation.
CREATE TABLE :schema.packed_counts (
  hours smallint NOT NULL,
  by_end boolean NOT NULL,
  first integer NOT NULL,
  places integer[] NOT NULL,
  total bytea,
  counts bytea NOT NULL,
  packed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (hours, by_end, first)
);

-- Parts of them are read.
ALTER TABLE :schema.packed_counts ALTER COLUMN counts SET STORAGE EXTERNAL;

-- Hours and days that are not packed, or whose counts have changed since. There may be several rows of one.
CREATE TABLE :schema.unpacked_counts (
  hours smallint NOT NULL,
  first integer NOT NULL,
  noted_at timestamptz NOT NULL DEFAULT clock_timestamp()
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
CREATE INDEX unpacked_counts_first ON :schema.unpacked_counts (hours, first);

-- With the rights of the schema's owner, for those who fold may have none to the new table. A row that says the same is enough, and is locked
-- until the transaction ends, so that whoever packs meanwhile leaves it. One that they have locked is as good as gone, and nobody waits.
CREATE FUNCTION :schema.note_unpacked() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS
  $note$ DECLARE
    changed text := 'was'; -- the rows, whose hours stay as they are
    stretches text := '1, hour'; -- which hours or days that is; 719162 days lie between year 1 and 1970
  BEGIN
    IF TG_OP = 'INSERT' THEN
      IF NOT EXISTS (SELECT 1 FROM now_is) THEN RETURN NULL; END IF; -- nothing
      changed := 'now_is'; -- those are new
    ELSIF NOT EXISTS (SELECT 1 FROM was) THEN
      RETURN NULL; -- nothing
    END IF; -- of the statement
    IF TG_TABLE_NAME <> 'minute_tallies' THEN stretches := '24, (hour + 17259888) / 24 - 719162'; END IF; -- by the hour
    EXECUTE format('INSERT INTO %1$I.unpacked_counts (hours, first)
      SELECT hours, first FROM (SELECT DISTINCT %2$s FROM %3$I WHERE lane <> 0) AS own (hours, first)
      WHERE current_setting(''transaction_isolation'') <> ''read committed''
        OR NOT EXISTS (SELECT 1 FROM %1$I.unpacked_counts AS noted WHERE noted.hours = own.hours AND noted.first = own.first
          LIMIT 1 FOR KEY SHARE SKIP LOCKED)',
      TG_TABLE_SCHEMA, stretches, changed); -- once
    RETURN NULL; -- after the statement
  END $note$;

-- As with note_minute_gap: it writes to wherever the table of its trigger lies.
REVOKE ALL ON FUNCTION :schema.note_unpacked() FROM PUBLIC;

CREATE TRIGGER unpacked_inserted AFTER INSERT ON :schema.hour_tallies
  REFERENCING NEW TABLE AS now_is FOR EACH STATEMENT EXECUTE FUNCTION :schema.note_unpacked();
CREATE TRIGGER unpacked_updated AFTER UPDATE ON :schema.hour_tallies
  REFERENCING OLD TABLE AS was FOR EACH STATEMENT EXECUTE FUNCTION :schema.note_unpacked();
CREATE TRIGGER unpacked_deleted AFTER DELETE ON :schema.hour_tallies
  REFERENCING OLD TABLE AS was FOR EACH STATEMENT EXECUTE FUNCTION :schema.note_unpacked();
CREATE TRIGGER unpacked_inserted AFTER INSERT ON :schema.ended_tallies
  REFERENCING NEW TABLE AS now_is FOR EACH STATEMENT EXECUTE FUNCTION :schema.note_unpacked();
CREATE TRIGGER unpacked_updated AFTER UPDATE ON :schema.ended_tallies
  REFERENCING OLD TABLE AS was FOR EACH STATEMENT EXECUTE FUNCTION :schema.note_unpacked();
CREATE TRIGGER unpacked_deleted AFTER DELETE ON :schema.ended_tallies
  REFERENCING OLD TABLE AS was FOR EACH STATEMENT EXECUTE FUNCTION :schema.note_unpacked();
CREATE TRIGGER unpacked_inserted AFTER INSERT ON :schema.minute_tallies
  REFERENCING NEW TABLE AS now_is FOR EACH STATEMENT EXECUTE FUNCTION :schema.note_unpacked();
CREATE TRIGGER unpacked_updated AFTER UPDATE ON :schema.minute_tallies
  REFERENCING OLD TABLE AS was FOR EACH STATEMENT EXECUTE FUNCTION :schema.note_unpacked();
CREATE TRIGGER unpacked_deleted AFTER DELETE ON :schema.minute_tallies
  REFERENCING OLD TABLE AS was FOR EACH STATEMENT EXECUTE FUNCTION :schema.note_unpacked();

-- Whoever folded before the triggers were there has committed, and whoever folds now waits for them.
INSERT INTO :schema.unpacked_counts (hours, first, noted_at) SELECT 1, hour, 'epoch' FROM :schema.minute_tallies GROUP BY hour;
INSERT INTO :schema.unpacked_counts (hours, first, noted_at) SELECT DISTINCT 24, day, 'epoch'::timestamptz FROM :schema.day_tallies;
