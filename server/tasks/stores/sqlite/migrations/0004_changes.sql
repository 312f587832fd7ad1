-- The change feed. Older workers must have stopped: they would not say here when they change something.

-- The latest instant at which tasks of the lane came to the status, left it or changed in it. Changes are written with
-- instants that never go back from one transaction to the next, so a reader who has seen all up to one misses nothing.
ALTER TABLE tallies ADD COLUMN changed_at INTEGER NOT NULL DEFAULT -62135596800000;

UPDATE tallies SET changed_at = max(changed_at, coalesce((SELECT max(updated_at) FROM tasks INDEXED BY tasks_lane_updated
    WHERE tasks.lane = tallies.lane AND tasks.status = tallies.status AND status <> 2 AND version > 1), changed_at))
  WHERE status <> 2;
UPDATE tallies SET changed_at = max(changed_at, coalesce((SELECT max(max(updated_at, coalesce(cancel_requested_at, updated_at)))
    FROM tasks INDEXED BY tasks_running WHERE status = 2 AND worker IS NOT NULL AND tasks.lane = tallies.lane), changed_at))
  WHERE status = 2;

-- When the machine's clock was set back by more than a moment: from then on instants begin again from `at`.
CREATE TABLE clock_steps (
  step INTEGER PRIMARY KEY,
  at INTEGER NOT NULL
) STRICT;
