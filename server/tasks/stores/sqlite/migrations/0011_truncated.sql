-- Whether some text was longer than what is indexed of it: then a value may lie in what is not. Older workers must have
-- stopped: they would not say so.
ALTER TABLE text_marks ADD COLUMN truncated INTEGER NOT NULL DEFAULT 0 CHECK (truncated IN (0, 1));
