-- The app that the schema belongs to, where its programs say one. Older workers may go on; they ask for none. Roles that were
-- granted their rights by an older version need them again before their programs say one.

CREATE TABLE :schema.app (
  only_row boolean PRIMARY KEY CHECK (only_row),
  name text NOT NULL
);
