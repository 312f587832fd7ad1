-- The index of texts knows the status and the lane of each task, so that a word is not looked for among tasks of others. Older
-- workers may go on; their texts have neither, and are found as well. All texts are indexed again, behind the writes; until
-- then a search for a text says how many it has not looked at.

TRUNCATE :schema.texts, :schema.text_work;
DROP INDEX IF EXISTS :schema.texts_trigrams;

-- 0 until the task has ended, then its status; and its lane, in a list because GIN indexes lists. NULL where nobody said.
ALTER TABLE :schema.texts ADD COLUMN status smallint, ADD COLUMN lanes integer[];

INSERT INTO :schema.text_work (lane, status, hour, first_at, last_at, tasks)
  SELECT lane, status, 0, -1000000000000000, 1000000000000000, sum(tasks) FROM (
    SELECT lane, status, tasks FROM :schema.tallies UNION ALL SELECT lane, status, tasks FROM :schema.tally_changes
  ) AS counted WHERE status <> 2 GROUP BY lane, status HAVING sum(tasks) > 0;

-- An index of trigrams for each, where the extension is there.
DO $make$ DECLARE
  extension name := (SELECT nspname FROM pg_extension JOIN pg_namespace ON pg_namespace.oid = extnamespace WHERE extname = 'pg_trgm'); -- where it was made
  own text := (SELECT relnamespace::regnamespace::text FROM pg_class WHERE oid = (SELECT tableoid FROM :schema.migrations LIMIT 1)); -- this schema
  part text[]; -- an index
BEGIN
  IF extension IS NULL THEN RETURN; END IF; -- no index
  FOREACH part SLICE 1 IN ARRAY ARRAY[['waiting', '= 0'], ['completed', '= 3'], ['failed', '= 4'], ['cancelled', '= 5'], ['unknown', 'IS NULL']] LOOP
    EXECUTE format('CREATE INDEX texts_%s ON %s.texts USING gin (body %I.gin_trgm_ops, lanes) WHERE status %s', part[1], own, extension, part[2]); -- likewise
  END LOOP; -- done
EXCEPTION WHEN insufficient_privilege THEN NULL; -- no index
END $make$;
