-- Tasks that ran for a second or longer, by how long: no short one pays for it. Older workers may go on.

CREATE INDEX tasks_slow ON tasks (lane, status, completed_at - started_at, id)
  WHERE status >= 3 AND completed_at - started_at >= 1000;
