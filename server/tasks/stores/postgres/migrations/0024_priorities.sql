-- The order by priority. A priority other than 0 is in an index, so that tasks that were given none pay nothing; those are in the
-- order of their ids, which breaks ties. Older workers may go on; while the index is made, a second or two for each million of
-- tasks, what writes tasks waits.

CREATE INDEX tasks_prioritized ON :schema.tasks (lane, status, priority, id) INCLUDE (created_at, updated_at)
  WHERE status <> 2 AND priority <> 0;
