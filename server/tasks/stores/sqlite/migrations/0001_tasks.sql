-- The first schema. Older workers: none exist.
--
-- A lane is a (type, queue) pair, with tasks of generated and of chosen ids kept apart: one small number in every
-- index instead of two texts, and within a lane of generated ids the order of ids is the order of creation.
-- Statuses are numbers here: 1 PENDING, 2 RUNNING, 3 COMPLETED, 4 FAILED, 5 CANCELLED. Instants are ms since 1970.

CREATE TABLE lanes (
  lane INTEGER PRIMARY KEY,
  type TEXT NOT NULL,
  queue TEXT NOT NULL,
  own_ids INTEGER NOT NULL CHECK (own_ids IN (0, 1)),
  UNIQUE (type, queue, own_ids)
) STRICT;

-- How many tasks each lane has in each status; kept in the transaction of every change, so always exact.
CREATE TABLE tallies (
  lane INTEGER NOT NULL,
  status INTEGER NOT NULL,
  tasks INTEGER NOT NULL CHECK (tasks >= 0),
  PRIMARY KEY (lane, status)
) STRICT, WITHOUT ROWID;

CREATE TABLE definitions (
  id TEXT PRIMARY KEY,
  description TEXT,
  max_attempts INTEGER NOT NULL,
  queue TEXT NOT NULL,
  priority INTEGER NOT NULL,
  timeout_ms INTEGER,
  tags TEXT NOT NULL,
  rerun_after_crash INTEGER NOT NULL CHECK (rerun_after_crash IN (0, 1)),
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL
) STRICT;

-- One row per start of a worker. `renewals` grows with each heartbeat; death is judged by its standing still.
CREATE TABLE workers (
  worker INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  state TEXT NOT NULL CHECK (state IN ('alive', 'dead', 'stopped')),
  host TEXT NOT NULL,
  pid INTEGER NOT NULL,
  name TEXT,
  concurrency INTEGER NOT NULL,
  types TEXT NOT NULL,
  queues TEXT,
  lease_ms INTEGER NOT NULL,
  started_at INTEGER NOT NULL,
  beat_at INTEGER NOT NULL,
  renewals INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE INDEX workers_alive ON workers (state) WHERE state = 'alive';

CREATE TABLE tasks (
  seq INTEGER PRIMARY KEY,
  id TEXT NOT NULL CHECK (length(id) BETWEEN 1 AND 128),
  lane INTEGER NOT NULL,
  -- 1 for an id that the caller chose, 0 for a generated one, which begins with the instant of creation.
  own_id INTEGER NOT NULL CHECK (own_id IN (0, 1)),
  status INTEGER NOT NULL CHECK (status BETWEEN 1 AND 5),
  priority INTEGER NOT NULL CHECK (priority BETWEEN -1000 AND 1000),
  due_at INTEGER NOT NULL CHECK (due_at BETWEEN -62135596800000 AND 253402300799999),
  created_at INTEGER NOT NULL CHECK (created_at BETWEEN -62135596800000 AND 253402300799999),
  updated_at INTEGER NOT NULL,
  started_at INTEGER,
  completed_at INTEGER,
  attempts INTEGER NOT NULL DEFAULT 0 CHECK (attempts >= 0),
  max_attempts INTEGER NOT NULL CHECK (max_attempts >= 1),
  fence INTEGER NOT NULL DEFAULT 0 CHECK (fence >= 0),
  crashes INTEGER NOT NULL DEFAULT 0 CHECK (crashes >= 0),
  snoozes INTEGER NOT NULL DEFAULT 0 CHECK (snoozes >= 0),
  -- 1 for a task that waits as it was enqueued; grows with every change.
  version INTEGER NOT NULL DEFAULT 1 CHECK (version >= 1),
  -- The worker that has it (RUNNING), or had it last.
  worker INTEGER,
  cancel_requested_at INTEGER,
  rerun_after_crash INTEGER NOT NULL CHECK (rerun_after_crash IN (0, 1)),
  -- NULL when it is long: then it is in big_payloads.
  payload TEXT,
  payload_types TEXT,
  result TEXT,
  result_types TEXT,
  error TEXT,
  description TEXT,
  tags TEXT,
  -- The type, a space, and the caller's key: unique per type.
  idempotency TEXT,
  settings TEXT,
  progress TEXT,
  CHECK (status <> 2 OR worker IS NOT NULL),
  CHECK ((status >= 3) = (completed_at IS NOT NULL)),
  CHECK (version > 1 OR (status = 1 AND updated_at = created_at))
) STRICT;

-- Long payloads, so that a change of a task's status does not write them anew.
CREATE TABLE big_payloads (
  seq INTEGER PRIMARY KEY,
  payload TEXT NOT NULL
) STRICT;

-- The claim: what may run, in the order it runs. Tasks whose worker died before wait in a line of their own.
CREATE INDEX tasks_claim ON tasks (lane, priority DESC, due_at, seq) WHERE status = 1 AND crashes = 0;
CREATE INDEX tasks_claim_suspect ON tasks (lane, priority DESC, due_at, seq) WHERE status = 1 AND crashes > 0;
CREATE INDEX tasks_running ON tasks (worker) WHERE status = 2;
CREATE UNIQUE INDEX tasks_idempotency ON tasks (idempotency) WHERE idempotency IS NOT NULL;

-- No id twice. Generated ids in order of creation, chosen ones beside them: so neither needs an index of its own for a
-- list by id, nor generated ones for a list by creation. That no chosen id is a generated one, the enqueue sees to.
CREATE UNIQUE INDEX tasks_id ON tasks (own_id, id);
CREATE INDEX tasks_own_id_created ON tasks (created_at, id) WHERE own_id = 1;

-- Search. A fresh task (version 1) was never updated, so that one index serves both instants. RUNNING tasks are few and
-- change at once, so they stay out; tasks_running finds them.
CREATE INDEX tasks_lane_fresh ON tasks (lane, created_at, id) WHERE version = 1;
CREATE INDEX tasks_lane_created ON tasks (lane, status, created_at, id) WHERE status <> 2 AND version > 1;
CREATE INDEX tasks_lane_updated ON tasks (lane, status, updated_at, id) WHERE status <> 2 AND version > 1;
CREATE INDEX tasks_lane_own_id ON tasks (lane, status, id) WHERE status <> 2 AND own_id = 1;

-- Ended attempts; one that is running, or that completed without logs, is told by its task's row alone.
CREATE TABLE attempts (
  seq INTEGER NOT NULL,
  fence INTEGER NOT NULL,
  number INTEGER NOT NULL,
  worker INTEGER,
  started_at INTEGER NOT NULL,
  ended_at INTEGER,
  outcome TEXT CHECK (outcome IN ('completed', 'failed', 'timed-out', 'cancelled', 'snoozed', 'released', 'lost')),
  error TEXT,
  late_outcome TEXT,
  logs TEXT,
  PRIMARY KEY (seq, fence)
) STRICT, WITHOUT ROWID;
