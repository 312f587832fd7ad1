-- The primary key leaves half of each new page free. Older workers may go on: nothing else changes, and nothing is read or
-- rewritten. A claim and a settlement add a version of each row to the key beside the one that is there; filled to 90 %, the page
-- is split for them.
ALTER INDEX :schema.tasks_pkey SET (fillfactor = 50);
