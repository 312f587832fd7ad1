-- Attributes: declared values of tasks, indexed. Older workers must have stopped: they would not say here that a task
-- has ended.

-- Names are declared by definitions, or come with the first task that has such a value. While `fill_below` is not NULL,
-- tasks of a lower seq were stored before the name was declared and have not been looked through.
CREATE TABLE attribute_names (
  attribute INTEGER PRIMARY KEY,
  type TEXT NOT NULL,
  name TEXT NOT NULL,
  declared INTEGER NOT NULL CHECK (declared IN (0, 1)),
  fill_below INTEGER,
  UNIQUE (type, name)
) STRICT;

CREATE INDEX attribute_names_filling ON attribute_names (type) WHERE fill_below IS NOT NULL;

-- As JSON, by name; NULL for none.
ALTER TABLE tasks ADD COLUMN attributes TEXT;

ALTER TABLE definitions ADD COLUMN attributes TEXT;

-- A value is a text, a number, or for false and true a blob of one byte, 0 or 1: so 1, '1' and true differ. `state` is 0
-- while the task is PENDING or RUNNING, then its status.
CREATE TABLE attributes (
  attribute INTEGER NOT NULL,
  value ANY NOT NULL,
  state INTEGER NOT NULL CHECK (state IN (0, 3, 4, 5)),
  created_at INTEGER NOT NULL,
  seq INTEGER NOT NULL,
  PRIMARY KEY (attribute, value, state, created_at, seq)
) STRICT, WITHOUT ROWID;
