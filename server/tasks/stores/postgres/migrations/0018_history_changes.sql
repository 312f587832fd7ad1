-- The history is kept by the transactions that end attempts. Older workers may go on; what they end is in the history as
-- before. Nothing has to be read for this, so it takes no time. Roles that were granted their rights by an older version
-- need them again.

-- What such transactions added to the history and what is not folded into it yet: attempts of a lane that ended in the minute
-- that begins at `start` and left their tasks with `status`, 1 for those that are made again. `waits` and `runs` have the
-- bucket of each attempt's duration, see duration-counts.ts; attempts whose worker died have none.
CREATE TABLE :schema.history_changes (
  start bigint NOT NULL,
  lane integer NOT NULL,
  status smallint NOT NULL,
  attempts integer NOT NULL,
  wait_max bigint NOT NULL,
  run_max bigint NOT NULL,
  waits smallint[] NOT NULL,
  runs smallint[] NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);
