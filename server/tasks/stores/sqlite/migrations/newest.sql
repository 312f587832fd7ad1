-- 28: the schema as migration 28 leaves it, which a new database is made from. Written by tools/newest-schema.ts.

CREATE TABLE lanes (
  lane INTEGER PRIMARY KEY,
  type TEXT NOT NULL,
  queue TEXT NOT NULL,
  own_ids INTEGER NOT NULL CHECK (own_ids IN (0, 1)),
  UNIQUE (type, queue, own_ids)
) STRICT;

CREATE TABLE tallies (
  lane INTEGER NOT NULL,
  status INTEGER NOT NULL,
  tasks INTEGER NOT NULL CHECK (tasks >= 0), unindexed_at INTEGER, unindexed_id TEXT, changed_at INTEGER NOT NULL DEFAULT -62135596800000,
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
, attributes TEXT, payload_schema TEXT) STRICT;

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
, loop_delay_ms INTEGER) STRICT;

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
  progress TEXT, attributes TEXT, action_record TEXT,
  CHECK (status <> 2 OR worker IS NOT NULL),
  CHECK ((status >= 3) = (completed_at IS NOT NULL)),
  CHECK (version > 1 OR (status = 1 AND updated_at = created_at))
) STRICT;

CREATE TABLE big_payloads (
  seq INTEGER PRIMARY KEY,
  payload TEXT NOT NULL
) STRICT;

CREATE INDEX tasks_claim ON tasks (lane, priority DESC, due_at, seq) WHERE status = 1 AND crashes = 0;

CREATE INDEX tasks_claim_suspect ON tasks (lane, priority DESC, due_at, seq) WHERE status = 1 AND crashes > 0;

CREATE INDEX tasks_running ON tasks (worker) WHERE status = 2;

CREATE UNIQUE INDEX tasks_idempotency ON tasks (idempotency) WHERE idempotency IS NOT NULL;

CREATE UNIQUE INDEX tasks_id ON tasks (own_id, id);

CREATE INDEX tasks_own_id_created ON tasks (created_at, id) WHERE own_id = 1;

CREATE INDEX tasks_lane_fresh ON tasks (lane, created_at, id) WHERE version = 1;

CREATE INDEX tasks_lane_own_id ON tasks (lane, status, id) WHERE status <> 2 AND own_id = 1;

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

CREATE TABLE attribute_names (
  attribute INTEGER PRIMARY KEY,
  type TEXT NOT NULL,
  name TEXT NOT NULL,
  -- Whether a definition has declared it, and older tasks were seen to.
  declared INTEGER NOT NULL CHECK (declared IN (0, 1)),
  UNIQUE (type, name)
) STRICT;

CREATE TABLE attributes (
  attribute INTEGER NOT NULL,
  value ANY NOT NULL,
  state INTEGER NOT NULL CHECK (state IN (0, 3, 4, 5)),
  created_at INTEGER NOT NULL,
  seq INTEGER NOT NULL,
  PRIMARY KEY (attribute, value, state, created_at, seq)
) STRICT, WITHOUT ROWID;

CREATE TABLE attribute_fills (
  lane INTEGER PRIMARY KEY,
  attributes TEXT NOT NULL,
  below_at INTEGER NOT NULL,
  below_id TEXT NOT NULL,
  done INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE TABLE text_blocks (
  block INTEGER PRIMARY KEY,
  first_at INTEGER NOT NULL,
  last_at INTEGER NOT NULL
) STRICT;

CREATE TABLE text_marks (
  mark INTEGER PRIMARY KEY CHECK (mark = 1),
  fresh_to INTEGER NOT NULL
, truncated INTEGER NOT NULL DEFAULT 0 CHECK (truncated IN (0, 1))) STRICT;

CREATE TABLE clock_steps (
  step INTEGER PRIMARY KEY,
  at INTEGER NOT NULL
) STRICT;

CREATE TABLE saved_searches (
  name TEXT PRIMARY KEY,
  query TEXT NOT NULL,
  description TEXT,
  alert TEXT,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  alert_state TEXT,
  revision INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE history (
  span INTEGER NOT NULL,
  start INTEGER NOT NULL,
  type TEXT NOT NULL,
  completed INTEGER NOT NULL,
  failed INTEGER NOT NULL,
  cancelled INTEGER NOT NULL,
  retried INTEGER NOT NULL,
  wait_max INTEGER NOT NULL,
  run_max INTEGER NOT NULL,
  waits TEXT NOT NULL,
  runs TEXT NOT NULL,
  PRIMARY KEY (span, start, type)
) STRICT;

CREATE TABLE pauses (
  kind TEXT NOT NULL CHECK (kind IN ('type', 'queue')),
  name TEXT NOT NULL,
  paused_at INTEGER NOT NULL,
  reason TEXT,
  PRIMARY KEY (kind, name)
) STRICT, WITHOUT ROWID;

CREATE INDEX tasks_lane_updated ON tasks (lane, status, updated_at, id, created_at) WHERE status <> 2 AND version > 1;

CREATE TABLE attribute_marks (
  mark INTEGER PRIMARY KEY CHECK (mark = 1),
  up_to INTEGER NOT NULL
) STRICT;

CREATE TABLE app (
  only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
  name TEXT NOT NULL
) STRICT;

CREATE VIRTUAL TABLE texts USING fts5 (
  waiting, completed, failed, cancelled, lane,
  content = '', contentless_delete = 1, tokenize = 'trigram case_sensitive 1', detail = column
);

CREATE INDEX tasks_started ON tasks (lane, status, started_at, id, created_at, updated_at)
  WHERE status <> 2 AND started_at IS NOT NULL AND (status NOT IN (3, 4) OR updated_at - started_at NOT BETWEEN 0 AND 999);

CREATE INDEX tasks_due ON tasks (lane, status, due_at, id, created_at, updated_at) WHERE status >= 3 AND due_at <> created_at;

CREATE INDEX tasks_delayed ON tasks (lane, status, due_at, id, created_at, updated_at) WHERE status = 1 AND due_at <> created_at;

CREATE TABLE audit (
  id TEXT PRIMARY KEY,
  at INTEGER NOT NULL,
  action TEXT NOT NULL,
  kind TEXT NOT NULL,
  target TEXT NOT NULL,
  type TEXT,
  who TEXT,
  via TEXT NOT NULL,
  address TEXT,
  request_id TEXT,
  -- JSON.
  before TEXT,
  after TEXT
) STRICT, WITHOUT ROWID;

CREATE INDEX audit_at ON audit (at, id);

CREATE INDEX audit_target ON audit (target, at, id);

CREATE INDEX audit_who ON audit (who, at, id);

CREATE INDEX audit_action ON audit (action, at, id);

CREATE TRIGGER audit_stays BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'A record of the audit log is never changed.'); END;

CREATE TABLE history_changes (
  start INTEGER NOT NULL,
  type TEXT NOT NULL,
  status INTEGER NOT NULL,
  attempts INTEGER NOT NULL,
  wait_max INTEGER NOT NULL,
  run_max INTEGER NOT NULL,
  waits TEXT NOT NULL,
  runs TEXT NOT NULL
) STRICT;

CREATE TABLE "hour_tallies" (
  lane INTEGER NOT NULL,
  hour INTEGER NOT NULL,
  state INTEGER NOT NULL,
  tasks INTEGER NOT NULL,
  changed INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (lane, hour, state)
) STRICT, WITHOUT ROWID;

CREATE INDEX tasks_prioritized ON tasks (lane, status, priority, id, created_at, updated_at) WHERE status <> 2 AND priority <> 0;

CREATE INDEX tasks_delays ON tasks (lane, due_at - created_at) WHERE status = 1 AND due_at <> created_at;

CREATE TABLE "minute_tallies" (
  lane INTEGER NOT NULL,
  minute INTEGER NOT NULL,
  state INTEGER NOT NULL,
  tasks INTEGER NOT NULL,
  changed INTEGER NOT NULL,
  PRIMARY KEY (minute, lane, state)
) STRICT, WITHOUT ROWID;

CREATE TABLE day_tallies (
  lane INTEGER NOT NULL,
  day INTEGER NOT NULL,
  state INTEGER NOT NULL,
  tasks INTEGER NOT NULL,
  changed INTEGER NOT NULL,
  PRIMARY KEY (day, lane, state)
) STRICT, WITHOUT ROWID;

CREATE TABLE day_mark (day INTEGER NOT NULL) STRICT;

CREATE TRIGGER days_begun AFTER INSERT ON hour_tallies WHEN NEW.hour >= (SELECT day + 1 FROM day_mark) * 24 BEGIN
  INSERT INTO day_tallies (lane, day, state, tasks, changed)
    SELECT kept.lane, (hour + 17259888) / 24 - 719162, state, sum(tasks), sum(changed)
    FROM (SELECT 0 AS lane UNION ALL SELECT lane FROM lanes) AS own CROSS JOIN hour_tallies AS kept
    WHERE kept.lane = own.lane AND hour >= (SELECT day FROM day_mark) * 24 AND hour < ((NEW.hour + 17259888) / 24 - 719162) * 24
    GROUP BY 1, 2, 3;
  UPDATE day_mark SET day = (NEW.hour + 17259888) / 24 - 719162;
END;

CREATE TRIGGER days_inserted AFTER INSERT ON hour_tallies WHEN NEW.hour < (SELECT day FROM day_mark) * 24 BEGIN
  INSERT INTO day_tallies (lane, day, state, tasks, changed)
    VALUES (NEW.lane, (NEW.hour + 17259888) / 24 - 719162, NEW.state, NEW.tasks, NEW.changed)
    ON CONFLICT DO UPDATE SET tasks = tasks + excluded.tasks, changed = changed + excluded.changed;
END;

CREATE TRIGGER days_updated AFTER UPDATE ON hour_tallies WHEN NEW.hour < (SELECT day FROM day_mark) * 24 BEGIN
  UPDATE day_tallies SET tasks = tasks - OLD.tasks + NEW.tasks, changed = changed - OLD.changed + NEW.changed
    WHERE day = (NEW.hour + 17259888) / 24 - 719162 AND lane = NEW.lane AND state = NEW.state;
END;

CREATE TRIGGER days_deleted AFTER DELETE ON hour_tallies WHEN OLD.hour < (SELECT day FROM day_mark) * 24 BEGIN
  UPDATE day_tallies SET tasks = tasks - OLD.tasks, changed = changed - OLD.changed
    WHERE day = (OLD.hour + 17259888) / 24 - 719162 AND lane = OLD.lane AND state = OLD.state;
  DELETE FROM day_tallies WHERE day = (OLD.hour + 17259888) / 24 - 719162 AND lane = OLD.lane AND state = OLD.state
    AND tasks = 0 AND changed = 0;
END;

CREATE INDEX tasks_duration ON tasks (lane, status, completed_at - started_at, id, updated_at)
  WHERE status >= 3 AND started_at IS NOT NULL AND (own_id = 1 OR completed_at - started_at NOT BETWEEN 0 AND 63);

CREATE INDEX tasks_lane_created ON tasks (lane, status, created_at, id, updated_at, completed_at - started_at)
  WHERE status <> 2 AND version > 1;

CREATE TABLE brief_hours (
  lane INTEGER NOT NULL,
  status INTEGER NOT NULL,
  duration INTEGER NOT NULL,
  hour INTEGER NOT NULL,
  PRIMARY KEY (lane, status, duration, hour)
) STRICT, WITHOUT ROWID;

CREATE INDEX tasks_late_created ON tasks (lane, status, created_at, id, updated_at)
  WHERE status <> 2 AND version > 1 AND updated_at - created_at > 300000;

CREATE INDEX tasks_late_updated ON tasks (lane, status, updated_at, id, created_at)
  WHERE status <> 2 AND version > 1 AND updated_at - created_at > 300000;

CREATE INDEX tasks_started_oddly ON tasks (lane, status, started_at, id, created_at, updated_at)
  WHERE status <> 2 AND started_at IS NOT NULL AND (status NOT IN (3, 4) OR updated_at - started_at NOT BETWEEN 0 AND 999)
    AND (started_at - created_at NOT BETWEEN 0 AND 300000 OR updated_at - started_at NOT BETWEEN 0 AND 300000);

INSERT INTO text_marks (mark, fresh_to, truncated) VALUES (1, 0, 0);

INSERT INTO attribute_marks (mark, up_to) VALUES (1, 9007199254740991);

INSERT INTO day_mark (day) VALUES (-719162);
