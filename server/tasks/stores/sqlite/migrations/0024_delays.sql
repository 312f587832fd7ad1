-- How long after their creation tasks that wait are due: the least and the greatest of a lane bound the due times that a range of
-- creation leaves. A task that is due at once pays nothing. Older workers may go on. Making it takes a second or two for each
-- million of tasks.

CREATE INDEX tasks_delays ON tasks (lane, due_at - created_at) WHERE status = 1 AND due_at <> created_at;
