-- A range of one instant in the order of the other. Older workers may go on.

-- The indexes of the lists hold both instants, so that none looks at a task only to pass it over.
DROP INDEX tasks_lane_created;
DROP INDEX tasks_lane_updated;
CREATE INDEX tasks_lane_created ON tasks (lane, status, created_at, id, updated_at) WHERE status <> 2 AND version > 1;
CREATE INDEX tasks_lane_updated ON tasks (lane, status, updated_at, id, created_at) WHERE status <> 2 AND version > 1;

-- Tasks that were last changed more than an hour after their creation. For all others a bound on one instant bounds the
-- other from both sides.
CREATE INDEX tasks_late_created ON tasks (lane, status, created_at, id, updated_at)
  WHERE status <> 2 AND version > 1 AND updated_at - created_at > 3600000;
CREATE INDEX tasks_late_updated ON tasks (lane, status, updated_at, id, created_at)
  WHERE status <> 2 AND version > 1 AND updated_at - created_at > 3600000;
