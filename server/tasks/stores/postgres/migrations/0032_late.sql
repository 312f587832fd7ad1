-- A task is late that was last changed more than five minutes after its creation, where it was an hour: beside a range of one instant what was created or
-- started so long before it is read too, to be passed over, and that was most of what such a search took. Older workers may go on: the
-- indexes hold what they ask for. While these are made, some seconds for each million of tasks, what writes tasks waits.

DROP INDEX :schema.tasks_late_created;
CREATE INDEX tasks_late_created ON :schema.tasks (lane, status, created_at, id) INCLUDE (updated_at)
  WHERE status <> 2 AND status <> 0 AND updated_at - created_at > 300000;

DROP INDEX :schema.tasks_late_updated;
CREATE INDEX tasks_late_updated ON :schema.tasks (lane, status, updated_at, id) INCLUDE (created_at)
  WHERE status <> 2 AND status <> 0 AND updated_at - created_at > 300000;

DROP INDEX :schema.tasks_started_oddly;
CREATE INDEX tasks_started_oddly ON :schema.tasks (lane, status, started_at, id) INCLUDE (created_at, updated_at)
  WHERE status <> 2 AND started_at IS NOT NULL AND (status NOT IN (3, 4) OR updated_at - started_at NOT BETWEEN 0 AND 999)
    AND (started_at - created_at NOT BETWEEN 0 AND 300000 OR updated_at - started_at NOT BETWEEN 0 AND 300000);

DROP INDEX :schema.tasks_late_duration;
CREATE INDEX tasks_late_duration ON :schema.tasks (lane, status, (completed_at - started_at), id) INCLUDE (created_at, updated_at)
  WHERE status >= 3 AND updated_at - created_at > 300000;
