-- The app that the database belongs to, where its programs say one. Older workers may go on; they ask for none.

CREATE TABLE app (
  only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
  name TEXT NOT NULL
) STRICT;
