-- The history is kept by the transactions that end attempts. Older workers may go on; what they end is in the history as
-- before. Nothing has to be read for this, so it takes no time.

-- What such transactions added to the history and what is not folded into it yet: attempts of one type that ended in the
-- minute that begins at `start` and left their tasks with `status`, 1 for those that are made again. `waits` and `runs` as in
-- `history`; attempts whose worker died have none.
CREATE TABLE history_changes (
  start INTEGER NOT NULL,
  type TEXT NOT NULL,
  status INTEGER NOT NULL,
  attempts INTEGER NOT NULL,
  wait_max INTEGER NOT NULL,
  run_max INTEGER NOT NULL,
  waits TEXT NOT NULL,
  runs TEXT NOT NULL
) STRICT;
