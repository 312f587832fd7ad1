-- The order by start among all tasks, and what started within a range: most tasks start soon after their creation, so the list of all tasks
-- has them nearly in that order. Those that started more than two seconds after it, or before it, are in an index of their own, of all types and
-- statuses. Older workers may go on; while it is made, some seconds for each million of tasks, what writes tasks waits.

CREATE INDEX tasks_waited ON :schema.tasks (started_at, id) WHERE status <> 2 AND started_at - created_at NOT BETWEEN 0 AND 2000;
