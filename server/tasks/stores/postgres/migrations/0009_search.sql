-- Searches: deep offsets with a range on the other instant, and the slowest tasks. Older workers may go on; while the indexes
-- are made, 10 to 15 seconds for each million of tasks, what writes tasks waits.

-- Each index by one instant has the other one too, so that a range on it is tested without reading the tasks.
CREATE INDEX tasks_lane_created_both ON :schema.tasks (lane, status, created_at, id) INCLUDE (updated_at) WHERE status <> 2;
DROP INDEX :schema.tasks_lane_created;
ALTER INDEX :schema.tasks_lane_created_both RENAME TO tasks_lane_created;
CREATE INDEX tasks_lane_updated_both ON :schema.tasks (lane, status, updated_at, id) INCLUDE (created_at)
  WHERE status <> 2 AND status <> 0;
DROP INDEX :schema.tasks_lane_updated;
ALTER INDEX :schema.tasks_lane_updated_both RENAME TO tasks_lane_updated;

-- Tasks that ran for a second or longer, by how long: no short one pays for it.
CREATE INDEX tasks_slow ON :schema.tasks (lane, status, (completed_at - started_at), id)
  WHERE status >= 3 AND completed_at - started_at >= 1000;
