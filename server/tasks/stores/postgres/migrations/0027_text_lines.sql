-- The indexes of texts have whole lines, the words of each joined by a letter, so that a phrase of frequent words ("order 99")
-- has trigrams of its own, and a short number is told from a part of another. Older workers may go on: they find no index
-- of theirs and read texts one after another. While the indexes are made, some minutes for ten million texts, no text is
-- written, and what deletes tasks waits; enqueues, claims and searches go on. Those that are there already, made
-- CONCURRENTLY before, are taken as they are.

LOCK TABLE :schema.texts IN SHARE MODE;

-- Where the extension is there.
DO $make$ DECLARE
  extension name := (SELECT nspname FROM pg_extension JOIN pg_namespace ON pg_namespace.oid = extnamespace WHERE extname = 'pg_trgm'); -- where it was made
  own text := (SELECT relnamespace::regnamespace::text FROM pg_class WHERE oid = (SELECT tableoid FROM :schema.migrations LIMIT 1)); -- this schema
  part text[]; -- an index
BEGIN
  IF extension IS NULL THEN RETURN; END IF; -- no index
  FOREACH part SLICE 1 IN ARRAY ARRAY[['waiting', '= 0'], ['completed', '= 3'], ['failed', '= 4'], ['cancelled', '= 5'], ['unknown', 'IS NULL']] LOOP
    EXECUTE format('CREATE INDEX IF NOT EXISTS texts_lines_%s ON %s.texts USING gin ((chr(10) || replace(body, '' '', ''q'') || chr(10)) %I.gin_trgm_ops, (lanes || (-1 - ((created_at + 62135596800000) / 14400000)::integer))) WHERE status %s', part[1], own, extension, part[2]); -- likewise
  END LOOP; -- done
EXCEPTION WHEN insufficient_privilege THEN NULL; -- no index
END $make$;

-- At the end, for it keeps searches waiting.
DROP INDEX IF EXISTS :schema.texts_waiting, :schema.texts_completed, :schema.texts_failed, :schema.texts_cancelled, :schema.texts_unknown;
