-- The order by duration: an index of how long all tasks that have ended ran takes the place of that of those which ran for a second or
-- longer, so that the shortest first and any bound are found. Each task that ends has an entry in it; those that were last changed more than an
-- hour after their creation are in one of their own too, since a range of the last change bounds the creation of all others. Older workers
-- may go on; while the indexes are made, some seconds for each million of tasks, what writes tasks waits.

CREATE INDEX tasks_duration ON :schema.tasks (lane, status, (completed_at - started_at), id) WHERE status >= 3;

CREATE INDEX tasks_late_duration ON :schema.tasks (lane, status, (completed_at - started_at), id) INCLUDE (created_at, updated_at)
  WHERE status >= 3 AND updated_at - created_at > 3600000;

DROP INDEX :schema.tasks_slow;
