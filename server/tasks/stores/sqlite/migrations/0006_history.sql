-- History: what workers ended, by type and stretch of time, kept when the tasks are deleted. Older workers may go on while
-- this is applied; what they end is not in the history.

-- One row for each minute, hour and day (`span`, in milliseconds) in which attempts of the type ended. `waits` and `runs`
-- are JSON objects: how many durations there are in each bucket of duration-counts.ts.
CREATE TABLE history (
  span INTEGER NOT NULL,
  start INTEGER NOT NULL,
  type TEXT NOT NULL,
  completed INTEGER NOT NULL,
  failed INTEGER NOT NULL,
  cancelled INTEGER NOT NULL,
  retried INTEGER NOT NULL,
  wait_max INTEGER NOT NULL,
  run_max INTEGER NOT NULL,
  waits TEXT NOT NULL,
  runs TEXT NOT NULL,
  PRIMARY KEY (span, start, type)
) STRICT;
