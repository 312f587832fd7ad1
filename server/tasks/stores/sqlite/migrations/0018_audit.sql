-- The audit log: who asked for which change, when, and from where. Older workers may go on; of what is asked of them there
-- is no record.

CREATE TABLE audit (
  id TEXT PRIMARY KEY,
  at INTEGER NOT NULL,
  action TEXT NOT NULL,
  kind TEXT NOT NULL,
  target TEXT NOT NULL,
  type TEXT,
  who TEXT,
  via TEXT NOT NULL,
  address TEXT,
  request_id TEXT,
  -- JSON.
  before TEXT,
  after TEXT
) STRICT, WITHOUT ROWID;

CREATE INDEX audit_at ON audit (at, id);
CREATE INDEX audit_target ON audit (target, at, id);
CREATE INDEX audit_who ON audit (who, at, id);
CREATE INDEX audit_action ON audit (action, at, id);

CREATE TRIGGER audit_stays BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'A record of the audit log is never changed.'); END;
