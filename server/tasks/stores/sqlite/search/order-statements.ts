/** The SQL of the orders by start and by due time; see near-orders.ts. */
import { quickMs } from "../../shared/near-orders.ts";
import { lateMs } from "../../shared/search-bounds.ts";
import { withPairs } from "./search-statements.ts";

const started = `status <> 2 AND started_at IS NOT NULL
      AND (status NOT IN (3, 4) OR updated_at - started_at NOT BETWEEN 0 AND ${quickMs - 1})`;

/** The indexes of tasks that an order does not share with another one; see near-orders.ts. */
export const elsewhereIndexes = {
  started: { index: "tasks_started", key: "started_at", condition: started },
  /** For a range of another instant, which bounds the starts of these; see `usualStarts`. */
  startedUsually: {
    index: "tasks_started",
    key: "started_at",
    condition: `${started} AND started_at - created_at BETWEEN 0 AND ${lateMs} AND updated_at - started_at BETWEEN 0 AND ${lateMs}`,
  },
  startedOddly: {
    index: "tasks_started_oddly",
    key: "started_at",
    condition: `${started} AND (started_at - created_at NOT BETWEEN 0 AND ${lateMs} OR updated_at - started_at NOT BETWEEN 0 AND ${lateMs})`,
  },
  due: { index: "tasks_due", key: "due_at", condition: "status >= 3 AND due_at <> created_at" },
  /** Tasks that wait. */
  delayed: { index: "tasks_delayed", key: "due_at", condition: "status = 1 AND due_at <> created_at" },
} as const;

export type Elsewhere = keyof typeof elsewhereIndexes;

const delay = "due_at - created_at";
const delayOf = (direction: "ASC" | "DESC") =>
  `(SELECT ${delay} FROM tasks INDEXED BY tasks_delays WHERE tasks.lane = pairs.lane
    AND tasks.status = 1 AND due_at <> created_at ORDER BY ${delay} ${direction} LIMIT 1)`;

/** By how long after their creation tasks that wait are due, of pairs as JSON: least and greatest; null where all are due at once. */
export const delaysSql = `${withPairs} SELECT min(${delayOf("ASC")}), max(${delayOf("DESC")}) FROM pairs`;

/** The least of them alone. */
export const leastDelaySql = `${withPairs} SELECT min(${delayOf("ASC")}) FROM pairs`;

/** The last of the generated ids, and when the last of the other tasks was created; null where there are none. */
export const newestSql = `/* dure:newest */ SELECT
  (SELECT id FROM tasks INDEXED BY tasks_id WHERE own_id = 0 ORDER BY id DESC LIMIT 1),
  (SELECT created_at FROM tasks INDEXED BY tasks_own_id_created WHERE own_id = 1 ORDER BY created_at DESC LIMIT 1)`;

/** Tasks that wait, by lane and priority, in the order in which they are due. */
export function lineSql(isSuspect: boolean, isDownwards: boolean) {
  const tasks = isSuspect
    ? "tasks INDEXED BY tasks_claim_suspect WHERE status = 1 AND crashes > 0"
    : "tasks INDEXED BY tasks_claim WHERE status = 1 AND crashes = 0";
  const [direction, beyond] = isDownwards ? ["DESC", "<"] : ["ASC", ">"];
  const columns = "due_at, id, seq, created_at, updated_at";
  const nextPriority = (lane: string, below: string) =>
    `(SELECT priority FROM ${tasks} AND tasks.lane = ${lane} AND tasks.priority < ${below} ORDER BY priority DESC LIMIT 1)`;
  return {
    /** Of lanes as JSON each priority, and when the first of its tasks between two instants is due. */
    heads: `/* dure:linesOfLanes */ WITH RECURSIVE lines (lane, priority) AS (
        SELECT value, ${nextPriority("value", "1001")} FROM json_each(?1)
        UNION ALL
        SELECT lane, ${nextPriority("lines.lane", "lines.priority")} FROM lines WHERE priority IS NOT NULL)
      SELECT lane, priority, (SELECT due_at FROM ${tasks} AND tasks.lane = lines.lane AND tasks.priority = lines.priority
          AND due_at BETWEEN ?2 AND ?3 ORDER BY due_at ${direction} LIMIT 1)
        FROM lines WHERE priority IS NOT NULL`,
    inOrder: `/* dure:dueInLine */ SELECT ${columns} FROM ${tasks} AND lane = ?1 AND priority = ?2
      AND due_at BETWEEN ?3 AND ?4 ORDER BY due_at ${direction}, seq ${direction} LIMIT ?5`,
    ofInstant: `/* dure:dueAtOnce */ SELECT ${columns} FROM ${tasks} AND lane = ?1 AND priority = ?2
      AND due_at = ?3 AND id ${beyond} ?4 ORDER BY id ${direction} LIMIT ?5`,
  };
}
