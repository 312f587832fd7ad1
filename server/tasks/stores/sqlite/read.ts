/** Reading verbs beside search: one task, attempts, definitions, workers, near ids, statistics. */
import type { StoreStats } from "../../core/store.ts";
import { fillsUnderWay } from "./attributes/attribute-fills.ts";
import type { Connection } from "./connection.ts";
import { findPrunable } from "./manage.ts";
import { listPauses } from "./pauses.ts";
import { type RecordRows, recordOf } from "./record-rows.ts";
import type { DefinitionRow, Row } from "./rows.ts";
import { searchTasks } from "./search/search.ts";
import { sql } from "./statements.ts";
import { statusNames } from "./statuses.ts";
import { textLag } from "./texts/texts.ts";
import type { Rows } from "./threads/protocol.ts";
import { findTask, withNames } from "./threads/write-context.ts";

/** A task, or a definition with its latest task. */
export interface FoundOne {
  task: Rows;
  definition?: DefinitionRow;
}

export function getTask(connection: Connection, id: string): FoundOne | undefined {
  const row = findTask(connection, id);
  if (row) return { task: withNames(connection, [row]) };
  const definition = connection.prepare(sql.findDefinition).get(id) as unknown as DefinitionRow | undefined;
  if (!definition) return undefined;
  const latest = searchTasks(connection, {
    types: [id],
    sortBy: "createdAt",
    descending: true,
    limit: 1,
    offset: 0,
    definitions: false,
  });
  return { task: latest.tasks, definition };
}

export function listAttempts(connection: Connection, id: string): RecordRows | undefined {
  const row = findTask(connection, id);
  return row && recordOf(connection, row);
}

export function readPrunable(
  connection: Connection,
  request: Parameters<typeof findPrunable>[1],
): RecordRows[] {
  const wanted = JSON.stringify(findPrunable(connection, request).map(([, seq]) => seq));
  const rows = connection.prepare(sql.readTasks).all(wanted) as unknown as Row[];
  return rows.map((row) => recordOf(connection, row));
}

export function listDefinitions(connection: Connection): DefinitionRow[] {
  return connection.prepare(sql.listDefinitions).all() as unknown as DefinitionRow[];
}

export function listWorkers(connection: Connection): unknown[][] {
  return connection.prepare(sql.listWorkers).all() as unknown as unknown[][];
}

export function listCancelRequests(
  connection: Connection,
  workerId: string,
): { taskId: string; fence: number }[] {
  const rows = connection.prepare(sql.cancelRequests).all(workerId) as unknown as [string, number][];
  return rows.map(([taskId, fence]) => ({ taskId, fence }));
}

/** Ids that share a beginning with the given one, the longest shared beginnings first. */
export function idsLike(connection: Connection, id: string): string[] {
  const definitions = listDefinitions(connection).map((row) => row[0]);
  const statement = connection.prepare(sql.idsFrom);
  for (
    let length = Math.min(id.length, 128);
    length >= 4;
    length = length > 4 ? Math.max(4, length - 4) : 0
  ) {
    const prefix = id.slice(0, length);
    const rows = [0, 1].flatMap((ownId) =>
      statement.all(ownId, prefix, `${prefix}\u{10ffff}`),
    ) as unknown as [string][];
    if (rows.length > 0) return [...rows.map(([found]) => found), ...definitions];
  }
  return definitions;
}

export function stats(connection: Connection, now: number): Omit<StoreStats, "writeAheadBytes"> {
  const pairs = connection.prepare(sql.pairs).all() as unknown as [
    number,
    string,
    string,
    number,
    number,
    number,
  ][];
  const counts = new Map<string, StoreStats["byType"][number]>();
  for (const [, type, queue, , status, tasks] of pairs) {
    const key = `${type} ${queue} ${status}`;
    const entry = counts.get(key) ?? { type, queue, status: statusNames[status]!, count: 0 };
    entry.count += tasks;
    counts.set(key, entry);
  }
  const workers = { alive: 0, dead: 0, stopped: 0 };
  for (const { state, workers: count } of connection.rows(sql.countWorkers)) {
    workers[state as keyof typeof workers] = Number(count);
  }
  const [{ pages, size }] = connection.rows(
    "/* dure:size */ SELECT page_count AS pages, page_size AS size FROM pragma_page_count, pragma_page_size",
  ) as [{ pages: number; size: number }];
  const oldestDueMs = oldestDue(connection, pairs, now);
  return {
    byType: [...counts.values()].sort(
      (a, b) => a.type.localeCompare(b.type) || a.queue.localeCompare(b.queue),
    ),
    workers,
    ...(oldestDueMs === undefined ? {} : { oldestDueMs }),
    textLag: textLag(connection),
    filling: fillsUnderWay(connection),
    sizeBytes: pages * size,
  };
}

function oldestDue(
  connection: Connection,
  pairs: readonly (readonly unknown[])[],
  now: number,
): number | undefined {
  const priority = connection.prepare(sql.topPriority);
  const oldest = connection.prepare(sql.oldestDue);
  const paused = new Set(listPauses(connection, undefined).map(({ kind, name }) => `${kind} ${name}`));
  let dueAt = now;
  for (const [lane, type, queue, , status] of pairs) {
    if (status !== 1 || paused.has(`type ${type}`) || paused.has(`queue ${queue}`)) continue;
    let head = priority.get(lane as number, 1_001) as [number] | undefined;
    while (head) {
      const due = oldest.get(lane as number, head[0]) as [number] | undefined;
      if (due && due[0] < dueAt) dueAt = due[0];
      head = priority.get(lane as number, head[0]) as [number] | undefined;
    }
  }
  return dueAt < now ? now - dueAt : undefined;
}
