/**
 * Tasks by how long they ran. An index has those that ran for a second or longer; there are never many a second of them,
 * and they are what is asked for.
 */
import type { Place, StoreSearch } from "../../core/store.ts";
import { isDownwards, leastDuration } from "../search-bounds.ts";
import type { Session } from "./database.ts";
import { gatheredMax, type KeySource } from "./key-source.ts";
import { type Pair, type SearchStatement, Text, unnested } from "./search-statements.ts";
import { shape } from "./statement.ts";

const slowMs = 1_000;
/** Further ones are looked for among all. */
const slowestMax = 2_000;
const duration = "(tasks.completed_at - tasks.started_at)";
const slow = `tasks.lane = pair.lane AND tasks.status = pair.status AND tasks.status >= 3 AND ${duration} >= ${slowMs}`;

/**
 * Whether the index has the search's order: the slowest first, as far as they took a second. With a range of time, many that
 * lie outside of it might have to be passed over.
 */
export function isSlowest(search: StoreSearch): boolean {
  const { sortBy, id, created, updated, after, offset, limit } = search;
  if (sortBy !== "duration" || id !== undefined || created || updated || !isDownwards(search)) return false;
  return offset + limit <= slowestMax && (after?.value ?? slowMs) >= slowMs;
}

/** The slowest of the pairs from the search's place on: how long, and the id. */
export function slowestStatement(
  { after }: StoreSearch,
  pairs: readonly Pair[],
  limit: number,
): SearchStatement {
  const text = new Text();
  const given = unnested(text, groupOf(pairs));
  const place = after && `(${text.add(after.value)}::bigint, ${text.add(after.id)}::text)`;
  const beyond = place ? ` AND (${duration}, tasks.id) < ${place}` : "";
  const most = text.add(limit);
  return {
    statement: shape(
      "slowestTasks",
      `SELECT keys.value, keys.id FROM ${given} CROSS JOIN LATERAL (
          SELECT ${duration} AS value, tasks.id FROM :schema.tasks WHERE ${slow}${beyond}
          ORDER BY ${duration} DESC, tasks.id DESC LIMIT ${most}) AS keys
        ORDER BY keys.value DESC, keys.id DESC LIMIT ${most}`,
    ),
    values: text.values,
  };
}

/** The source of a lower bound of a second or more that must hold. */
export async function slowSource(
  session: Session,
  search: StoreSearch,
  pairsOf: () => Promise<readonly Pair[]>,
): Promise<KeySource | undefined> {
  const least = search.where && leastDuration(search.where);
  if (least === undefined || least < slowMs) return undefined;
  const text = new Text();
  const given = unnested(text, groupOf(await pairsOf()));
  const most = text.add(gatheredMax + 1);
  const rows = await session.query(
    shape(
      "slowTasks",
      `SELECT keys.id FROM ${given} CROSS JOIN LATERAL (
        SELECT tasks.id FROM :schema.tasks WHERE ${slow} AND ${duration} >= ${text.add(least)}::bigint
        ORDER BY ${duration} DESC, tasks.id DESC LIMIT ${most}) AS keys
      LIMIT ${most}`,
    ),
    text.values,
  );
  if (rows.length > gatheredMax) return undefined;
  const places = rows.map(([id]): Place => ({ value: null, id }));
  return {
    ...{ name: "duration", index: "slow", estimate: places.length, isOrdered: false },
    keys: async () => ({ places }),
  };
}

function groupOf(pairs: readonly Pair[]): { lanes: number[]; statuses: number[] } {
  const ended = pairs.filter(({ status }) => status >= 3);
  return { lanes: ended.map(({ lane }) => lane), statuses: ended.map(({ status }) => status) };
}
