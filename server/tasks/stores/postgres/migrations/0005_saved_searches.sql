-- Saved searches and their alert rules. Older workers may go on; they watch no rule.

-- The rule and how far it has come are JSON. The revision goes up with each change of the query, the rule or the state:
-- of several workers that have read the same one, only the first may write.
CREATE TABLE :schema.saved_searches (
  name text COLLATE "C" PRIMARY KEY,
  query text NOT NULL,
  description text,
  alert text,
  created_at bigint NOT NULL,
  updated_at bigint NOT NULL,
  alert_state text,
  revision bigint NOT NULL
);
