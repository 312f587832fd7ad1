-- Full text. Older workers may go on while this is applied; what they enqueue and end is not found by its text.
--
-- Whoever stores a task or ends an attempt notes, with the counts that it writes anyway, from when to when the tasks
-- were: PENDING ones by the creation (or the change), others by the change. Folding the counts makes `text_work` of the
-- notes: where tasks lie that have changed since they were indexed. A note is committed with its tasks, so that none is
-- missed, however long a transaction took.

ALTER TABLE :schema.tally_changes ADD COLUMN first_at bigint, ADD COLUMN last_at bigint;

-- One row per lane, status and hour that nobody has begun on, and those that somebody has, since `taken_at`.
CREATE TABLE :schema.text_work (
  work bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  hour bigint NOT NULL,
  first_at bigint NOT NULL,
  last_at bigint NOT NULL,
  -- About how many, for people.
  tasks bigint NOT NULL,
  taken_at bigint,
  lane integer NOT NULL,
  status smallint NOT NULL
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);

CREATE UNIQUE INDEX text_work_open ON :schema.text_work (hour, lane, status) WHERE taken_at IS NULL;
CREATE INDEX text_work_taken ON :schema.text_work (taken_at) WHERE taken_at IS NOT NULL;

INSERT INTO :schema.text_work (lane, status, hour, first_at, last_at, tasks)
  SELECT lane, status, 0, -1000000000000000, 1000000000000000, sum(tasks) FROM (
    SELECT lane, status, tasks FROM :schema.tallies UNION ALL SELECT lane, status, tasks FROM :schema.tally_changes
  ) AS counted WHERE status <> 2 GROUP BY lane, status HAVING sum(tasks) > 0;

-- What is searched of each task, folded, as the task was in its `version`.
CREATE TABLE :schema.texts (
  created_at bigint NOT NULL,
  version integer NOT NULL,
  task_id text COLLATE "C" PRIMARY KEY,
  body text COLLATE "C" NOT NULL
) WITH (fillfactor = 90, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 10000);

CREATE INDEX texts_created ON :schema.texts (created_at, task_id);

-- The index of trigrams, where the extension is there or may be made; without it texts are read one after another.
DO $make$ BEGIN CREATE EXTENSION IF NOT EXISTS pg_trgm SCHEMA public; EXCEPTION WHEN OTHERS THEN NULL; END $make$;
DO $make$ DECLARE
  extension name := (SELECT nspname FROM pg_extension JOIN pg_namespace ON pg_namespace.oid = extnamespace WHERE extname = 'pg_trgm'); -- where it was made
  own text := (SELECT relnamespace::regnamespace::text FROM pg_class WHERE oid = (SELECT tableoid FROM :schema.migrations LIMIT 1)); -- this schema
BEGIN
  IF extension IS NOT NULL THEN EXECUTE format('CREATE INDEX texts_trigrams ON %s.texts USING gin (body %I.gin_trgm_ops)', own, extension); END IF; -- else none
EXCEPTION WHEN insufficient_privilege THEN NULL; -- likewise
END $make$;
