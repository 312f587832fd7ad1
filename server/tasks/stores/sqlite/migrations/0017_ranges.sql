-- The orders by start and by due time, beside a range of another instant. Most tasks start within an hour of their creation and
-- are last changed within an hour of their start, so that a range bounds their starts; those in tasks_started for which it
-- does not are in an index of their own. Tasks that wait and are not due when they were created are in another: a range
-- bounds the due times of all others. Older workers may go on. Making them takes a second or two for each million of tasks.

CREATE INDEX tasks_started_oddly ON tasks (lane, status, started_at, id, created_at, updated_at)
  WHERE status <> 2 AND started_at IS NOT NULL AND (status NOT IN (3, 4) OR updated_at - started_at NOT BETWEEN 0 AND 999)
    AND (started_at - created_at NOT BETWEEN 0 AND 3600000 OR updated_at - started_at NOT BETWEEN 0 AND 3600000);

CREATE INDEX tasks_delayed ON tasks (lane, status, due_at, id, created_at, updated_at) WHERE status = 1 AND due_at <> created_at;
