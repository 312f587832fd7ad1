/** The SQL of the order by priority; see priority-keys.ts. */
import type { SQLInputValue } from "node:sqlite";
import { ulidStart } from "../../../core/ids.ts";
import type { StoreSearch } from "../../../core/store.ts";
import { compareText } from "../../../core/values/compare.ts";
import { earliest, isDownwards, lateMs, latest } from "../../shared/search-bounds.ts";
import { type SearchStatement, withPairs } from "./search-statements.ts";

export const prioritizedIndex = "tasks_prioritized";
const prioritized = "tasks.status <> 2 AND tasks.priority <> 0";
const ofPair = `tasks INDEXED BY ${prioritizedIndex} WHERE tasks.lane = pairs.lane AND tasks.status = pairs.status AND ${prioritized}`;

/** Of each pair the first priority other than 0 between two, in the direction of reading. Takes the pairs as JSON first. */
export function firstPriorities(isDown: boolean): string {
  const [edge, direction] = isDown ? ["<=", "DESC"] : [">=", "ASC"];
  return `${withPairs} SELECT (SELECT priority FROM ${ofPair} AND priority ${edge} ? ORDER BY priority ${direction} LIMIT 1) FROM pairs`;
}

/** Which tasks of a pair and a priority are asked for. */
export interface PriorityPart {
  /** Of generated ids, which tell when a task was created. */
  isGenerated: boolean;
  /** Whether some were last changed long after they were created, so that a change does not tell when that was. */
  hasLate: boolean;
  /** Only ids beyond this one. */
  beyond?: string | undefined;
}

/** In the order of their ids: lane, status and priority come before its values. */
export function ofPriority(search: StoreSearch, part: PriorityPart): SearchStatement {
  const { conditions, values } = conditionsOf(search, part);
  const own = ["tasks.lane = ?", "tasks.status = ?", prioritized, "tasks.priority = ?", ...conditions];
  return {
    text: `/* dure:searchTasks */ SELECT priority, id, seq FROM tasks INDEXED BY ${prioritizedIndex}
      WHERE ${own.join(" AND ")} ORDER BY ${orderOf(search)}`,
    values,
  };
}

/** The first of each pair, as its number, a space and its id: the pairs as JSON and the priority come before its values. */
export function firstOfPriority(search: StoreSearch, part: PriorityPart): SearchStatement {
  const { conditions, values } = conditionsOf(search, part);
  const first = `SELECT seq || ' ' || id FROM ${ofPair} AND tasks.priority = ? ${conditions.map((one) => `AND ${one}`).join(" ")}
    ORDER BY ${orderOf(search)} LIMIT 1`;
  return { text: `${withPairs} SELECT (${first}) FROM pairs`, values };
}

/** The places of those of the pairs, as JSON, that have tasks which were changed at an instant or later, long after their creation. */
export const lateAmong = `${withPairs} SELECT lane, status FROM pairs WHERE EXISTS (SELECT 1 FROM tasks INDEXED BY tasks_late_updated
  WHERE tasks.lane = pairs.lane AND tasks.status = pairs.status AND tasks.status <> 2 AND tasks.version > 1
    AND tasks.updated_at - tasks.created_at > ${lateMs} AND tasks.updated_at >= ?)`;

/** Those of the tasks, as JSON of their numbers, that have a priority other than 0. */
export const prioritizedAmong = `/* dure:prioritizedAmong */ SELECT seq FROM (SELECT value AS wanted FROM json_each(?))
  CROSS JOIN tasks ON seq = wanted WHERE priority <> 0`;

/** Tasks that wait and have the priority 0, at most so many, of lanes as JSON; those whose worker died before are in a line of their own. */
export const waitingUnprioritized = [
  "tasks_claim WHERE status = 1 AND crashes = 0",
  "tasks_claim_suspect WHERE status = 1 AND crashes > 0",
].map((line) => {
  const lanes = "WITH lanes AS MATERIALIZED (SELECT value AS wanted FROM json_each(?1))";
  const tasks = `lanes CROSS JOIN tasks INDEXED BY ${line} AND tasks.lane = wanted AND priority = 0 LIMIT ?2`;
  return {
    count: `/* dure:countUnprioritized */ ${lanes} SELECT count(*) FROM (SELECT 1 FROM ${tasks})`,
    keys: `/* dure:waitingUnprioritized */ ${lanes} SELECT id, seq, created_at, updated_at FROM ${tasks}`,
  };
});

function orderOf(search: StoreSearch): string {
  return isDownwards(search) ? "id DESC" : "id";
}

/** A walk stops at one bound on each side: of two the further one is given. */
function conditionsOf(
  search: StoreSearch,
  part: PriorityPart,
): { conditions: string[]; values: SQLInputValue[] } {
  const { created, updated } = search;
  const down = isDownwards(search);
  const { from, to } = part.isGenerated ? idsWithin(search, part.hasLate) : {};
  const { beyond } = part;
  const edge = down ? to : from;
  const isBeyond =
    beyond !== undefined && (edge === undefined || compareText(beyond, edge) * (down ? -1 : 1) >= 0);
  const bounds: [condition: string, value: SQLInputValue | undefined][] = [
    ["id >=", isBeyond && !down ? undefined : from],
    ["id <", isBeyond && down ? undefined : to],
    [down ? "id <" : "id >", isBeyond ? beyond : undefined],
    ["created_at >=", created?.start],
    ["created_at <", created?.end],
    ["updated_at >=", updated?.start],
    ["updated_at <", updated?.end],
  ];
  const given = bounds.filter(([, value]) => value !== undefined);
  return {
    conditions: given.map(([condition]) => `tasks.${condition} ?`),
    values: given.map(([, value]) => value!),
  };
}

/** Between which generated ids the tasks lie that the ranges leave. */
function idsWithin({ created, updated }: StoreSearch, hasLate: boolean): { from?: string; to?: string } {
  const changed = hasLate || updated?.start === undefined ? undefined : updated.start - lateMs;
  const from = latest(created?.start, changed);
  // No task was changed before it was created.
  const to = earliest(created?.end, updated?.end);
  return {
    ...(from !== undefined && { from: ulidStart(from) }),
    ...(to !== undefined && { to: ulidStart(to) }),
  };
}
