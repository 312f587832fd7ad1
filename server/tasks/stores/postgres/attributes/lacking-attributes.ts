/**
 * Tasks that were enqueued where nobody could take their attributes: the index of attributes has them by a key of their own, for each
 * type one. Nothing is looked at of types that never had one.
 */
import { lackingName } from "../../../core/attributes.ts";
import type { FilledTask, StoreSearch, UnfilledTask } from "../../../core/store.ts";
import { oldestOfPage } from "../../shared/search-bounds.ts";
import type { Session } from "../connections/database.ts";
import type { Context } from "../context.ts";
import { type TaskRow, taskColumns, toTask } from "../rows.ts";
import { few, statement } from "../statement.ts";
import { statesOf } from "./attribute-keys.ts";
import type { NamedAttribute } from "./attribute-names.ts";
import { arrayLiteral, isFound, keyOf, keysOf } from "./attribute-values.ts";
import { stateOf, unknownState } from "./attributes.ts";

/** More are not counted. */
const countedMax = 10_000;
const states = `(VALUES (0::smallint), (${unknownState}), (3), (4), (5)) AS states (state)`;

/** Where a task that lacks its attributes was read. */
export interface LackingRef {
  id: string;
  type: string;
  /** The key that says so. */
  lacking: string;
}

/** Whether any task has the attribute, whose value is true. @param named a table with `attribute` */
export function isLackedBySome(named: string): string {
  // With a limit it is asked by the index for each, never of the whole table at once.
  return `(SELECT true FROM :schema.attributes AS lacking WHERE lacking.key = ${keyIn(named)} ORDER BY lacking.key LIMIT 1) IS NOT NULL`;
}

function keyIn(named: string): string {
  return `(${named}.attribute || '${keyOf(0, true).slice(1)}') COLLATE "C"`;
}

/** For `stats`. */
export const lackingByType = `SELECT type, (SELECT count(*) FROM (
    SELECT 1 FROM :schema.attributes AS lacking WHERE lacking.key = ${keyIn("named")} LIMIT ${countedMax}) AS counted)
  FROM :schema.attribute_names AS named WHERE name = '${lackingName}' AND ${isLackedBySome("named")}`;

/** Those of a type that wait first. */
export async function readLacking(
  { database, lanes }: Context,
  { type, attribute, limit }: { type: string; attribute: number; limit: number },
): Promise<UnfilledTask[]> {
  const lacking = keyOf(attribute, true);
  const rows = (await database.query(lackingTasks, [lacking, limit])) as TaskRow[];
  const [declared] = await database.query(declaredBy, [type]);
  const attributes = declared?.[0] ? (JSON.parse(declared[0]) as string[]) : [];
  const named = await lanes.named(new Set(rows.map((row) => row[1])));
  return rows.map((row) => {
    const ref: LackingRef = { id: row[0], type, lacking };
    return { ref, task: toTask(row, named), attributes };
  });
}

/** @param filled as `readLacking` gave them */
export async function supplyAttributes(
  { database, attributes: names }: Context,
  filled: readonly FilledTask[],
): Promise<void> {
  const given = filled.map(({ ref, attributes }) => ({ ...(ref as LackingRef), attributes }));
  const numberOf = await names.ofAll(given);
  const keys = given.map(({ type, attributes }) =>
    arrayLiteral(keysOf(attributes, (name) => numberOf(type, name))),
  );
  const ids = given.map(({ id }) => id);
  await database.transaction(async (session) => {
    await session.query(lockTasks, [ids]);
    await session.query(supplyKeys, [ids, keys, given[0]!.lacking]);
  });
}

/** About how many tasks of a search lack what it asks for, one of `asked`. @param lastCreatedAt of a full page */
export async function countLacking(
  session: Pick<Session, "query">,
  search: StoreSearch,
  names: readonly NamedAttribute[],
  asked: readonly string[],
  lastCreatedAt?: number,
): Promise<number> {
  const { types, created } = search;
  const declares = (type: string) => names.some((one) => one.type === type && asked.includes(one.name));
  const keys = names
    .filter(({ name, isFilling }) => name === lackingName && isFilling)
    .filter(({ type }) => (!types || types.includes(type)) && declares(type))
    .map(({ attribute }) => keyOf(attribute, true));
  if (keys.length === 0) return 0;
  const to = created?.end ?? Number.MAX_SAFE_INTEGER;
  const [row] = await session.query(countKeys, [
    keys,
    statesOf(search),
    oldestOfPage(search, lastCreatedAt),
    to,
  ]);
  return row![0] as number;
}

const lackingTasks = statement(
  "lackingTasks",
  `SELECT ${taskColumns} FROM (
    SELECT task_id, state, created_at FROM :schema.attributes WHERE key = $1::text ORDER BY state, created_at, task_id
    LIMIT $2::integer) AS page
  CROSS JOIN LATERAL (SELECT * FROM :schema.tasks WHERE tasks.id = page.task_id OFFSET 0) AS tasks
  ORDER BY page.state, page.created_at, page.task_id`,
);

const declaredBy = statement("declaredBy", "SELECT attributes FROM :schema.definitions WHERE id = $1");

const countKeys = statement(
  "countLacking",
  `SELECT count(*)::integer FROM (SELECT 1 FROM unnest($1::text[]) AS own (key) CROSS JOIN unnest($2::smallint[]) AS own_state (state)
      CROSS JOIN LATERAL (SELECT 1 FROM :schema.attributes WHERE attributes.key = own.key AND attributes.state = own_state.state
        AND created_at >= $3::bigint AND created_at < $4::bigint LIMIT ${countedMax}) AS entries LIMIT ${countedMax}) AS found`,
);

/** In the order in which settlements lock them. */
export const lockTasks = statement(
  "lockTasksToFill",
  "SELECT id FROM :schema.tasks WHERE id = ANY($1::text[]) ORDER BY seq FOR UPDATE",
);

/** What an earlier attempt brought stays; who has been supplied meanwhile is passed over. */
const supplyKeys = statement(
  "supplyAttributes",
  `WITH changed AS (
    UPDATE :schema.tasks SET attributes = nullif(array_remove(tasks.attributes, $3::text) || given.added, '{}')
    FROM (
      SELECT given.id, ARRAY(
        SELECT key FROM unnest(given.keys::text[]) AS own (key) WHERE key <> ALL(kept.attributes)) AS added
      FROM unnest($1::text[], $2::text[]) AS given (id, keys) JOIN :schema.tasks AS kept ON kept.id = given.id
      WHERE ${few("kept.seq")}) AS given
    WHERE tasks.id = given.id AND $3::text = ANY(tasks.attributes) AND ${few("tasks.seq")}
    RETURNING tasks.id, tasks.created_at, tasks.status, given.added),
  removed AS (
    DELETE FROM :schema.attributes USING (SELECT changed.id, changed.created_at, states.state
      FROM changed CROSS JOIN ${states} OFFSET 0) AS entry
    WHERE attributes.key = $3::text AND attributes.state = entry.state AND attributes.created_at = entry.created_at
      AND attributes.task_id = entry.id AND ${few("entry.created_at")})
  INSERT INTO :schema.attributes (created_at, state, key, task_id)
  SELECT created_at, CASE status WHEN 2 THEN ${unknownState} ELSE ${stateOf("status")} END, own.key, id
  FROM changed CROSS JOIN LATERAL unnest(added) AS own (key) WHERE ${isFound("own.key")} ON CONFLICT DO NOTHING`,
);
