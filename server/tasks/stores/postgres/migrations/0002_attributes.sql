-- Attributes: declared values of tasks, indexed. Older workers may go on while this is applied, but must have stopped
-- before the first task with attributes is stored: they would not say here that it has ended.
--
-- A key is an attribute's number, a space, and the value in a form whose bytes sort as the values do: see
-- attribute-values.ts. A task has all of its keys, so that a condition can be tested on its row, and one row for each of
-- them in `attributes`, where they are found. There, a key of more than 300 characters is its first 200 and a digest.

CREATE TABLE :schema.attribute_names (
  attribute integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  type text COLLATE "C" NOT NULL,
  name text COLLATE "C" NOT NULL,
  -- Whether a definition has declared it, and older tasks were seen to.
  declared boolean NOT NULL DEFAULT false,
  UNIQUE (type, name)
);

ALTER TABLE :schema.tasks ADD COLUMN attributes text[] COLLATE "C";

ALTER TABLE :schema.definitions ADD COLUMN attributes text;

-- `state` is 0 while the task is PENDING or RUNNING, then its status. It is 2, and says nothing, for a task that was
-- RUNNING when its attributes were filled in.
CREATE TABLE :schema.attributes (
  created_at bigint NOT NULL,
  state smallint NOT NULL,
  key text COLLATE "C" NOT NULL,
  task_id text COLLATE "C" NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 10000);

CREATE UNIQUE INDEX attributes_key ON :schema.attributes (key, state, created_at, task_id);

-- Lanes whose older tasks are still to be looked through for attributes that their definition has gained since, from the
-- newest to the oldest: `done` were, those before this place are left.
CREATE TABLE :schema.attribute_fills (
  lane integer PRIMARY KEY,
  attributes integer[] NOT NULL,
  below_at bigint NOT NULL,
  below_id text COLLATE "C" NOT NULL,
  done bigint NOT NULL DEFAULT 0
);
