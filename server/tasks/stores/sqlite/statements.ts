/**
 * Every SQL statement of the SQLite store, whole and named. Statuses: 1 PENDING, 2 RUNNING, 3 COMPLETED, 4 FAILED,
 * 5 CANCELLED. Writes run inside BEGIN IMMEDIATE, so no other writer comes between two of them. INDEXED BY where
 * the planner, left to itself, may sort instead: an error is better than a claim that is ten times as slow.
 * `status <> 2` beside `status = ?` is what lets the planner use an index that leaves RUNNING tasks out.
 */
import { lateMs } from "../shared/search-bounds.ts";

const payload =
  "coalesce(payload, (SELECT big_payloads.payload FROM big_payloads WHERE big_payloads.seq = tasks.seq)) AS payload";

/** What a task is made of, in the order that rows.ts reads it; what most tasks have none of is one column. */
const taskColumns = [
  "seq, id, lane, status, priority, due_at, created_at, updated_at, started_at, completed_at, attempts, max_attempts",
  `version, worker, ${payload}, result, error`,
  `CASE WHEN crashes = 0 AND snoozes = 0 AND coalesce(cancel_requested_at, payload_types, result_types, description, tags,
      idempotency, progress) IS NULL THEN NULL
    ELSE json_array(crashes, snoozes, cancel_requested_at, payload_types, result_types, description, tags, idempotency, progress) END`,
].join(", ");

/** And what its attempts and conditions need. */
const columns = `${taskColumns}, fence, attributes`;

const bareColumns = columns.replace(payload, "'null'").replace(", result, error", ", NULL, error");

/** What a claim cannot know beforehand, in the order that rows.ts reads it; what most tasks have none of is one column. */
const claimedColumns = `seq, id, lane, priority, due_at, created_at, attempts, max_attempts, fence, version, ${payload},
    CASE WHEN crashes = 0 AND snoozes = 0
      AND coalesce(payload_types, error, description, tags, idempotency, settings, progress) IS NULL THEN NULL
    ELSE json_array(crashes, snoozes, payload_types, error, description, tags, idempotency, settings, progress) END`;

/** Rows in one INSERT: a quarter faster than one by one (docs/design/storage.md). */
export const insertBatch = 20;

const newColumns = `lane, priority, due_at, max_attempts, rerun_after_crash, payload_types, description, tags, settings,
     own_id, status, id, created_at, updated_at, payload, idempotency`;

/** Nine values that a run of tasks shares, then of each task id, instant, payload and idempotency, from number `at` on. */
function newValues(ownId: string, at: number): string {
  const [id, createdAt, payload, idempotency] = [at, at + 1, at + 2, at + 3].map(
    (number) => `?${number + 1}`,
  );
  const shared = `?1, ?2, coalesce(?3, ${createdAt}), ?4, ?5, ?6, ?7, ?8, ?9`;
  return `${shared}, ${ownId}, 1, ${id}, ${createdAt}, ${createdAt}, ${payload}, ${idempotency}`;
}

/** Values of `insertBatch` tasks, with or without a fifth of each, its attributes. */
function newBatch(withAttributes: boolean): string {
  const size = withAttributes ? 5 : 4;
  const values = Array.from({ length: insertBatch }, (_, place) => {
    const at = 9 + size * place;
    return `(${newValues("0", at)}${withAttributes ? `, ?${at + size}` : ""})`;
  });
  return values.join(", ");
}

export const sql = {
  // Lanes and tallies
  lastLane: "/* dure:lastLane */ SELECT coalesce(max(lane), 0) FROM lanes",
  dayMark: "/* dure:dayMark */ SELECT day FROM day_mark",
  findLane: "/* dure:findLane */ SELECT lane FROM lanes WHERE type = ? AND queue = ? AND own_ids = ?",
  insertLane:
    "/* dure:insertLane */ INSERT INTO lanes (type, queue, own_ids) VALUES (?, ?, ?) RETURNING lane",
  /** Whatever decides which lanes are claimed from; the whole of `pauses`, which is empty as a rule, as one text. */
  lanesAndPauses: `/* dure:lanesAndPauses */ SELECT coalesce(max(lane), 0),
    (SELECT group_concat(kind || ' ' || name, char(10)) FROM pauses) FROM lanes`,
  lanesOfTypes:
    "/* dure:lanesOfTypes */ SELECT lane, lanes.type, queue FROM json_each(?) AS wanted JOIN lanes ON lanes.type = wanted.value ORDER BY lane",
  lanesAfter: "/* dure:lanesAfter */ SELECT lane, type, queue FROM lanes WHERE lane > ? ORDER BY lane",
  laneNames: `/* dure:laneNames */ SELECT lane, lanes.type, lanes.queue, description FROM json_each(?) AS wanted
    JOIN lanes ON lane = wanted.value LEFT JOIN definitions ON definitions.id = lanes.type`,
  waitingOfLane: "/* dure:waitingOfLane */ SELECT tasks FROM tallies WHERE lane = ? AND status = 1",
  addToTally:
    "/* dure:addToTally */ UPDATE tallies SET tasks = tasks + ?, changed_at = max(changed_at, ?4) WHERE lane = ?2 AND status = ?3",
  insertTally:
    "/* dure:insertTally */ INSERT INTO tallies (tasks, lane, status, changed_at) VALUES (?3, ?1, ?2, ?4)",
  /** The earlier place of two; from it on, texts are to be indexed. */
  noteUnindexed: `/* dure:noteUnindexed */ UPDATE tallies SET unindexed_at = ?1, unindexed_id = ''
    WHERE lane = ?2 AND status = ?3 AND (unindexed_at IS NULL OR unindexed_at >= ?1)`,
  pairs: `/* dure:pairs */ SELECT lane, type, queue, own_ids, status, tasks FROM tallies JOIN lanes USING (lane)
    WHERE tasks > 0`,
  allTasks: "/* dure:allTasks */ SELECT coalesce(sum(tasks), 0) FROM tallies",
  tallies: "/* dure:tallies */ SELECT lane, status, tasks, changed_at FROM tallies WHERE tasks > 0",
  talliesOfStatuses: `/* dure:talliesOfStatuses */ SELECT lane, status, tasks, changed_at FROM tallies
    WHERE tasks > 0 AND status IN (SELECT value FROM json_each(?))`,
  lanes: "/* dure:lanes */ SELECT lane, type, queue, own_ids FROM lanes",
  pairsOfTypes: `/* dure:pairsOfTypes */ SELECT lane, lanes.type, queue, own_ids, status, tasks, changed_at FROM json_each(?) AS wanted
    JOIN lanes ON lanes.type = wanted.value JOIN tallies USING (lane) WHERE tasks > 0`,

  // Definitions
  saveDefinition: `/* dure:saveDefinition */ INSERT INTO definitions
    (id, description, max_attempts, queue, priority, timeout_ms, tags, rerun_after_crash, created_at, updated_at, attributes,
    payload_schema) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?9, ?10, ?11)
    ON CONFLICT (id) DO UPDATE SET description = ?2, max_attempts = ?3, queue = ?4, priority = ?5, timeout_ms = ?6,
      tags = ?7, rerun_after_crash = ?8, updated_at = ?9, attributes = ?10, payload_schema = ?11
    WHERE (description, max_attempts, queue, priority, timeout_ms, tags, rerun_after_crash, attributes, payload_schema)
      IS NOT (?2, ?3, ?4, ?5, ?6, ?7, ?8, ?10, ?11)`,
  listDefinitions: `/* dure:listDefinitions */ SELECT id, description, max_attempts, queue, priority, timeout_ms, tags,
    rerun_after_crash, created_at, updated_at, attributes, payload_schema FROM definitions ORDER BY id`,
  findDefinition: `/* dure:findDefinition */ SELECT id, description, max_attempts, queue, priority, timeout_ms, tags,
    rerun_after_crash, created_at, updated_at, attributes, payload_schema FROM definitions WHERE id = ?`,
  isDefinition: "/* dure:isDefinition */ SELECT 1 FROM definitions WHERE id = ?",
  definitionsWithoutTasks: `/* dure:definitionsWithoutTasks */ SELECT id, description, max_attempts, queue, priority,
    timeout_ms, tags, rerun_after_crash, created_at, updated_at, attributes, payload_schema FROM definitions AS d
    WHERE NOT EXISTS (SELECT 1 FROM lanes JOIN tallies USING (lane) WHERE type = d.id AND tasks > 0)`,

  // Enqueue
  insertTask: `/* dure:insertTask */ INSERT INTO tasks (${newColumns}, attributes)
    VALUES (${newValues("?10", 10)}, ?15) ON CONFLICT DO NOTHING`,
  /** `insertBatch` tasks of generated ids at once; fails as a whole when one of them cannot be. */
  insertTasks: `/* dure:insertTasks */ INSERT INTO tasks (${newColumns}) VALUES ${newBatch(false)}`,
  insertTasksWithAttributes: `/* dure:insertTasksWithAttributes */ INSERT INTO tasks (${newColumns}, attributes)
    VALUES ${newBatch(true)}`,
  insertBigPayload: "/* dure:insertBigPayload */ INSERT INTO big_payloads (seq, payload) VALUES (?, ?)",
  findByIdempotency: `/* dure:findByIdempotency */ SELECT ${columns} FROM tasks WHERE idempotency = ?`,

  // Read
  findTask: `/* dure:findTask */ SELECT ${columns} FROM tasks WHERE own_id IN (0, 1) AND id = ?`,
  hasGeneratedId: "/* dure:hasGeneratedId */ SELECT 1 FROM tasks WHERE own_id = 0 AND id = ?",
  hasOwnIds: "/* dure:hasOwnIds */ SELECT 1 FROM tasks WHERE own_id = 1 LIMIT 1",
  listAttempts: `/* dure:listAttempts */ SELECT fence, number, worker, started_at, ended_at, outcome, error, late_outcome,
    logs FROM attempts WHERE seq = ? ORDER BY fence`,
  idsFrom:
    "/* dure:idsFrom */ SELECT id FROM tasks WHERE own_id = ?1 AND id >= ?2 AND id < ?3 ORDER BY id LIMIT 50",
  oldestDue: `/* dure:oldestDue */ SELECT due_at FROM tasks INDEXED BY tasks_claim WHERE status = 1 AND crashes = 0
    AND lane = ? AND priority = ? ORDER BY due_at LIMIT 1`,

  startsOf: `/* dure:startsOf */ SELECT seq, started_at
    FROM (SELECT value AS wanted FROM json_each(?)) CROSS JOIN tasks ON seq = wanted`,
  delayedOf: `/* dure:delayedOf */ SELECT seq FROM (SELECT value AS wanted FROM json_each(?))
    CROSS JOIN tasks ON seq = wanted WHERE due_at <> created_at`,

  // Workers
  insertWorker: `/* dure:insertWorker */ INSERT INTO workers
    (id, state, host, pid, name, concurrency, types, queues, lease_ms, started_at, beat_at)
    VALUES (?1, 'alive', ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?9) ON CONFLICT (id) DO NOTHING`,
  workerNumber: "/* dure:workerNumber */ SELECT worker FROM workers WHERE id = ?",
  aliveWorker: "/* dure:aliveWorker */ SELECT worker FROM workers WHERE id = ? AND state = 'alive'",
  renewLease: `/* dure:renewLease */ UPDATE workers SET renewals = renewals + 1, beat_at = ?1, loop_delay_ms = ?3
    WHERE id = ?2 AND state = 'alive' RETURNING worker`,
  stopWorker: `/* dure:stopWorker */ UPDATE workers SET state = 'stopped', beat_at = ?2 WHERE id = ?1 AND state = 'alive'
    AND NOT EXISTS (SELECT 1 FROM tasks INDEXED BY tasks_running WHERE status = 2 AND worker = workers.worker)`,
  listWorkers: `/* dure:listWorkers */ SELECT id, state, host, pid, name, concurrency, types, queues, lease_ms, started_at,
    beat_at, renewals, CASE state WHEN 'alive' THEN (SELECT count(*) FROM tasks INDEXED BY tasks_running
      WHERE status = 2 AND tasks.worker = workers.worker) ELSE 0 END AS running, loop_delay_ms
    FROM workers ORDER BY (state = 'alive') DESC, worker DESC LIMIT 1000`,
  workerIds:
    "/* dure:workerIds */ SELECT worker, workers.id FROM json_each(?) AS wanted JOIN workers ON worker = wanted.value",
  aliveWorkers:
    "/* dure:aliveWorkers */ SELECT id FROM workers INDEXED BY workers_alive WHERE state = 'alive'",
  buryWorker: `/* dure:buryWorker */ UPDATE workers SET state = 'dead' WHERE id = ?1 AND state = 'alive'
    AND (?2 IS NULL OR renewals = ?2) RETURNING worker`,
  countWorkers: "/* dure:countWorkers */ SELECT state, count(*) AS workers FROM workers GROUP BY state",

  // Claim (T1). One lane and one priority at a time, so that the order of the index is the order of the answer.
  topPriority: `/* dure:topPriority */ SELECT priority FROM tasks INDEXED BY tasks_claim
    WHERE status = 1 AND crashes = 0 AND lane = ?1 AND priority < ?2 ORDER BY priority DESC LIMIT 1`,
  /** The next lane in which anything waits, and the highest priority in it. */
  nextLane: `/* dure:nextLane */ SELECT lane, priority FROM tasks INDEXED BY tasks_claim
    WHERE status = 1 AND crashes = 0 AND lane > ?1 ORDER BY lane, priority DESC LIMIT 1`,
  nextSuspectLane: `/* dure:nextSuspectLane */ SELECT lane, priority FROM tasks INDEXED BY tasks_claim_suspect
    WHERE status = 1 AND crashes > 0 AND lane > ?1 ORDER BY lane, priority DESC LIMIT 1`,
  stillDue: `/* dure:stillDue */ SELECT seq, lane, priority, due_at FROM json_each(?) AS wanted
    CROSS JOIN tasks ON seq = wanted.value WHERE status = 1 AND crashes = 0`,
  dueInLane: `/* dure:dueInLane */ SELECT due_at, seq FROM tasks INDEXED BY tasks_claim
    WHERE status = 1 AND crashes = 0 AND lane = ?1 AND priority = ?2 AND due_at <= ?3 ORDER BY due_at, seq LIMIT ?4`,
  nextDueInLane: `/* dure:nextDueInLane */ SELECT due_at FROM tasks INDEXED BY tasks_claim
    WHERE status = 1 AND crashes = 0 AND lane = ?1 AND priority = ?2 AND due_at > ?3 ORDER BY due_at LIMIT 1`,
  topSuspectPriority: `/* dure:topSuspectPriority */ SELECT priority FROM tasks INDEXED BY tasks_claim_suspect
    WHERE status = 1 AND crashes > 0 AND lane = ?1 AND priority < ?2 ORDER BY priority DESC LIMIT 1`,
  suspectInLane: `/* dure:suspectInLane */ SELECT due_at, seq FROM tasks INDEXED BY tasks_claim_suspect
    WHERE status = 1 AND crashes > 0 AND lane = ?1 AND priority = ?2 AND due_at <= ?3 ORDER BY due_at, seq LIMIT 1`,
  nextSuspectInLane: `/* dure:nextSuspectInLane */ SELECT due_at FROM tasks INDEXED BY tasks_claim_suspect
    WHERE status = 1 AND crashes > 0 AND lane = ?1 AND priority = ?2 AND due_at > ?3 ORDER BY due_at LIMIT 1`,
  // CROSS JOIN: in the order of the list.
  readTasks: `/* dure:readTasks */ SELECT ${columns} FROM (SELECT value AS wanted FROM json_each(?))
    CROSS JOIN tasks ON seq = wanted`,
  /** For a page, of which nothing is asked but its tasks: each value that is brought to JavaScript and sent costs time. */
  readPage: `/* dure:readPage */ SELECT ${taskColumns} FROM (SELECT value AS wanted FROM json_each(?))
    CROSS JOIN tasks ON seq = wanted`,
  /** How large the payloads and results of these are, without reading them. */
  valueBytes: `/* dure:valueBytes */ SELECT coalesce(sum(coalesce(octet_length(payload), (SELECT octet_length(big_payloads.payload)
      FROM big_payloads WHERE big_payloads.seq = tasks.seq), 0) + coalesce(octet_length(result), 0)), 0)
    FROM (SELECT value AS wanted FROM json_each(?)) CROSS JOIN tasks ON seq = wanted`,
  /** In place of what a task was given and has given, nothing. */
  readBareTasks: `/* dure:readBareTasks */ SELECT ${bareColumns} FROM (SELECT value AS wanted FROM json_each(?))
    CROSS JOIN tasks ON seq = wanted`,
  /** Those whose JSON may have a text in it; a long payload is not in the row. See row-filter.ts. */
  readByPayload: `/* dure:readByPayload */ SELECT ${columns} FROM (SELECT value AS wanted FROM json_each(?1))
    CROSS JOIN tasks ON seq = wanted WHERE payload IS NULL OR instr(payload, ?2) > 0 OR instr(payload, '\\u') > 0`,
  readByResult: `/* dure:readByResult */ SELECT ${columns} FROM (SELECT value AS wanted FROM json_each(?1))
    CROSS JOIN tasks ON seq = wanted WHERE instr(result, ?2) > 0 OR instr(result, '\\u') > 0`,
  readDueTasks: `/* dure:readDueTasks */ SELECT ${claimedColumns} FROM (SELECT value AS wanted FROM json_each(?))
    CROSS JOIN tasks ON seq = wanted`,
  claimTasks: `/* dure:claimTasks */ UPDATE tasks SET status = 2, worker = ?1, fence = fence + 1, attempts = attempts + 1,
    started_at = ?2, updated_at = max(?2, created_at), version = version + 1
    WHERE seq IN (SELECT value FROM json_each(?3)) AND status = 1`,

  // Settle (T3, T4, T5, T8, T11, T12). Each guards by id, fence, owner and status at once.
  completeTask: `/* dure:completeTask */ UPDATE tasks SET status = 3, completed_at = ?1, updated_at = max(?1, created_at),
    result = ?2, result_types = ?3, error = NULL, cancel_requested_at = NULL, version = version + 1
    WHERE seq = ?4 AND id = ?5 AND fence = ?6 AND worker = ?7 AND status = 2`,
  /** Many at once; `?2` is a JSON object of keys by id. Its inner query carries every guard of `completeTask`. */
  completeTasks: `/* dure:completeTasks */ UPDATE tasks SET status = 3, completed_at = ?1, updated_at = max(?1, created_at),
    error = NULL, cancel_requested_at = NULL, version = version + 1
    WHERE seq IN (SELECT seq FROM json_each(?2) AS ended CROSS JOIN tasks AS owned ON seq = ended.value
      WHERE owned.id = ended.key AND fence = ?3 AND worker = ?4 AND status = 2)`,
  ownedTask: `/* dure:ownedTask */ SELECT attempts, max_attempts, cancel_requested_at FROM tasks
    WHERE seq = ?1 AND id = ?2 AND fence = ?3 AND worker = ?4 AND status = 2`,
  endTask: `/* dure:endTask */ UPDATE tasks SET status = ?1, completed_at = ?2, updated_at = max(?2, created_at), error = ?3,
    cancel_requested_at = NULL, version = version + 1 WHERE seq = ?4`,
  endLostTask: `/* dure:endLostTask */ UPDATE tasks SET status = ?1, completed_at = ?2, updated_at = max(?2, created_at),
    error = ?3, cancel_requested_at = NULL, attempts = attempts - 1, crashes = crashes + 1, version = version + 1
    WHERE seq = ?4`,
  putBackTask: `/* dure:putBackTask */ UPDATE tasks SET status = 1, due_at = ?1, updated_at = max(?2, created_at),
    error = coalesce(?3, error), attempts = attempts - ?4, snoozes = snoozes + ?5, crashes = crashes + ?6,
    version = version + 1 WHERE seq = ?7`,
  writeAttempt: `/* dure:writeAttempt */ INSERT INTO attempts
    (seq, fence, number, worker, started_at, ended_at, outcome, error, logs)
    SELECT seq, fence, attempts, worker, started_at, ?2, ?3, ?4, ?5 FROM tasks WHERE seq = ?1
    ON CONFLICT (seq, fence) DO UPDATE SET ended_at = excluded.ended_at, outcome = excluded.outcome,
      error = excluded.error, logs = coalesce(excluded.logs, logs)`,
  attemptOutcome: `/* dure:attemptOutcome */ SELECT outcome, worker FROM attempts WHERE seq = ?1 AND fence = ?2`,
  latestAttempt:
    "/* dure:latestAttempt */ SELECT status, fence, worker, due_at FROM tasks WHERE seq = ?1 AND id = ?2",
  lateOutcome: `/* dure:lateOutcome */ UPDATE attempts SET late_outcome = ?3
    WHERE seq = ?1 AND fence = ?2 AND worker = ?4 AND outcome = 'lost'`,
  reportProgress: `/* dure:reportProgress */ UPDATE tasks SET progress = coalesce(?1, progress)
    WHERE seq = ?2 AND id = ?3 AND fence = ?4 AND worker = ?5 AND status = 2`,
  cancelRequests: `/* dure:cancelRequests */ SELECT id, fence FROM tasks INDEXED BY tasks_running
    WHERE status = 2 AND worker = (SELECT worker FROM workers WHERE id = ?) AND cancel_requested_at IS NOT NULL`,

  runningTasks: `/* dure:runningTasks */ SELECT seq, id, lane, created_at, updated_at, started_at, due_at, priority
    FROM tasks INDEXED BY tasks_running
    WHERE status = 2 AND worker IS NOT NULL`,

  // Reap (T9, T8b)
  ownedTasks: `/* dure:ownedTasks */ SELECT seq, id, fence, lane, cancel_requested_at, created_at, started_at, started_at - due_at,
    (SELECT type FROM lanes WHERE lanes.lane = tasks.lane) FROM tasks INDEXED BY tasks_running WHERE status = 2 AND worker = ?`,
  lostTasks: `/* dure:lostTasks */ SELECT seq, id, lane, crashes, rerun_after_crash, cancel_requested_at, created_at,
    started_at FROM tasks INDEXED BY tasks_running WHERE status = 2 AND worker = ?`,
  orphanOwners: `/* dure:orphanOwners */ SELECT DISTINCT worker FROM tasks INDEXED BY tasks_running WHERE status = 2
    AND worker NOT IN (SELECT worker FROM workers INDEXED BY workers_alive WHERE state = 'alive')`,
  overdueCancels: `/* dure:overdueCancels */ SELECT seq, id, lane, created_at, started_at FROM tasks INDEXED BY tasks_running WHERE status = 2
    AND worker IS NOT NULL AND cancel_requested_at < ?`,

  // Manage (T6, T7, T13, T14, T15)
  cancelPending: `/* dure:cancelPending */ UPDATE tasks SET status = 5, completed_at = ?1, updated_at = max(?1, created_at),
    action_record = coalesce(?3, action_record), version = version + 1 WHERE seq = ?2 AND status = 1 RETURNING ${columns}`,
  requestCancel: `/* dure:requestCancel */ UPDATE tasks SET cancel_requested_at = coalesce(cancel_requested_at, ?1),
    action_record = iif(cancel_requested_at IS NULL, coalesce(?3, action_record), action_record),
    version = version + (cancel_requested_at IS NULL) WHERE seq = ?2 AND status = 2 RETURNING ${columns}`,
  retryTask: `/* dure:retryTask */ UPDATE tasks SET status = 1, due_at = ?1, updated_at = max(?1, created_at),
    completed_at = NULL, attempts = 0, crashes = 0, snoozes = 0, cancel_requested_at = NULL, progress = NULL,
    action_record = coalesce(?3, action_record), version = version + 1 WHERE seq = ?2 AND status IN (4, 5) RETURNING ${columns}`,
  editTask: `/* dure:editTask */ UPDATE tasks SET priority = coalesce(?1, priority), due_at = coalesce(?2, due_at),
    updated_at = max(?3, created_at), action_record = coalesce(?5, action_record), version = version + 1
    WHERE seq = ?4 AND status = 1 RETURNING ${columns}`,
  deleteTask: "/* dure:deleteTask */ DELETE FROM tasks WHERE seq = ? AND status >= 3",
  deleteBigPayload: "/* dure:deleteBigPayload */ DELETE FROM big_payloads WHERE seq = ?",
  deleteAttempts: "/* dure:deleteAttempts */ DELETE FROM attempts WHERE seq = ?",

  // Prune. `updated_at` of a finished task is the instant it ended.
  lanesWithStatus:
    "/* dure:lanesWithStatus */ SELECT lane, tasks FROM tallies WHERE status = ? AND tasks > 0",
  typesWithStatus: `/* dure:typesWithStatus */ SELECT lane, tasks FROM json_each(?2) AS wanted JOIN lanes ON lanes.type = wanted.value
    JOIN tallies USING (lane) WHERE status = ?1 AND tasks > 0`,
  prunable: `/* dure:prunable */ SELECT updated_at, seq, lane, id, created_at FROM tasks INDEXED BY tasks_lane_updated
    WHERE lane = ?1 AND status = ?2 AND status <> 2 AND version > 1 AND updated_at < ?3 ORDER BY updated_at, id LIMIT ?4`,
} as const;

/** The rows of attributes. Every one is found by its whole key, which its task's row tells. */
export const attributeSql = {
  newestAttribute: "/* dure:newestAttribute */ SELECT coalesce(max(attribute), 0) FROM attribute_names",
  hasAttributes: "/* dure:hasAttributes */ SELECT 1 FROM attribute_names WHERE type = ? LIMIT 1",
  typeOfLane: "/* dure:typeOfLane */ SELECT type FROM lanes WHERE lane = ?",
  findAttribute: "/* dure:findAttribute */ SELECT attribute FROM attribute_names WHERE type = ? AND name = ?",
  insertAttributeName: `/* dure:insertAttributeName */ INSERT INTO attribute_names (type, name, declared)
    VALUES (?, ?, 0) RETURNING attribute`,
  insertAttribute: `/* dure:insertAttribute */ INSERT OR IGNORE INTO attributes (attribute, value, state, created_at, seq)
    VALUES (?, ?, ?, ?, ?)`,
  moveAttribute: `/* dure:moveAttribute */ UPDATE attributes SET state = ?
    WHERE attribute = ? AND value = ? AND state = ? AND created_at = ? AND seq = ?`,
  deleteAttribute: `/* dure:deleteAttribute */ DELETE FROM attributes
    WHERE attribute = ? AND value = ? AND state = ? AND created_at = ? AND seq = ?`,
  attributesOfTask:
    "/* dure:attributesOfTask */ SELECT seq, created_at, attributes, status FROM tasks WHERE seq = ? AND id = ?",
  attributesOfTasks: `/* dure:attributesOfTasks */ SELECT seq, created_at, attributes, status
    FROM (SELECT value AS wanted FROM json_each(?)) CROSS JOIN tasks ON seq = wanted WHERE attributes IS NOT NULL`,
  attributeMark: "/* dure:attributeMark */ SELECT up_to FROM attribute_marks",
  setAttributeMark: "/* dure:setAttributeMark */ UPDATE attribute_marks SET up_to = ?",
  attributesAfter: `/* dure:attributesAfter */ SELECT seq, created_at, attributes, status, lanes.type
    FROM tasks JOIN lanes USING (lane) WHERE seq > ? AND attributes IS NOT NULL ORDER BY seq LIMIT ?`,
  attributesBeyond: `/* dure:attributesBeyond */ SELECT seq, attributes FROM tasks
    WHERE seq > (SELECT up_to FROM attribute_marks) AND attributes IS NOT NULL`,
  setAttributes: "/* dure:setAttributes */ UPDATE tasks SET attributes = ? WHERE seq = ?",
} as const;

/** Filling in attributes for tasks that were stored before; see attribute-fills.ts. */
export const fillSql = {
  declareAttribute: `/* dure:declareAttribute */ INSERT INTO attribute_names (type, name, declared) VALUES (?, ?, 1)
    ON CONFLICT (type, name) DO UPDATE SET declared = 1 WHERE declared = 0 RETURNING attribute`,
  beginFill: `/* dure:beginFill */ INSERT INTO attribute_fills (lane, attributes, below_at, below_id)
    SELECT lane, ?2, 253402300800000, '' FROM lanes
      WHERE type = ?1 AND EXISTS (SELECT 1 FROM tallies WHERE tallies.lane = lanes.lane AND tasks > 0)
    ON CONFLICT (lane) DO UPDATE SET below_at = excluded.below_at, below_id = '', done = 0,
      attributes = (SELECT json_group_array(value) FROM
        (SELECT value FROM json_each(attributes) UNION SELECT value FROM json_each(?2)))`,
  fills: `/* dure:fills */ SELECT lane, below_at, below_id,
      (SELECT json_group_array(name) FROM attribute_names WHERE attribute IN (SELECT value FROM json_each(attributes)))
    FROM json_each(?) AS wanted JOIN lanes ON lanes.type = wanted.value JOIN attribute_fills USING (lane) ORDER BY lane`,
  allFills: `/* dure:allFills */ SELECT type, sum(max(0, done_of.tasks - done)) AS tasks FROM attribute_fills
      JOIN lanes USING (lane) JOIN (SELECT lane, sum(tasks) AS tasks FROM tallies GROUP BY lane) AS done_of USING (lane)
    GROUP BY type`,
  freshBelow: `/* dure:freshBelow */ SELECT seq, created_at, id FROM tasks INDEXED BY tasks_lane_fresh
    WHERE version = 1 AND lane = ?1 AND (created_at, id) < (?2, ?3) ORDER BY created_at DESC, id DESC LIMIT ?4`,
  changedBelow: `/* dure:changedBelow */ SELECT seq, created_at, id FROM tasks INDEXED BY tasks_lane_created
    WHERE status <> 2 AND version > 1 AND lane = ?1 AND status = ?5 AND (created_at, id) < (?2, ?3)
    ORDER BY created_at DESC, id DESC LIMIT ?4`,
  runningBelow: `/* dure:runningBelow */ SELECT seq, created_at, id FROM tasks INDEXED BY tasks_running
    WHERE status = 2 AND worker IS NOT NULL AND lane = ?1 AND (created_at, id) < (?2, ?3)
    ORDER BY created_at DESC, id DESC LIMIT ?4`,
  moveFill: `/* dure:moveFill */ UPDATE attribute_fills SET below_at = ?2, below_id = ?3, done = done + ?4
    WHERE lane = ?1 AND (below_at, below_id) > (?2, ?3)`,
  endFill: "/* dure:endFill */ DELETE FROM attribute_fills WHERE lane = ?",
  fillOfLane: "/* dure:fillOfLane */ SELECT below_at, below_id FROM attribute_fills WHERE lane = ?",
} as const;

/** Full text; see texts.ts. */
export const textSql = {
  /** In the column of its state. */
  writeText: `/* dure:writeText */ INSERT OR REPLACE INTO texts (rowid, waiting, completed, failed, cancelled, lane)
    VALUES (?1, CASE ?2 WHEN 0 THEN ?3 END, CASE ?2 WHEN 3 THEN ?3 END, CASE ?2 WHEN 4 THEN ?3 END, CASE ?2 WHEN 5 THEN ?3 END, ?4)`,
  insertSmall: `/* dure:insertSmall */ INSERT OR REPLACE INTO text_marks (mark, fresh_to, truncated)
    SELECT mark, fresh_to, truncated FROM text_marks WHERE mark = 1`,
  noteTruncated:
    "/* dure:noteTruncated */ UPDATE text_marks SET truncated = 1 WHERE mark = 1 AND truncated = 0",
  isTruncated: "/* dure:isTruncated */ SELECT 1 FROM text_marks WHERE mark = 1 AND truncated = 1",
  deleteText: "/* dure:deleteText */ DELETE FROM texts WHERE rowid = ?",
  /** One that is RUNNING by now comes again when it ends, as every other that has changed does. */
  sameTask: `/* dure:sameTask */ SELECT created_at, status, lane FROM tasks
    WHERE seq = ? AND id = ? AND (version = ? OR status = 2)`,
  widenBlock: `/* dure:widenBlock */ INSERT INTO text_blocks (block, first_at, last_at) VALUES (?1, ?2, ?3)
    ON CONFLICT (block) DO UPDATE SET first_at = min(first_at, ?2), last_at = max(last_at, ?3)
      WHERE first_at > ?2 OR last_at < ?3`,
  /** The size is bound as a real number, by which the block that the oldest task is in would be dropped too. */
  dropBlocks: `/* dure:dropBlocks */ DELETE FROM text_blocks
    WHERE block < (SELECT min(seq) FROM tasks) / CAST(? AS INTEGER)`,
  freshTo: "/* dure:freshTo */ SELECT fresh_to FROM text_marks WHERE mark = 1",
  moveFresh: "/* dure:moveFresh */ UPDATE text_marks SET fresh_to = ?2 WHERE mark = 1 AND fresh_to = ?1",
  /** Numbers of tasks that are gone are given again to new ones. */
  pullFresh: `/* dure:pullFresh */ UPDATE text_marks SET fresh_to = (SELECT coalesce(max(seq), 0) FROM tasks)
    WHERE mark = 1 AND fresh_to > (SELECT coalesce(max(seq), 0) FROM tasks)`,
  attemptsOf: `/* dure:attemptsOf */ SELECT seq, fence, number, worker, started_at, ended_at, outcome, error, late_outcome,
    logs FROM (SELECT value AS wanted FROM json_each(?)) CROSS JOIN attempts ON seq = wanted`,
  afterFresh:
    "/* dure:afterFresh */ SELECT seq, id, status, version FROM tasks WHERE seq > ? ORDER BY seq LIMIT ?",
  newestSeq: "/* dure:newestSeq */ SELECT coalesce(max(seq), 0) FROM tasks",
  unindexed: `/* dure:unindexed */ SELECT lane, status, unindexed_at, unindexed_id FROM tallies
    WHERE unindexed_at IS NOT NULL ORDER BY unindexed_at DESC`,
  changedAfter: `/* dure:changedAfter */ SELECT seq, updated_at, id, version FROM tasks INDEXED BY tasks_lane_updated
    WHERE status <> 2 AND version > 1 AND lane = ?1 AND status = ?2 AND (updated_at, id) > (?3, ?4)
    ORDER BY updated_at, id LIMIT ?5`,
  /** Of every lane and status. */
  changed: `/* dure:changed */ SELECT seq FROM tallies CROSS JOIN tasks INDEXED BY tasks_lane_updated
    WHERE unindexed_at IS NOT NULL AND tasks.status <> 2 AND version > 1 AND tasks.lane = tallies.lane
      AND tasks.status = tallies.status AND (updated_at, id) > (unindexed_at, unindexed_id) LIMIT ?`,
  /** Of so many, those that are not new. */
  countChanged: `/* dure:countChanged */ SELECT count(*) FILTER (WHERE seq <= ?5) FROM (SELECT seq FROM tasks INDEXED BY tasks_lane_updated
    WHERE status <> 2 AND version > 1 AND lane = ?1 AND status = ?2 AND (updated_at, id) > (?3, ?4) LIMIT ?6)`,
  countOfPairs: `/* dure:countOfPairs */ SELECT count(*) FROM (SELECT value AS wanted FROM json_each(?1)) CROSS JOIN tasks ON seq = wanted
    WHERE (lane, status) IN (SELECT value ->> 0, value ->> 1 FROM json_each(?2))`,
  /** Done when nothing has changed after the place that was reached; by another place than the one read, left alone. */
  moveUnindexed: `/* dure:moveUnindexed */ UPDATE tallies SET unindexed_at = ?5, unindexed_id = ?6
    WHERE lane = ?1 AND status = ?2 AND unindexed_at = ?3 AND unindexed_id = ?4`,
} as const;

/** Forgets all texts, as if none had been indexed yet; one after another. */
export const textClearing = [
  "/* dure:deleteTexts */ INSERT INTO texts (texts) VALUES ('delete-all')",
  "/* dure:deleteBlocks */ DELETE FROM text_blocks",
  "/* dure:resetMarks */ UPDATE text_marks SET fresh_to = 0, truncated = 0 WHERE mark = 1",
  // The earliest instant that a Date can be: year 1.
  `/* dure:noteAllTexts */ UPDATE tallies SET unindexed_at = -62135596800000, unindexed_id = '' WHERE status <> 2`,
] as const;

/** Of each attribute and state, when the first or the last entry was created. */
function headsOfEqual(name: string, edge: "min" | "max"): string {
  return `/* dure:${name} */ SELECT named.wanted, states.wanted, (SELECT ${edge}(created_at) FROM attributes
      WHERE attribute = named.wanted AND attributes.value = ?2 AND state = states.wanted AND created_at BETWEEN ?3 AND ?4)
    FROM (SELECT value AS wanted FROM json_each(?1)) AS named
    CROSS JOIN (SELECT value AS wanted FROM json_each(?5)) AS states`;
}

/** Candidates of a search; see key-source.ts. */
const equalEntries = `FROM attributes WHERE attribute = ?1 AND value = ?2 AND state = ?3 AND created_at BETWEEN ?4 AND ?5`;

/** FTS5 begins at a bound only if it is an integer; JavaScript's numbers come as floats, and it would read what lies before. */
const textsBetween = "texts MATCH ?1 AND rowid BETWEEN CAST(?2 AS INTEGER) AND CAST(?3 AS INTEGER)";

export const sourceSql = {
  // CROSS JOIN: each task by its number.
  placesOf: `/* dure:placesOf */ SELECT seq, id, lane, status, created_at, updated_at
    FROM (SELECT value AS wanted FROM json_each(?)) CROSS JOIN tasks ON seq = wanted`,
  /** Those of which an attempt has ended or reported, or which were changed before they were claimed: their texts may not be indexed. */
  changedOf: `/* dure:changedOf */ SELECT wanted FROM (SELECT value AS wanted FROM json_each(?1)) CROSS JOIN tasks ON seq = wanted
    WHERE version > 2 OR EXISTS (SELECT 1 FROM attempts WHERE attempts.seq = wanted)`,
  allLanes: "/* dure:allLanes */ SELECT lane, type, queue FROM lanes",
  attributesOfName: "/* dure:attributesOfName */ SELECT attribute, type FROM attribute_names WHERE name = ?",
  /** Of one value, in any of the attributes. */
  countEqual: `/* dure:countEqual */ SELECT count(*) FROM (SELECT 1 FROM (SELECT value AS wanted FROM json_each(?1))
    CROSS JOIN attributes ON attribute = wanted AND attributes.value = ?2 LIMIT ?3)`,
  countBetween: `/* dure:countBetween */ SELECT count(*) FROM
    (SELECT 1 FROM attributes WHERE attribute = ?1 AND value >= ?2 AND value < ?3 LIMIT ?4)`,
  equalDownwards: `/* dure:equalDownwards */ SELECT created_at, '', seq ${equalEntries} ORDER BY created_at DESC, seq DESC`,
  equalUpwards: `/* dure:equalUpwards */ SELECT created_at, '', seq ${equalEntries} ORDER BY created_at, seq`,
  equalEntries: `/* dure:equalEntries */ SELECT created_at, '', seq, state FROM (SELECT value AS wanted FROM json_each(?1))
    CROSS JOIN attributes ON attribute = wanted AND attributes.value = ?2 WHERE created_at BETWEEN ?3 AND ?4`,
  lastOfEqual: headsOfEqual("lastOfEqual", "max"),
  firstOfEqual: headsOfEqual("firstOfEqual", "min"),
  equalAny: `/* dure:equalAny */ SELECT seq ${equalEntries} LIMIT ?6`,
  between: `/* dure:between */ SELECT seq FROM attributes WHERE attribute = ?1 AND value >= ?2 AND value < ?3
    AND created_at BETWEEN ?4 AND ?5 LIMIT ?6`,
  countTexts:
    "/* dure:countTexts */ SELECT count(*) FROM (SELECT 1 FROM texts WHERE texts MATCH ?1 LIMIT ?2)",
  someTexts: "/* dure:someTexts */ SELECT rowid FROM texts WHERE texts MATCH ?1 ORDER BY rowid DESC LIMIT ?2",
  newestTexts: `/* dure:newestTexts */ SELECT rowid FROM texts WHERE ${textsBetween} ORDER BY rowid DESC LIMIT ?4`,
  textsDownwards: `/* dure:textsDownwards */ SELECT rowid FROM texts WHERE ${textsBetween} ORDER BY rowid DESC`,
  textsUpwards: `/* dure:textsUpwards */ SELECT rowid FROM texts WHERE ${textsBetween} ORDER BY rowid`,
} as const;

const isLate = `status = ? AND status <> 2 AND version > 1 AND updated_at - created_at > ${lateMs}`;

/** The indexes that a stream of search keys may come from; see search-statements.ts. */
export const searchIndexes = {
  fresh: { index: "tasks_lane_fresh", key: "created_at", condition: "version = 1" },
  created: {
    index: "tasks_lane_created",
    key: "created_at",
    condition: "status = ? AND status <> 2 AND version > 1",
  },
  updated: {
    index: "tasks_lane_updated",
    key: "updated_at",
    condition: "status = ? AND status <> 2 AND version > 1",
  },
  lateCreated: { index: "tasks_late_created", key: "created_at", condition: isLate },
  lateUpdated: { index: "tasks_late_updated", key: "updated_at", condition: isLate },
  ownId: { index: "tasks_lane_own_id", key: "id", condition: "status = ? AND status <> 2 AND own_id = 1" },
} as const;
