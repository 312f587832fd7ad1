/** The layouts that compete, each derived from the product's own schema, so that all have the same columns. */
import { replaced, tasksSchema } from "../support/schema.ts";

export interface Layout {
  name: string;
  idea: string;
  tables: string[];
  indexes: string[];
  /** Parameters: id, lane, created_at, payload. */
  insert: string;
  /** Parameters: now, limit. Answers key, id, fence to be, payload, attempts, max_attempts of the next due tasks. */
  due: string;
  /** Parameters: worker, now, the keys as a JSON array. */
  claim: string;
  /** The first: ?1 now, ?2 result, ?3 key, ?4 fence, ?5 worker. Any that follow: ?1 key. */
  settle: string[];
  /** The table that finished tasks end in. */
  finishedTable: string;
  afterFill?: string;
}

const { table, indexes } = tasksSchema();
const all = [...indexes.values()];
const searchNames = ["tasks_lane_created", "tasks_lane_updated", "tasks_lane_own_id"];
const searchIndexes = searchNames.map(indexNamed);
const otherIndexes = all.filter((statement) => !searchIndexes.includes(statement));

const columnsIn = `(id, lane, own_id, status, priority, due_at, created_at, updated_at, max_attempts, rerun_after_crash, payload)
  VALUES (?1, ?2, 0, 1, 0, ?3, ?3, ?3, 1, 1, ?4)`;
const insert = `INSERT INTO tasks ${columnsIn}`;
const due = `SELECT seq, id, fence + 1, payload, attempts, max_attempts FROM tasks INDEXED BY tasks_claim WHERE status = 1 AND crashes = 0 AND lane = 1 AND priority = 0
  AND due_at <= ?1 ORDER BY due_at, seq LIMIT ?2`;
const claim = `UPDATE tasks SET status = 2, worker = ?1, fence = fence + 1, attempts = attempts + 1, started_at = ?2,
  updated_at = ?2, version = version + 1 WHERE seq IN (SELECT value FROM json_each(?3)) AND status = 1`;
const settle = `UPDATE tasks SET status = 3, completed_at = ?1, updated_at = ?1, result = ?2, version = version + 1
  WHERE seq = ?3 AND fence = ?4 AND worker = ?5 AND status = 2`;

const oneTable = { insert, due, claim, settle: [settle], finishedTable: "tasks" };
const byTextKey = (statement: string): string => statement.replaceAll("seq", "id");

export const layouts: readonly Layout[] = [
  {
    name: "partial",
    idea: "one table, integer key, unique text id; search indexes leave RUNNING tasks out (the product's)",
    tables: [table],
    indexes: all,
    ...oneTable,
  },
  {
    name: "finished-only",
    idea: "the same, search indexes hold finished tasks only: waiting ones are searched through created_at alone",
    tables: [table],
    indexes: [
      ...otherIndexes,
      ...searchIndexes.map((statement) => replaced(statement, "status <> 2", "status > 2")),
    ],
    ...oneTable,
  },
  {
    name: "moved",
    idea: "a hot table for waiting and running tasks, a history table that settlement moves them to",
    tables: [hotTable(), replaced(table, "CREATE TABLE tasks", "CREATE TABLE history")],
    indexes: [...otherIndexes, ...[...searchNames, "tasks_created"].map(historyIndex)],
    insert,
    due,
    claim,
    settle: [
      settle,
      "INSERT INTO history SELECT * FROM tasks WHERE seq = ?1",
      "DELETE FROM tasks WHERE seq = ?1",
    ],
    finishedTable: "history",
    afterFill: "INSERT INTO sqlite_sequence (name, seq) SELECT 'tasks', max(seq) FROM history",
  },
  {
    name: "text-key",
    idea: "one table WITHOUT ROWID, keyed by the text id",
    tables: [textKeyTable()],
    indexes: all.map((statement) => statement.replace("due_at, seq", "due_at, id")),
    insert,
    due: byTextKey(due),
    claim: byTextKey(claim),
    settle: [byTextKey(settle)],
    finishedTable: "tasks",
  },
  {
    name: "full-indexes",
    idea: "one table, integer key; the search indexes hold every task, RUNNING too",
    tables: [table],
    indexes: [
      ...otherIndexes,
      ...searchIndexes.map((statement) =>
        statement.replace(/ WHERE status <> 2( AND)?/, (_, and) => (and ? " WHERE" : "")),
      ),
    ],
    ...oneTable,
  },
];

function indexNamed(name: string): string {
  const statement = indexes.get(name);
  if (!statement) throw new Error(`The schema has no index ${name} any more; adapt the bench to it.`);
  return statement;
}

function historyIndex(name: string): string {
  return replaced(indexNamed(name), / (\w+) ON tasks /, " history_$1 ON history ");
}

/** Without AUTOINCREMENT the key of a task that was moved away would be given again. */
function hotTable(): string {
  return replaced(table, "seq INTEGER PRIMARY KEY", "seq INTEGER PRIMARY KEY AUTOINCREMENT");
}

function textKeyTable(): string {
  const keyed = replaced(
    replaced(table, /seq INTEGER PRIMARY KEY,\s*/, ""),
    "id TEXT NOT NULL UNIQUE",
    "id TEXT PRIMARY KEY",
  );
  return replaced(keyed, /\) STRICT$/, ") STRICT, WITHOUT ROWID");
}
