-- Tasks that were last changed more than an hour after their creation. For all others a bound on one instant bounds the
-- other from both sides, so that a range of one is read in the order of the other. Older workers may go on.

CREATE INDEX tasks_late_created ON tasks (lane, status, created_at, id, updated_at)
  WHERE status <> 2 AND version > 1 AND updated_at - created_at > 3600000;
CREATE INDEX tasks_late_updated ON tasks (lane, status, updated_at, id, created_at)
  WHERE status <> 2 AND version > 1 AND updated_at - created_at > 3600000;
