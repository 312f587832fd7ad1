-- The index of texts knows the state and the lane of each task, so that a word is not looked for among tasks of other states
-- and lanes. Older workers must have stopped: they would write texts where no column is for them. All texts are indexed
-- again, behind the writes; until then a search for a text says how many it has not looked at.

DROP TABLE texts;

-- Trigrams of what is searched of each task, folded, in the column of its state; the rowid is the task's seq. It keeps no
-- texts, and no places within them. `lane` has one trigram that stands for the task's lane.
CREATE VIRTUAL TABLE texts USING fts5 (
  waiting, completed, failed, cancelled, lane,
  content = '', contentless_delete = 1, tokenize = 'trigram case_sensitive 1', detail = column
);

DELETE FROM text_blocks;
UPDATE text_marks SET fresh_to = 0, truncated = 0 WHERE mark = 1;
UPDATE tallies SET unindexed_at = -62135596800000, unindexed_id = '' WHERE status <> 2;
