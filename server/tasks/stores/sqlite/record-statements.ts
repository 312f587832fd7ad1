/** The statements that read and write whole records; see records.ts. */

/** What a task's own row tells of its record, but for what older files have none of. */
export const recordValues = `tasks.id, tasks.own_id, tasks.status, tasks.priority,
    tasks.due_at, tasks.created_at, tasks.updated_at, tasks.started_at, tasks.completed_at, tasks.attempts,
    tasks.max_attempts, tasks.fence, tasks.crashes, tasks.snoozes, tasks.version, tasks.rerun_after_crash,
    coalesce(tasks.payload, (SELECT big_payloads.payload FROM big_payloads WHERE big_payloads.seq = tasks.seq)) AS payload,
    tasks.payload_types, tasks.result, tasks.result_types, tasks.error, tasks.description, tasks.tags,
    tasks.idempotency, tasks.settings, tasks.progress`;

const recordColumns = `tasks.seq, lanes.type, lanes.queue, ${recordValues}, tasks.attributes, tasks.action_record, workers.id AS worker_id
  FROM tasks JOIN lanes USING (lane) LEFT JOIN workers ON workers.worker = tasks.worker`;

/** Whole records, read and written when tasks move to another store. */
export const recordSql = {
  recordsAfter: `/* dure:recordsAfter */ SELECT ${recordColumns}
    WHERE tasks.own_id = ? AND tasks.id > ? AND tasks.status <> 2 ORDER BY tasks.id LIMIT ?`,
  recordsOf: `/* dure:recordsOf */ SELECT ${recordColumns}
    WHERE tasks.own_id IN (0, 1) AND tasks.id IN (SELECT value FROM json_each(?)) AND tasks.status <> 2
    ORDER BY tasks.id`,
  historyOf: `/* dure:historyOf */ SELECT fence, number, workers.id AS worker_id, attempts.started_at, ended_at, outcome,
    error, late_outcome, logs FROM attempts LEFT JOIN workers ON workers.worker = attempts.worker
    WHERE seq = ? ORDER BY fence`,
  hasTask: "/* dure:hasTask */ SELECT 1 FROM tasks WHERE own_id IN (0, 1) AND id = ?",
  hasOther: "/* dure:hasOther */ SELECT 1 FROM tasks WHERE own_id = ? AND id = ?",
  insertRecord: `/* dure:insertRecord */ INSERT INTO tasks
    (id, lane, own_id, status, priority, due_at, created_at, updated_at, started_at, completed_at, attempts, max_attempts,
     fence, crashes, snoozes, version, worker, rerun_after_crash, payload, payload_types, result, result_types, error,
     description, tags, idempotency, settings, progress, attributes, action_record)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT DO NOTHING`,
  insertAttempt: `/* dure:insertAttempt */ INSERT INTO attempts
    (seq, fence, number, worker, started_at, ended_at, outcome, error, late_outcome, logs)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  workerNumber: "/* dure:workerNumber */ SELECT worker FROM workers WHERE id = ?",
  insertOldWorker: `/* dure:insertOldWorker */ INSERT INTO workers
    (id, state, host, pid, concurrency, types, lease_ms, started_at, beat_at)
    VALUES (?, 'stopped', '', 0, 0, '[]', 0, 0, 0) RETURNING worker`,
  anyRunning: "/* dure:anyRunning */ SELECT 1 FROM tasks INDEXED BY tasks_running WHERE status = 2 LIMIT 1",
} as const;
