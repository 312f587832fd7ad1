/**
 * Filling in attributes that a definition has gained, for the tasks that were stored before: lane by lane, from the newest
 * to the oldest, a few at a time. It waits for nothing and is taken up where it was left.
 */
import { attributesIn } from "../../../core/filters/condition.ts";
import type {
  Attributes,
  StoredDefinition,
  StoreSearch,
  StoreStats,
  TaskStore,
  Written,
} from "../../../core/store.ts";
import { oldestOfPage } from "../../shared/search-bounds.ts";
import type { Connection } from "../connection.ts";
import type { Row } from "../rows.ts";
import { fillSql, sql } from "../statements.ts";
import type { Rows } from "../threads/protocol.ts";
import { type WriteContext, withNames } from "../threads/write-context.ts";
import { countLacking, lackingByType, readLacking } from "./lacking-attributes.ts";

/** The statuses whose tasks lie in the index by creation. */
const settled = [1, 3, 4, 5];

/** Tasks of one lane, newest first, and the names that they may lack. Without tasks the lane is done. */
export interface UnfilledRows {
  lane: number;
  tasks: Rows;
  attributes: string[];
  /** Any of the lanes of a type, not all tasks of this one. */
  isLacking?: true;
}

/** As they were read; none ends the lane when it has none left. */
export interface FilledRows {
  lane: number;
  tasks: [seq: number, createdAt: number, id: string, attributes: Attributes][];
  isLacking?: true;
}

/** Remembers what a definition declares; what it has gained is to be filled in for older tasks. */
export function declareAttributes(
  { connection }: WriteContext,
  { id, attributes = [] }: Pick<StoredDefinition, "id" | "attributes">,
): void {
  const gained = attributes.flatMap((name) => {
    const row = connection.prepare(fillSql.declareAttribute).get(id, name) as [number] | undefined;
    return row ? [row[0]] : [];
  });
  if (gained.length > 0) connection.prepare(fillSql.beginFill).run(id, JSON.stringify(gained));
}

type Fill = [lane: number, belowAt: number, belowId: string, names: string];
type PlaceRow = [seq: number, createdAt: number, id: string];

export function readUnfilled(
  connection: Connection,
  { types, limit }: Parameters<TaskStore["readUnfilled"]>[0],
): UnfilledRows | undefined {
  const lacking = readLacking(connection, types, limit);
  if (lacking) return lacking;
  const fills = connection
    .prepare(fillSql.fills)
    .all(JSON.stringify([...new Set(types)])) as unknown as Fill[];
  for (const [lane, belowAt, belowId, names] of fills) {
    const seqs = tasksBelow(connection, lane, belowAt, belowId, limit).map(([seq]) => seq);
    const rows = connection.prepare(sql.readTasks).all(JSON.stringify(seqs)) as unknown as Row[];
    return { lane, tasks: withNames(connection, rows), attributes: JSON.parse(names) as string[] };
  }
  return undefined;
}

export function writeAttributes(
  context: WriteContext,
  { lane, tasks, isLacking }: FilledRows,
): Written<void> {
  const { connection } = context;
  if (isLacking) {
    for (const [seq, , id, attributes] of tasks) context.attributes.supply(lane, seq, id, attributes);
    return { kind: "ok", value: undefined };
  }
  for (const [seq, , id, attributes] of tasks) context.attributes.extend(lane, seq, id, attributes);
  const last = tasks.at(-1);
  if (last) connection.prepare(fillSql.moveFill).run(lane, last[1], last[2], tasks.length);
  const place = connection.prepare(fillSql.fillOfLane).get(lane) as [number, string] | undefined;
  if (place && tasksBelow(connection, lane, ...place, 1).length === 0) {
    connection.prepare(fillSql.endFill).run(lane);
  }
  return { kind: "ok", value: undefined };
}

function tasksBelow(connection: Connection, lane: number, at: number, id: string, limit: number): PlaceRow[] {
  const place = [lane, at, id, limit];
  const rows = [
    ...connection.prepare(fillSql.freshBelow).all(...place),
    ...settled.flatMap((status) => connection.prepare(fillSql.changedBelow).all(...place, status)),
    ...connection.prepare(fillSql.runningBelow).all(...place),
  ] as unknown as PlaceRow[];
  return rows.sort((a, b) => b[1] - a[1] || (a[2] < b[2] ? 1 : -1)).slice(0, limit);
}

/** Of the names ?1, of the types ?2 or of all, not newer than ?3; reads nothing while no attribute is filled in. */
const unfilled = `/* dure:unfilled */ SELECT coalesce(sum(max(0,
    (SELECT sum(tasks) FROM tallies WHERE tallies.lane = attribute_fills.lane) - done)), 0)
  FROM attribute_fills CROSS JOIN lanes USING (lane)
  WHERE below_at >= ?3 AND (?2 IS NULL OR type IN (SELECT value FROM json_each(?2))) AND EXISTS (
    SELECT 1 FROM json_each(attributes) AS gained JOIN attribute_names ON attribute = gained.value
    WHERE name IN (SELECT value FROM json_each(?1)))`;

/** About how many tasks a search judges without an attribute that it asks for. @param lastCreatedAt of a full page */
export function countUnfilled(connection: Connection, search: StoreSearch, lastCreatedAt?: number): number {
  const names = attributesIn(search.where);
  if (names.length === 0) return 0;
  const types = search.types ? JSON.stringify(search.types) : null;
  const [tasks] = connection
    .prepare(unfilled)
    .get(JSON.stringify(names), types, oldestOfPage(search, lastCreatedAt)) as unknown as [number];
  return tasks + countLacking(connection, search, names, lastCreatedAt);
}

/** Types that are being filled in, for `stats`. */
export function fillsUnderWay(connection: Connection): NonNullable<StoreStats["filling"]> {
  const filling = new Map(lackingByType(connection));
  for (const { type, tasks } of connection.rows(fillSql.allFills) as { type: string; tasks: number }[])
    filling.set(type, (filling.get(type) ?? 0) + Number(tasks));
  return Array.from(filling, ([type, tasks]) => ({ type, tasks }));
}
