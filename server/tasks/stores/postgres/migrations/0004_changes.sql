-- The change feed. Older workers may go on; of what they store in a transaction with savepoints, or seconds after it was
-- created, followers of changes may miss something.
--
-- Changes are found by their instants and told from older ones by the transaction that wrote the row, `xmin`. Both say too
-- little of a new task that was created a while before it was stored, and of one that was stored after a savepoint, where
-- `xmin` is a number of its own. These have the number of the whole transaction here.

ALTER TABLE :schema.tasks ADD COLUMN stored_in xid8;

CREATE INDEX tasks_stored_in ON :schema.tasks (stored_in) WHERE stored_in IS NOT NULL AND status = 0;
