-- The index of texts knows when each task was created, in stretches of four hours, so that the newest which have a word are
-- found without all others. Older workers may go on: the stretch is computed by the index. All texts are indexed again,
-- behind the writes; until then a search for a text says how many it has not looked at. What writes tasks waits until this
-- migration and those after it are done: a delete locks tasks and then texts, so tasks are locked first here too.

LOCK TABLE :schema.tasks IN SHARE MODE;

TRUNCATE :schema.texts, :schema.text_work;
DROP INDEX IF EXISTS :schema.texts_waiting, :schema.texts_completed, :schema.texts_failed, :schema.texts_cancelled, :schema.texts_unknown;

INSERT INTO :schema.text_work (lane, status, hour, first_at, last_at, tasks)
  SELECT lane, status, 0, -1000000000000000, 1000000000000000, sum(tasks) FROM (
    SELECT lane, status, tasks FROM :schema.tallies UNION ALL SELECT lane, status, tasks FROM :schema.tally_changes
  ) AS counted WHERE status <> 2 GROUP BY lane, status HAVING sum(tasks) > 0;

-- Where the extension is there. Stretches are counted from year 1 and are below zero, where lanes are above.
DO $make$ DECLARE
  extension name := (SELECT nspname FROM pg_extension JOIN pg_namespace ON pg_namespace.oid = extnamespace WHERE extname = 'pg_trgm'); -- where it was made
  own text := (SELECT relnamespace::regnamespace::text FROM pg_class WHERE oid = (SELECT tableoid FROM :schema.migrations LIMIT 1)); -- this schema
  part text[]; -- an index
BEGIN
  IF extension IS NULL THEN RETURN; END IF; -- no index
  FOREACH part SLICE 1 IN ARRAY ARRAY[['waiting', '= 0'], ['completed', '= 3'], ['failed', '= 4'], ['cancelled', '= 5'], ['unknown', 'IS NULL']] LOOP
    EXECUTE format('CREATE INDEX texts_%s ON %s.texts USING gin (body %I.gin_trgm_ops, (lanes || (-1 - ((created_at + 62135596800000) / 14400000)::integer))) WHERE status %s', part[1], own, extension, part[2]); -- likewise
  END LOOP; -- done
EXCEPTION WHEN insufficient_privilege THEN NULL; -- no index
END $make$;
