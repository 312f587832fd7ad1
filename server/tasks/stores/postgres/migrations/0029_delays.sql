-- The order by due time beside a range of another instant, of tasks that wait: how long the longest and the shortest of their delays are tells
-- between which due times those of the range lie. Only tasks that are due more than an hour after they were created, or before it,
-- are in the index, by the whole hours of that. Older workers may go on; while it is made, a second or two for each million of these, what writes tasks waits.

CREATE INDEX tasks_delays ON :schema.tasks (lane, status, ((due_at - created_at) / 3600000))
  WHERE status < 2 AND due_at - created_at NOT BETWEEN 0 AND 3600000;
