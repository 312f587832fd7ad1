-- Saved searches and their alert rules. Older workers may go on; they watch no rule.

-- The rule and how far it has come are JSON. The revision goes up with each change of the query, the rule or the state:
-- of several workers that have read the same one, only the first may write.
CREATE TABLE saved_searches (
  name TEXT PRIMARY KEY,
  query TEXT NOT NULL,
  description TEXT,
  alert TEXT,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  alert_state TEXT,
  revision INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
