-- The index of attributes is filled behind the writes. Older workers must have stopped: they would index what is indexed
-- again later, and move what is not there.

-- Every task up to this seq is in the index; of later ones none is, and a search looks at their rows. The greatest of
-- numbers when all are.
CREATE TABLE attribute_marks (
  mark INTEGER PRIMARY KEY CHECK (mark = 1),
  up_to INTEGER NOT NULL
) STRICT;

INSERT INTO attribute_marks (mark, up_to) VALUES (1, 9007199254740991);
