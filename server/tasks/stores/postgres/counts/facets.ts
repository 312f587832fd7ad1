/** Counts by the values of an attribute, from its index, and the attributes of single tasks. */
import { declaredOf } from "../../../core/attributes.ts";
import {
  type AttributeCount,
  type AttributeCountRequest,
  type AttributeCounts,
  having,
  TopValues,
} from "../../../core/port/store-facets.ts";
import type { Attributes } from "../../../core/store.ts";
import { countUnfilled } from "../attributes/attribute-fills.ts";
import type { NamedAttribute } from "../attributes/attribute-names.ts";
import { attributesOf, headOf } from "../attributes/attribute-values.ts";
import { stateOf, unknownState } from "../attributes/attributes.ts";
import type { Session } from "../connections/database.ts";
import type { Context } from "../context.ts";
import { statusNames } from "../rows.ts";
import { statement } from "../statement.ts";
import { CountsBehind } from "./counts-behind.ts";

/** Rows of the index in one statement; the clock is looked at between two. */
const chunkSize = 50_000;

export function countAttribute(
  { searching, attributes }: Context,
  request: AttributeCountRequest,
): Promise<AttributeCounts> {
  const { name, types, created = {}, budgetMs } = request;
  const endsAt = performance.now() + (budgetMs ?? Number.POSITIVE_INFINITY);
  return searching.snapshot(async (session) => {
    const answer: AttributeCounts = { counts: [], leftOut: 0, isWhole: true };
    const names = await attributes.all(session);
    for (const one of names) {
      if (one.name !== name || (types && !types.includes(one.type))) continue;
      // Of each of many types, a chunk would be read else.
      if (performance.now() >= endsAt) return { ...answer, isWhole: false };
      const top = new TopValues(one.type);
      if (!(await countValues(session, one, created, endsAt, top))) answer.isWhole = false;
      answer.counts.push(...top.list());
      answer.leftOut += top.leftOut;
    }
    const unfilled = await countUnfilled(session, having(request), names);
    return unfilled > 0 ? { ...answer, unfilled } : answer;
  });
}

/** Answers whether all were counted. */
async function countValues(
  session: Session,
  { attribute, type, behind }: NamedAttribute,
  created: { start?: number; end?: number },
  endsAt: number,
  top: TopValues,
): Promise<boolean> {
  const unindexed = new CountsBehind(behind);
  if (!(await unindexed.read(session, { attribute, type, created, endsAt }))) return false;
  const add = (key: string, state: number, count: number) =>
    top.add(headOf(key), state >= 3 ? (statusNames[state] as AttributeCount["status"]) : undefined, count);
  // The last possible state is below 100, and every created_at and id above these.
  let place: unknown[] = [`${attribute} `, 0, Number.MIN_SAFE_INTEGER, ""];
  for (;;) {
    const rows = await session.query(countChunk, [
      ...place,
      `${attribute}!`,
      created.start ?? null,
      created.end ?? null,
      chunkSize,
      unindexed.ranges,
    ]);
    const last = rows.pop();
    for (const [key, state, count] of rows) {
      unindexed.upTo(key, add);
      add(key, state, count);
    }
    const [key, state, read, createdAt, taskId] = last ?? [];
    if (!last || read < chunkSize) {
      unindexed.upTo(undefined, add);
      return true;
    }
    if (performance.now() > endsAt) return false;
    place = [key, state, createdAt, taskId];
  }
}

export function readAttributes(
  { searching, attributes }: Context,
  ids: readonly string[],
): Promise<[id: string, Attributes][]> {
  const session: Session = { query: (text, values) => searching.read(text, values) };
  return readAttributesIn(session, attributes, ids);
}

/** The same as one of several reads. */
export async function readAttributesIn(
  session: Session,
  attributes: Context["attributes"],
  ids: readonly string[],
): Promise<[id: string, Attributes][]> {
  const rows = await session.query(attributesOfIds, [ids]);
  if (rows.length === 0) return [];
  const names = new Map((await attributes.all(session)).map(({ attribute, name }) => [attribute, name]));
  return rows.flatMap(([id, keys]): [string, Attributes][] => {
    const attributes = declaredOf(attributesOf(keys, (attribute) => names.get(attribute)));
    return attributes ? [[id, attributes]] : [];
  });
}

/**
 * Whether no other row tells the same with the task's state: one may have been filled in while a settlement that brought the same
 * was under way.
 */
function isAlone(row: string): string {
  return `NOT EXISTS (SELECT 1 FROM :schema.tasks JOIN :schema.attributes AS twin ON twin.key = ${row}.key
        AND twin.state = ${stateOf("tasks.status")} AND twin.created_at = ${row}.created_at AND twin.task_id = ${row}.task_id
      WHERE tasks.id = ${row}.task_id)`;
}

/** What the rows of a chunk say, by key and state, and in the last row where it ended and how many they were. */
const countChunk = statement(
  "countAttribute",
  `WITH chunk AS MATERIALIZED (
    SELECT key, state, created_at, task_id FROM :schema.attributes
    WHERE (key, state, created_at, task_id) > ($1, $2::smallint, $3::bigint, $4) AND key < $5
    ORDER BY key, state, created_at, task_id LIMIT $8),
  known AS (
    SELECT key, CASE state WHEN 2 THEN (SELECT status FROM :schema.tasks WHERE tasks.id = chunk.task_id) ELSE state END AS state
    FROM chunk WHERE (state <> ${unknownState} OR ${isAlone("chunk")}) AND ($6::bigint IS NULL OR created_at >= $6) AND ($7::bigint IS NULL OR created_at < $7)
      AND ($9::int8multirange IS NULL OR NOT created_at <@ $9::int8multirange)),
  counted AS (SELECT key, state, count(*)::integer AS tasks FROM known GROUP BY key, state ORDER BY key, state)
  SELECT key, state, tasks, NULL::bigint, NULL::text FROM counted
  UNION ALL
  SELECT * FROM (SELECT key, state, (SELECT count(*)::integer FROM chunk), created_at, task_id FROM chunk
    ORDER BY key DESC, state DESC, created_at DESC, task_id DESC LIMIT 1) AS last`,
);

const attributesOfIds = statement(
  "attributesOfIds",
  "SELECT id, attributes FROM :schema.tasks WHERE id = ANY($1::text[]) AND attributes IS NOT NULL",
);
