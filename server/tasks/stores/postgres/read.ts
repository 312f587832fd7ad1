/** Reading verbs beside search: one task, attempts, definitions, near ids, what retention would delete. */
import type { Attempt } from "../../core/attempt.ts";
import { nearest } from "../../core/names.ts";
import type { ArchivedTask, PruneRequest, StoredDefinition } from "../../core/store.ts";
import type { Task } from "../../core/task.ts";
import type { Context } from "./context.ts";
import { readAttributesIn } from "./counts/facets.ts";
import { findTask, taskById } from "./find-task.ts";
import { prunable, prunableParameters } from "./manage.ts";
import {
  type AttemptRow,
  type DefinitionRow,
  definitionColumns,
  plainText,
  type TaskRow,
  taskColumns,
  toAttempts,
  toDefinition,
  toEntry,
  toTask,
} from "./rows.ts";
import { searchTasks } from "./search/search.ts";
import { statement } from "./statement.ts";

/** A task, or a definition with its latest task. */
export async function getTask(context: Context, id: string): Promise<Task | undefined> {
  const task = await findTask(context, id);
  if (task) return task;
  const [row] = await context.database.read(definitionById, [plainText(id)]);
  if (!row) return undefined;
  const { tasks } = await searchTasks(context, {
    types: [id],
    sortBy: "createdAt",
    descending: true,
    limit: 1,
    offset: 0,
    definitions: false,
  });
  return toEntry(toDefinition(row as DefinitionRow), tasks[0]);
}

export function listAttempts(context: Context, taskId: string): Promise<Attempt[]> {
  return context.database.snapshot(async (session) => {
    const [task] = await session.query(taskById, [plainText(taskId)]);
    if (!task) return [];
    const rows = await session.query(attemptsOf, [[taskId]]);
    return toAttempts(
      task as TaskRow,
      rows.map((row) => row.slice(1) as AttemptRow),
    );
  });
}

export async function findNearIds(context: Context, id: string): Promise<string[]> {
  const like = (await idsLike(context, id)).filter((found) => found !== id);
  const near = nearest(id, like);
  return (near.length > 0 ? near : like.filter((found) => found.startsWith(id.slice(0, 8)))).slice(0, 3);
}

/** Ids that share a beginning with the given one, the longest shared beginnings first, and those of definitions. */
async function idsLike(context: Context, id: string): Promise<string[]> {
  const definitions = (await listDefinitions(context)).map((definition) => definition.id);
  for (
    let length = Math.min(id.length, 128);
    length >= 4;
    length = length > 4 ? Math.max(4, length - 4) : 0
  ) {
    const prefix = id.slice(0, length);
    const rows = await context.database.read(idsFrom, [prefix, `${prefix}\u{10ffff}`]);
    if (rows.length > 0) return [...rows.map(([found]) => found as string), ...definitions];
  }
  return definitions;
}

export async function listDefinitions(context: Context): Promise<StoredDefinition[]> {
  return ((await context.database.read(allDefinitions)) as DefinitionRow[]).map(toDefinition);
}

export function readPrunable(context: Context, request: PruneRequest): Promise<ArchivedTask[]> {
  return context.database.snapshot(async (session) => {
    const rows = (await session.query(prunableTasks, prunableParameters(request))) as TaskRow[];
    const attempts = await session.query(attemptsOf, [rows.map((row) => row[0])]);
    const byTask = Map.groupBy(attempts, ([taskId]) => taskId as string);
    const lanes = await context.lanes.named(new Set(rows.map((row) => row[1])));
    const ids = rows.map((row) => row[0]);
    const attributes = new Map(await readAttributesIn(session, context.attributes, ids));
    return rows.map((row) => ({
      task: toTask(row, lanes),
      ...(attributes.has(row[0]) && { attributes: attributes.get(row[0])! }),
      attempts: toAttempts(
        row,
        (byTask.get(row[0]) ?? []).map((attempt) => attempt.slice(1) as AttemptRow),
      ),
    }));
  });
}

export const attemptsOf = statement(
  "listAttempts",
  `SELECT task_id, fence, number, (SELECT id FROM :schema.workers WHERE workers.worker = attempts.worker), started_at,
      ended_at, outcome, error, late_outcome, logs
    FROM :schema.attempts WHERE task_id = ANY($1::text[]) ORDER BY task_id, fence`,
);
const definitionById = statement(
  "findDefinition",
  `SELECT ${definitionColumns} FROM :schema.definitions WHERE id = $1`,
);
const allDefinitions = statement(
  "listDefinitions",
  `SELECT ${definitionColumns} FROM :schema.definitions ORDER BY id`,
);
const idsFrom = statement(
  "idsFrom",
  "SELECT id FROM :schema.tasks WHERE id >= $1::text AND id < $2::text ORDER BY id LIMIT 50",
);
const prunableTasks = statement(
  "readPrunable",
  `WITH old AS MATERIALIZED (${prunable})
    SELECT ${taskColumns} FROM old JOIN :schema.tasks ON tasks.id = old.id ORDER BY old.updated_at, old.id`,
);
