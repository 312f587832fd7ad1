/**
 * Tasks that the index of attributes lacks: large batches are stored without their rows there, and with a row of `attribute_work` that
 * says so, in the same transaction. Until the rows are written, behind everything else (attribute-indexing.ts), whoever looks for
 * tasks by an attribute looks at those tasks, too; what says which there are is read with the names of the attributes.
 */
import { minuteOf } from "../../shared/kept-counts.ts";
import type { Session } from "../connections/database.ts";
import { nowOf, statement } from "../statement.ts";
import { isWithin, type KeyRange } from "./attribute-conditions.ts";

/** Tasks of a lane, by their creation, both ends included. */
export interface Behind {
  lane: number;
  /** Of all, and of those that are not written. */
  firstAt: number;
  nextAt: number;
  lastAt: number;
  isWritten: boolean;
}

/** More than so many tasks are not left to be written: what a search looks at has to end. */
export const behindMax = 100_000;

/** Whether somebody is to write the task, or may have written it as it was before. @param task with lane and created_at */
export function isNoted(task: string): string {
  return `EXISTS (SELECT 1 FROM :schema.attribute_work AS noted
      WHERE noted.lane = ${task}.lane AND ${task}.created_at BETWEEN noted.first_at AND noted.last_at)`;
}

/** What there is of a type, as `readBehind` takes it; null for nothing, which costs nothing. @param type in SQL */
export function behindOf(type: string): string {
  return `CASE WHEN EXISTS (SELECT 1 FROM :schema.attribute_work) THEN (
      SELECT json_agg(json_build_array(lane, first_at, next_at, last_at, written))::text
      FROM :schema.attribute_work JOIN :schema.lanes USING (lane) WHERE lanes.type = ${type}) END`;
}

export function readBehind(text: string | null): Behind[] | undefined {
  if (text === null) return undefined;
  const rows = JSON.parse(text) as [number, number, number, number, boolean][];
  return rows.map(([lane, firstAt, nextAt, lastAt, isWritten]) => ({
    ...{ lane, firstAt, nextAt, lastAt, isWritten },
  }));
}

/** A task that was stored, and its rows were not. */
export interface Noted {
  lane: number;
  createdAt: number;
}

/** In the transaction of the tasks. @param by who is to write them first */
export async function noteBehind(
  session: Session,
  tasks: readonly Noted[],
  { by, now }: { by: string; now: number | null },
): Promise<void> {
  const notes = new Map<string, { lane: number; first: number; last: number; tasks: number }>();
  for (const { lane, createdAt } of tasks) {
    const key = `${lane} ${minuteOf(createdAt)}`;
    const note = notes.get(key);
    if (note) {
      note.first = Math.min(note.first, createdAt);
      note.last = Math.max(note.last, createdAt);
      note.tasks += 1;
    } else notes.set(key, { lane, first: createdAt, last: createdAt, tasks: 1 });
  }
  const columns = [...notes.values()];
  await session.query(note, [
    columns.map(({ lane }) => lane),
    columns.map(({ first }) => first),
    columns.map(({ last }) => last),
    columns.map(({ tasks }) => tasks),
    by,
    now,
  ]);
}

/** Of tasks that do not run. */
const settledStatuses = "(0), (1), (3), (4), (5)";

/**
 * The tasks of a lane that were created within a range, of any status.
 * @param columns also those that `lane` and `within` name, of `tasks`
 * @param each what ends the read of one status, such as an order and a limit
 * @param statuses of those that do not run
 */
export function tasksWithin(
  columns: string,
  lane: string,
  within: string,
  each = "",
  statuses = settledStatuses,
): string {
  return `(${settledWithin(columns, lane, within, each, statuses)}
    UNION ALL SELECT ${columns} FROM ${runningTasks} AS tasks WHERE tasks.lane = ${lane} AND ${within})`;
}

function settledWithin(
  columns: string,
  lane: string,
  within: string,
  each: string,
  statuses: string,
): string {
  return `SELECT near.* FROM (VALUES ${statuses}) AS settled (status) CROSS JOIN LATERAL (
      SELECT ${columns} FROM :schema.tasks WHERE tasks.lane = ${lane} AND tasks.status = settled.status AND tasks.status <> 2
        AND ${within} ${each}) AS near`;
}

const runningTasks = "(SELECT * FROM :schema.tasks WHERE status = 2 ORDER BY worker LIMIT (SELECT 1000000))";

/** Candidates for what is asked of keys, as (created_at, task_id). @param add `$n` of a value */
export function behindKeys(
  behind: readonly Behind[],
  { keys, ranges }: { keys: readonly string[]; ranges: readonly KeyRange[] },
  add: (value: unknown) => string,
): string {
  const own = 'own.key COLLATE "C"';
  const has = [
    ...(keys.length > 0 ? [`tasks.attributes && ${add(keys)}::text[]`] : []),
    ...ranges.map(
      (range) =>
        `EXISTS (SELECT 1 FROM unnest(tasks.attributes) AS own (key) WHERE ${isWithin(own, range, add)})`,
    ),
  ].join(" OR ");
  const [lanes, from, to] = [
    add(behind.map(({ lane }) => lane)),
    add(behind.map(({ nextAt }) => nextAt)),
    add(behind.map(({ lastAt }) => lastAt)),
  ];
  const spans = `unnest(${lanes}::integer[], ${from}::bigint[], ${to}::bigint[]) AS behind (lane, from_at, to_at)`;
  const within = `tasks.created_at BETWEEN behind.from_at AND behind.to_at AND tasks.attributes IS NOT NULL AND (${has})`;
  const settled = settledWithin("tasks.created_at, tasks.id", "behind.lane", within, "", settledStatuses);
  // Those that run are read once, however many spans there are.
  return `SELECT created_at, id AS task_id FROM ${spans} CROSS JOIN LATERAL (${settled}) AS found
    UNION ALL SELECT tasks.created_at, tasks.id FROM ${runningTasks} AS tasks JOIN ${spans} ON tasks.lane = behind.lane AND ${within}`;
}

const note = statement(
  "noteBehind",
  `INSERT INTO :schema.attribute_work (lane, first_at, last_at, next_at, tasks, taken_by, taken_at)
    SELECT lane, first_at, last_at, first_at, tasks, $5, ${nowOf("$6")}
    FROM unnest($1::integer[], $2::bigint[], $3::bigint[], $4::integer[]) AS given (lane, first_at, last_at, tasks)`,
);
