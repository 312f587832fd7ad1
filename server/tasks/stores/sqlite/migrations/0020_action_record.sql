-- A task knows the action that changed it last. Older workers may go on; of what they do to tasks by an action is kept what was
-- kept before. Nothing has to be read for this, so it takes no time.

-- The record of the audit log that tells of the last action on a search that changed the task.
ALTER TABLE tasks ADD COLUMN action_record TEXT;
