-- Pauses of types and queues. Older workers must have stopped: they would claim what is paused.

CREATE TABLE pauses (
  kind TEXT NOT NULL CHECK (kind IN ('type', 'queue')),
  name TEXT NOT NULL,
  paused_at INTEGER NOT NULL,
  reason TEXT,
  PRIMARY KEY (kind, name)
) STRICT, WITHOUT ROWID;
