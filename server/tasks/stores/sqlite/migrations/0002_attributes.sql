-- Attributes: declared values of tasks, indexed. Older workers must have stopped: they would not say here that a task
-- has ended.

-- Names are declared by definitions, or come with the first task that has such a value.
CREATE TABLE attribute_names (
  attribute INTEGER PRIMARY KEY,
  type TEXT NOT NULL,
  name TEXT NOT NULL,
  -- Whether a definition has declared it, and older tasks were seen to.
  declared INTEGER NOT NULL CHECK (declared IN (0, 1)),
  UNIQUE (type, name)
) STRICT;

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

-- Lanes whose older tasks are still to be looked through for attributes (a JSON list of their numbers) that their
-- definition has gained since, from the newest to the oldest: `done` were, those before this place are left.
CREATE TABLE attribute_fills (
  lane INTEGER PRIMARY KEY,
  attributes TEXT NOT NULL,
  below_at INTEGER NOT NULL,
  below_id TEXT NOT NULL,
  done INTEGER NOT NULL DEFAULT 0
) STRICT;
