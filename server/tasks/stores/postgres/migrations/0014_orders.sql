-- The orders by start and by due time. Most tasks have them from another order: those that completed or failed less than a
-- second after they were started from that of the last change, those that were due when they were created from that of the
-- creation, and those that wait from that of the claim. All others are here: neither a quick task nor one that waits
-- pays for it. Older workers may go on; while the indexes are made, a second or two for each million of tasks, what writes
-- tasks waits.

CREATE INDEX tasks_started ON :schema.tasks (lane, status, started_at, id) INCLUDE (created_at, updated_at)
  WHERE status <> 2 AND started_at IS NOT NULL AND (status NOT IN (3, 4) OR updated_at - started_at NOT BETWEEN 0 AND 999);

CREATE INDEX tasks_due ON :schema.tasks (lane, status, due_at, id) INCLUDE (created_at, updated_at)
  WHERE status >= 3 AND due_at <> created_at;
