-- The index of attributes is filled behind large batches. Older workers may go on. Until newer ones have written a batch there, some
-- seconds, an older program's searches and counts by attribute lack it; and a task that it deletes while that is done may leave a
-- row in the index, which counts by attribute then have too many. So do not leave them for long. Nothing has to be read for this, so it
-- takes no time. Roles that were granted their rights by an older version need them again.

-- Tasks of a lane that were stored with their attributes, created from `first_at` to `last_at`, some of which the index lacks: those
-- from `next_at` and `next_id` on, about `tasks` of them, until it is `written`; after that, it may have tasks in a state that they are
-- not in any more, until the row is gone. Whoever writes them says when it last did, in milliseconds since 1970.
CREATE TABLE :schema.attribute_work (
  work bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  lane integer NOT NULL,
  first_at bigint NOT NULL,
  last_at bigint NOT NULL,
  next_at bigint NOT NULL,
  next_id text COLLATE "C" NOT NULL DEFAULT '',
  tasks integer NOT NULL,
  written boolean NOT NULL DEFAULT false,
  taken_by text NOT NULL,
  taken_at bigint NOT NULL
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);

-- Tasks that were deleted while there was such a row for them: whoever writes may have seen them.
CREATE TABLE :schema.attribute_leavings (
  lane integer NOT NULL,
  created_at bigint NOT NULL,
  task_id text COLLATE "C" NOT NULL,
  keys text[] COLLATE "C" NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
