-- A task knows the action that changed it last. Older workers may go on; of what they do to tasks by an action is kept what was
-- kept before. Nothing has to be read for this, so it takes no time. Roles that were granted a client's rights by an older version
-- need them again, or cannot act on searches any more.

-- The record of the audit log that tells of the last action on a search that changed the task.
ALTER TABLE :schema.tasks ADD COLUMN action_record text COLLATE "C";
