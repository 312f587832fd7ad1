/**
 * Filling in attributes that a definition has gained, for the tasks that were stored before: lane by lane, from the newest
 * to the oldest, a few at a time. Tasks that are RUNNING meanwhile are filled in too; see `unknownState`.
 */
import { lackingName } from "../../../core/attributes.ts";
import { attributesIn } from "../../../core/filters/condition.ts";
import type {
  FilledTask,
  StoredDefinition,
  StoreSearch,
  TaskStore,
  UnfilledTask,
  Written,
} from "../../../core/store.ts";
import type { Task } from "../../../core/task.ts";
import { oldestOfPage } from "../../shared/search-bounds.ts";
import type { Session } from "../connections/database.ts";
import type { Context } from "../context.ts";
import { sums } from "../counts/tallies.ts";
import { type TaskRow, taskColumns, toTask } from "../rows.ts";
import { few, statement } from "../statement.ts";
import type { NamedAttribute } from "./attribute-names.ts";
import { arrayLiteral, isFound, keysOf } from "./attribute-values.ts";
import { stateOf, unknownState } from "./attributes.ts";
import {
  countLacking,
  isLackedBySome,
  type LackingRef,
  lockTasks,
  readLacking,
  supplyAttributes,
} from "./lacking-attributes.ts";

/** Where a lane's tasks were read, and which one this is. */
interface FillRef {
  lane: number;
  type: string;
  createdAt: number;
  id: string;
}

/** Remembers what definitions declare; what they have gained is to be filled in for older tasks. */
export async function declareAttributes(
  session: Session,
  definitions: readonly Pick<StoredDefinition, "id" | "attributes">[],
): Promise<void> {
  const declared = definitions.flatMap(({ id, attributes = [] }) => attributes.map((name) => [id, name]));
  if (declared.length === 0) return;
  await session.query(declare, [declared.map(([type]) => type), declared.map(([, name]) => name)]);
}

export async function readUnfilled(
  context: Context,
  { types, limit }: Parameters<TaskStore["readUnfilled"]>[0],
): Promise<UnfilledTask[]> {
  const { database, lanes } = context;
  for (;;) {
    const [fill] = await database.query(nextFill, [types]);
    if (!fill) return [];
    const [lane, type, attributes, belowAt, belowId] = fill;
    if (lane === null) return readLacking(context, { type, attribute: attributes[0], limit });
    const rows = (await database.query(tasksBelow, [lane, belowAt, belowId, limit])) as TaskRow[];
    if (rows.length === 0) {
      await database.query(endFill, [lane, belowAt, belowId]);
      continue;
    }
    const names = (await context.attributes.all(database))
      .filter(({ attribute }) => attributes.includes(attribute))
      .map(({ name }) => name);
    const named = await lanes.named([lane]);
    return rows.map((row) => {
      const ref: FillRef = { lane, type, createdAt: row[5], id: row[0] };
      return { ref, task: toTask(row, named), attributes: names };
    });
  }
}

export function writeAttributes(context: Context, filled: readonly FilledTask[]): Promise<Written<void>> {
  const { database, attributes: names } = context;
  return database.written(async () => {
    const last = filled.at(-1)?.ref as FillRef | LackingRef | undefined;
    if (last && "lacking" in last) await supplyAttributes(context, filled);
    if (!last || "lacking" in last) return { kind: "ok", value: undefined };
    const given = filled.map(({ ref, attributes }) => ({ ...(ref as FillRef), attributes }));
    const numberOf = await names.ofAll(given);
    const tasks: { id: string; keys: string }[] = [];
    for (const { id, type, attributes } of given) {
      const keys = arrayLiteral(keysOf(attributes, (name) => numberOf(type, name)));
      if (keys !== null) tasks.push({ id, keys });
    }
    await database.transaction(async (session) => {
      const ids = tasks.map(({ id }) => id);
      await session.query(lockTasks, [ids]);
      await session.query(addKeys, [ids, tasks.map(({ keys }) => keys)]);
      await session.query(moveFill, [last.lane, last.createdAt, last.id, filled.length]);
    });
    return { kind: "ok", value: undefined };
  });
}

/** For an answer: nothing where no task is. @param last of a full page */
export async function unfilledIn(
  { database }: Context,
  search: StoreSearch,
  names: readonly NamedAttribute[] | undefined,
  last?: Task,
): Promise<{ unfilled?: number }> {
  const unfilled = await countUnfilled(database.reading, search, names, last?.createdAt.getTime());
  return unfilled > 0 ? { unfilled } : {};
}

/**
 * About how many tasks a search judges without an attribute that it asks for.
 * @param names all that there are, where the search wanted to know
 * @param lastCreatedAt of a full page
 */
export async function countUnfilled(
  session: Pick<Session, "query">,
  search: StoreSearch,
  names: readonly NamedAttribute[] = [],
  lastCreatedAt?: number,
): Promise<number> {
  const { where, types } = search;
  const filling = names.filter(({ isFilling, type }) => isFilling && (!types || types.includes(type)));
  if (filling.length === 0) return 0;
  const asked = attributesIn(where);
  const lacking = await countLacking(session, search, names, asked, lastCreatedAt);
  const numbers = filling.filter(({ name }) => asked.includes(name)).map(({ attribute }) => attribute);
  if (numbers.length === 0) return lacking;
  const [row] = await session.query(unfilled, [numbers, oldestOfPage(search, lastCreatedAt)]);
  return lacking + (row![0] as number);
}

const unfilled = statement(
  "unfilled",
  `SELECT coalesce(sum(greatest(counted.tasks - attribute_fills.done, 0)), 0)::bigint
    FROM :schema.attribute_fills JOIN (SELECT lane, sum(tasks) AS tasks FROM (${sums}) AS sums GROUP BY lane) AS counted
      USING (lane)
    WHERE attributes && $1::integer[] AND below_at >= $2::bigint`,
);

const declare = statement(
  "declareAttributes",
  `WITH gained AS (
    INSERT INTO :schema.attribute_names AS kept (type, name, declared)
    SELECT DISTINCT type, name, true FROM unnest($1::text[], $2::text[]) AS given (type, name) ORDER BY type, name
    ON CONFLICT (type, name) DO UPDATE SET declared = true WHERE NOT kept.declared RETURNING attribute, type)
  INSERT INTO :schema.attribute_fills AS kept (lane, attributes, below_at, below_id)
  SELECT lane, array_agg(DISTINCT attribute), 1000000000000000, '' FROM gained JOIN :schema.lanes USING (type)
  WHERE lane IN (SELECT lane FROM (${sums}) AS counted) GROUP BY lane
  ON CONFLICT (lane) DO UPDATE SET attributes = kept.attributes || excluded.attributes, below_at = excluded.below_at,
    below_id = excluded.below_id, done = 0`,
);

const nextFill = statement(
  "nextFill",
  `SELECT lane, type, attributes, below_at, below_id FROM (
      SELECT lane, type, attributes, below_at, below_id FROM :schema.attribute_fills JOIN :schema.lanes USING (lane)
      UNION ALL
      SELECT NULL, type, ARRAY[attribute], NULL, NULL FROM :schema.attribute_names
      WHERE name = '${lackingName}' AND ${isLackedBySome("attribute_names")}) AS fills
    WHERE type = ANY($1::text[]) ORDER BY lane NULLS FIRST LIMIT 1`,
);

const isBelow = "tasks.lane = $1 AND (tasks.created_at, tasks.id) < ($2::bigint, $3::text)";
/** Each status by tasks_lane_created; RUNNING tasks are few, and found by their owners. */
const tasksBelow = statement(
  "tasksToFill",
  `SELECT ${taskColumns} FROM (
    (SELECT found.id, found.created_at FROM (VALUES (0), (1), (3), (4), (5)) AS settled (status) CROSS JOIN LATERAL (
      SELECT id, created_at FROM :schema.tasks WHERE ${isBelow} AND tasks.status = settled.status AND tasks.status <> 2
      ORDER BY created_at DESC, id DESC LIMIT $4::integer) AS found)
    UNION ALL (SELECT id, created_at FROM (
      SELECT id, created_at, lane FROM :schema.tasks WHERE status = 2
      ORDER BY worker LIMIT (SELECT 1000000 WHERE $4::integer > 0)) AS tasks WHERE ${isBelow})
    ORDER BY created_at DESC, id DESC LIMIT $4::integer) AS page
  CROSS JOIN LATERAL (SELECT * FROM :schema.tasks WHERE tasks.id = page.id OFFSET 0) AS tasks
  ORDER BY tasks.created_at DESC, tasks.id DESC`,
);

const endFill = statement(
  "endFill",
  "DELETE FROM :schema.attribute_fills WHERE lane = $1 AND below_at = $2::bigint AND below_id = $3",
);

const addKeys = statement(
  "addAttributes",
  `WITH changed AS (
    UPDATE :schema.tasks SET attributes = coalesce(tasks.attributes, '{}') || given.added
    FROM (
      SELECT given.id, ARRAY(
        SELECT key FROM unnest(given.keys::text[]) AS own (key) WHERE key <> ALL(coalesce(kept.attributes, '{}'))) AS added
      FROM unnest($1::text[], $2::text[]) AS given (id, keys) JOIN :schema.tasks AS kept ON kept.id = given.id
      WHERE ${few("kept.seq")}) AS given
    WHERE tasks.id = given.id AND cardinality(given.added) > 0 AND ${few("tasks.seq")}
    RETURNING tasks.id, tasks.created_at, tasks.status, given.added)
  INSERT INTO :schema.attributes (created_at, state, key, task_id)
  SELECT created_at, CASE status WHEN 2 THEN ${unknownState} ELSE ${stateOf("status")} END, own.key, id
  FROM changed CROSS JOIN LATERAL unnest(added) AS own (key) WHERE ${isFound("own.key")} ON CONFLICT DO NOTHING`,
);

const moveFill = statement(
  "moveFill",
  `UPDATE :schema.attribute_fills SET below_at = $2::bigint, below_id = $3, done = done + $4::bigint
    WHERE lane = $1 AND (below_at, below_id) > ($2::bigint, $3::text)`,
);
