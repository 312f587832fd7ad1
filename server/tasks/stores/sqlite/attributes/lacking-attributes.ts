/**
 * Tasks that were enqueued where nobody could take their attributes: the index of attributes has them, and those that it does not have
 * yet lie beyond its mark. Nothing is looked at of types that never had one.
 */
import { lackingName } from "../../../core/attributes.ts";
import type { StoreSearch } from "../../../core/store.ts";
import { oldestOfPage } from "../../shared/search-bounds.ts";
import type { Connection } from "../connection.ts";
import type { Row } from "../rows.ts";
import { sql } from "../statements.ts";
import { statusNumbers } from "../statuses.ts";
import { withNames } from "../threads/write-context.ts";
import type { UnfilledRows } from "./attribute-fills.ts";
import { stateOf, storedKey } from "./attributes.ts";

/** More are not counted. */
const countedMax = 10_000;
const yes = storedKey(true);

/** The next tasks of one of these types, those that wait first. */
export function readLacking(
  connection: Connection,
  types: readonly string[],
  limit: number,
): UnfilledRows | undefined {
  for (const [attribute, type] of lackingTypes(connection)) {
    if (!types.includes(type)) continue;
    const found = [
      ...connection.prepare(lackingSql.indexed).all(attribute, yes, limit),
      ...connection.prepare(lackingSql.beyond).all(type, limit),
    ] as unknown as [number][];
    if (found.length === 0) continue;
    const seqs = found.slice(0, limit).map(([seq]) => seq);
    const rows = connection.prepare(sql.readTasks).all(JSON.stringify(seqs)) as unknown as Row[];
    const [names] = connection.prepare(lackingSql.declared).get(type) as unknown as [string | null];
    const attributes = names === null ? [] : (JSON.parse(names) as string[]);
    return { lane: rows[0]![2], tasks: withNames(connection, rows), attributes, isLacking: true };
  }
  return undefined;
}

/** About how many tasks of a search lack what it asks for, one of these names. @param lastCreatedAt of a full page */
export function countLacking(
  connection: Connection,
  search: StoreSearch,
  names: readonly string[],
  lastCreatedAt?: number,
): number {
  const { types, statuses, created } = search;
  const states = [...new Set((statuses ?? everyStatus).map((name) => stateOf(statusNumbers[name])))];
  const from = oldestOfPage(search, lastCreatedAt);
  const to = created?.end ?? Number.MAX_SAFE_INTEGER;
  let tasks = 0;
  for (const [attribute, type] of lackingTypes(connection)) {
    if (types && !types.includes(type)) continue;
    if (!connection.prepare(lackingSql.declaresOne).get(type, JSON.stringify(names))) continue;
    const [indexed] = connection
      .prepare(lackingSql.countIndexed)
      .get(attribute, yes, JSON.stringify(states), from, to, countedMax) as unknown as [number];
    const [beyond] = connection
      .prepare(lackingSql.countBeyond)
      .get(type, JSON.stringify(states), from, to) as unknown as [number];
    tasks += indexed + beyond;
  }
  return tasks;
}

/** For `stats`. */
export function lackingByType(connection: Connection): [type: string, tasks: number][] {
  const everything = { types: undefined, statuses: undefined } as unknown as StoreSearch;
  return lackingTypes(connection).flatMap(([, type]): [string, number][] => {
    const names = connection.prepare(lackingSql.namesOf).all(type) as unknown as [string][];
    const tasks = countLacking(
      connection,
      { ...everything, types: [type] },
      names.map(([name]) => name),
    );
    return tasks > 0 ? [[type, tasks]] : [];
  });
}

const everyStatus = ["PENDING", "COMPLETED", "FAILED", "CANCELLED"] as const;

function lackingTypes(connection: Connection): [attribute: number, type: string][] {
  return connection.prepare(lackingSql.types).all(lackingName) as unknown as [number, string][];
}

const isBeyond = `seq > (SELECT up_to FROM attribute_marks) AND attributes IS NOT NULL
    AND attributes ->> '$."${lackingName}"' AND lanes.type = ?1`;
const lackingSql = {
  types:
    "/* dure:lackingTypes */ SELECT attribute, type FROM attribute_names WHERE name = ? ORDER BY attribute",
  declared: "/* dure:declaredOf */ SELECT attributes FROM definitions WHERE id = ?",
  declaresOne: `/* dure:declaresOne */ SELECT 1 FROM attribute_names
    WHERE type = ?1 AND name IN (SELECT value FROM json_each(?2)) LIMIT 1`,
  namesOf: "/* dure:attributesOfType */ SELECT name FROM attribute_names WHERE type = ? AND declared = 1",
  indexed: `/* dure:lacking */ SELECT seq FROM attributes WHERE attribute = ? AND value = ?
    ORDER BY state, created_at, seq LIMIT ?`,
  beyond: `/* dure:lackingBeyond */ SELECT seq FROM tasks JOIN lanes USING (lane) WHERE ${isBeyond} ORDER BY seq LIMIT ?2`,
  countIndexed: `/* dure:countLacking */ SELECT count(*) FROM (SELECT 1 FROM attributes
    WHERE attribute = ?1 AND value = ?2 AND state IN (SELECT value FROM json_each(?3)) AND created_at >= ?4 AND created_at < ?5
    LIMIT ?6)`,
  countBeyond: `/* dure:countLackingBeyond */ SELECT count(*) FROM tasks JOIN lanes USING (lane) WHERE ${isBeyond}
    AND CASE WHEN status >= 3 THEN status ELSE 0 END IN (SELECT value FROM json_each(?2)) AND created_at >= ?3 AND created_at < ?4`,
} as const;
