-- The first schema. Older workers: none exist. `:schema` stands for the schema's quoted name.
--
-- A lane is a (type, queue) pair, with tasks of generated and of chosen ids kept apart: one small number in every
-- index instead of two texts, and within a lane of generated ids the order of ids is the order of creation.
-- Statuses: 0 PENDING and never changed since it was enqueued, 1 PENDING again, 2 RUNNING, 3 COMPLETED, 4 FAILED,
-- 5 CANCELLED. A task of status 0 has updated_at = created_at, so no index by updated_at needs to hold it.
-- Instants are milliseconds since 1970. Text that is compared or sorted is COLLATE "C": byte by byte, as SQLite does.

CREATE TABLE :schema.lanes (
  lane integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  type text COLLATE "C" NOT NULL,
  queue text COLLATE "C" NOT NULL,
  own_ids boolean NOT NULL,
  UNIQUE (type, queue, own_ids)
);

-- How many tasks each lane has in each status (0 counts as 1): the sum of both tables. Changes are written in the
-- statement that moves the tasks and folded into the tallies now and then, so no row is ever waited for.
CREATE TABLE :schema.tallies (
  lane integer NOT NULL,
  status smallint NOT NULL,
  tasks bigint NOT NULL,
  PRIMARY KEY (lane, status)
) WITH (fillfactor = 70);

CREATE TABLE :schema.tally_changes (
  lane integer NOT NULL,
  status smallint NOT NULL,
  tasks bigint NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);

CREATE TABLE :schema.definitions (
  id text COLLATE "C" PRIMARY KEY,
  description text,
  max_attempts integer NOT NULL,
  queue text COLLATE "C" NOT NULL,
  priority integer NOT NULL,
  timeout_ms bigint,
  tags text NOT NULL,
  rerun_after_crash boolean NOT NULL,
  created_at bigint NOT NULL,
  updated_at bigint NOT NULL
);

-- One row per start of a worker. `renewals` grows with each heartbeat; death is judged by its standing still.
CREATE TABLE :schema.workers (
  worker integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  id text COLLATE "C" NOT NULL UNIQUE,
  state text NOT NULL CHECK (state IN ('alive', 'dead', 'stopped')),
  host text NOT NULL,
  pid integer NOT NULL,
  name text,
  concurrency integer NOT NULL,
  types text NOT NULL,
  queues text,
  lease_ms integer NOT NULL,
  started_at bigint NOT NULL,
  beat_at bigint NOT NULL,
  renewals bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 200);

CREATE INDEX workers_alive ON :schema.workers (worker) WHERE state = 'alive';

CREATE TABLE :schema.tasks (
  seq bigint GENERATED ALWAYS AS IDENTITY,
  due_at bigint NOT NULL CHECK (due_at BETWEEN -62135596800000 AND 253402300799999),
  created_at bigint NOT NULL CHECK (created_at BETWEEN -62135596800000 AND 253402300799999),
  updated_at bigint NOT NULL,
  started_at bigint,
  completed_at bigint,
  cancel_requested_at bigint,
  lane integer NOT NULL,
  -- The worker that has it (RUNNING), or had it last.
  worker integer,
  fence integer NOT NULL DEFAULT 0 CHECK (fence >= 0),
  attempts integer NOT NULL DEFAULT 0 CHECK (attempts >= 0),
  max_attempts integer NOT NULL CHECK (max_attempts >= 1),
  crashes integer NOT NULL DEFAULT 0 CHECK (crashes >= 0),
  snoozes integer NOT NULL DEFAULT 0 CHECK (snoozes >= 0),
  version integer NOT NULL DEFAULT 1,
  status smallint NOT NULL DEFAULT 0 CHECK (status BETWEEN 0 AND 5),
  priority smallint NOT NULL CHECK (priority BETWEEN -1000 AND 1000),
  own_id boolean NOT NULL,
  rerun_after_crash boolean NOT NULL,
  id text COLLATE "C" PRIMARY KEY CHECK (length(id) BETWEEN 1 AND 128),
  payload text NOT NULL,
  payload_types text,
  result text,
  result_types text,
  error text,
  description text,
  tags text,
  -- The type, a space, and the caller's key: unique per type.
  idempotency text COLLATE "C",
  settings text,
  progress text,
  CHECK (status <> 2 OR worker IS NOT NULL),
  CHECK ((status >= 3) = (completed_at IS NOT NULL))
) WITH (fillfactor = 85, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 10000);

-- The claim: what may run, in the order it runs. Tasks whose worker died before wait in a line of their own.
CREATE INDEX tasks_claim ON :schema.tasks (lane, priority DESC, due_at, seq) WHERE status < 2 AND crashes = 0;
CREATE INDEX tasks_claim_suspect ON :schema.tasks (lane, priority DESC, due_at, seq) WHERE status < 2 AND crashes > 0;
CREATE INDEX tasks_running ON :schema.tasks (worker) WHERE status = 2;
CREATE INDEX tasks_cancelling ON :schema.tasks (cancel_requested_at)
  WHERE status = 2 AND cancel_requested_at IS NOT NULL;
CREATE UNIQUE INDEX tasks_idempotency ON :schema.tasks (idempotency) WHERE idempotency IS NOT NULL;

-- Search. RUNNING tasks are few and change at once, so they stay out; tasks_running finds them.
CREATE INDEX tasks_lane_created ON :schema.tasks (lane, status, created_at, id) WHERE status <> 2;
CREATE INDEX tasks_lane_updated ON :schema.tasks (lane, status, updated_at, id) WHERE status <> 2 AND status <> 0;
CREATE INDEX tasks_lane_own_id ON :schema.tasks (lane, status, id) INCLUDE (created_at, updated_at)
  WHERE status <> 2 AND own_id;

-- Where one instant is sorted by and the other is bounded, the bound narrows both, but for tasks that were last changed
-- more than an hour after they were created. They are found here; the others are in neither index.
CREATE INDEX tasks_late_created ON :schema.tasks (lane, status, created_at, id) INCLUDE (updated_at)
  WHERE status <> 2 AND status <> 0 AND updated_at - created_at > 3600000;
CREATE INDEX tasks_late_updated ON :schema.tasks (lane, status, updated_at, id) INCLUDE (created_at)
  WHERE status <> 2 AND status <> 0 AND updated_at - created_at > 3600000;

-- Ended attempts; one that is running, or that completed without logs, is told by its task's row alone.
CREATE TABLE :schema.attempts (
  started_at bigint NOT NULL,
  ended_at bigint,
  fence integer NOT NULL,
  number integer NOT NULL,
  worker integer,
  task_id text COLLATE "C" NOT NULL,
  outcome text CHECK (outcome IN ('completed', 'failed', 'timed-out', 'cancelled', 'snoozed', 'released', 'lost')),
  error text,
  late_outcome text,
  logs text,
  PRIMARY KEY (task_id, fence)
);
