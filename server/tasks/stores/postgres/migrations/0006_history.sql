-- History: what workers ended, by type and stretch of time, kept when the tasks are deleted. Older workers may go on while
-- this is applied; what they end is not in the history.

-- One row for each minute, hour and day (`span`, in milliseconds) in which attempts of the type ended. `waits` and `runs`
-- are JSON objects: how many durations there are in each bucket of duration-counts.ts. Every worker writes here every few
-- seconds, apart from its claims and settlements; the rows of this minute, hour and day are written again and again.
CREATE TABLE :schema.history (
  span integer NOT NULL,
  start bigint NOT NULL,
  type text COLLATE "C" NOT NULL,
  completed bigint NOT NULL,
  failed bigint NOT NULL,
  cancelled bigint NOT NULL,
  retried bigint NOT NULL,
  wait_max bigint NOT NULL,
  run_max bigint NOT NULL,
  waits text NOT NULL,
  runs text NOT NULL,
  PRIMARY KEY (span, start, type)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000);
