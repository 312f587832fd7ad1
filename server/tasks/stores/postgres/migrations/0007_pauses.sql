-- Pauses of types and queues. Older workers must have stopped: they would claim what is paused. Roles that were granted
-- their rights by an older version need them again: every claim looks here.

CREATE TABLE :schema.pauses (
  kind text COLLATE "C" NOT NULL CHECK (kind IN ('type', 'queue')),
  name text COLLATE "C" NOT NULL,
  paused_at bigint NOT NULL,
  reason text,
  PRIMARY KEY (kind, name)
);
