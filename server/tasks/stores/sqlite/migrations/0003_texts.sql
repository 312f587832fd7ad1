-- Full text. Older workers may go on while this is applied; what they end is not found by its text.

-- Trigrams of what is searched of each task, folded; the rowid is the task's seq. It keeps no texts.
CREATE VIRTUAL TABLE texts USING fts5 (
  body, content = '', contentless_delete = 1, tokenize = 'trigram case_sensitive 1'
);

-- Between which instants the indexed tasks of neighbouring seqs were created; a block is 1,024 seqs. So a search that
-- reads texts by seq knows when none of those it has not read belongs before what it has found.
CREATE TABLE text_blocks (
  block INTEGER PRIMARY KEY,
  first_at INTEGER NOT NULL,
  last_at INTEGER NOT NULL
) STRICT;

-- Every task up to this seq was indexed once, or has ended meanwhile.
CREATE TABLE text_marks (
  mark INTEGER PRIMARY KEY CHECK (mark = 1),
  fresh_to INTEGER NOT NULL
) STRICT;

INSERT INTO text_marks (mark, fresh_to) VALUES (1, 0);

-- From where on the tasks of a lane and status have changed since they were indexed, by (updated_at, id); NULL for none.
-- Written with the counts, in the transaction of every change.
ALTER TABLE tallies ADD COLUMN unindexed_at INTEGER;
ALTER TABLE tallies ADD COLUMN unindexed_id TEXT;

UPDATE tallies SET unindexed_at = -62135596800000, unindexed_id = '' WHERE status <> 2;
