-- The order by priority. A priority other than 0 is in an index, so that tasks that were given none pay nothing; those are in the
-- order of their ids, which breaks ties. Both instants are there too, so that a range of them is tested without reading the
-- tasks. Older workers may go on. Making it takes a second or two for each million of tasks.

CREATE INDEX tasks_prioritized ON tasks (lane, status, priority, id, created_at, updated_at) WHERE status <> 2 AND priority <> 0;
