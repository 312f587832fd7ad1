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
import { type StoredKey, stateOf } from "../attributes/attributes.ts";
import type { Connection } from "../connection.ts";
import { sourceSql } from "../statements.ts";
import { statusNames } from "../statuses.ts";

export function countAttribute(connection: Connection, request: AttributeCountRequest): AttributeCounts {
  const { name, types, created = {}, budgetMs } = request;
  const endsAt = performance.now() + (budgetMs ?? Number.POSITIVE_INFINITY);
  const named = connection.prepare(sourceSql.attributesOfName).all(name) as unknown as [number, string][];
  const beyond = countBeyond(connection, request);
  const answer: AttributeCounts = { counts: [], leftOut: 0, isWhole: true };
  for (const type of new Set([...named.map(([, type]) => type), ...beyond.keys()])) {
    if (types && !types.includes(type)) continue;
    if (performance.now() >= endsAt) return { ...answer, isWhole: false };
    const top = new TopValues(type);
    const attribute = named.find(([, ofType]) => ofType === type)?.[0];
    const others = beyond.get(type) ?? new Map<Value, Counts>();
    if (attribute !== undefined && !countValues(connection, attribute, created, endsAt, top, others)) {
      answer.isWhole = false;
    }
    for (const [value, counts] of others) addAll(top, value, counts);
    answer.counts.push(...top.list());
    answer.leftOut += top.leftOut;
  }
  const unfilled = countUnfilled(connection, having(request));
  return unfilled > 0 ? { ...answer, unfilled } : answer;
}

type Value = AttributeCount["value"];
/** By state. */
type Counts = Map<number, number>;

/** By type and value, of the tasks that the index does not have yet. */
function countBeyond(
  connection: Connection,
  {
    name,
    created: { start = Number.NEGATIVE_INFINITY, end = Number.POSITIVE_INFINITY } = {},
  }: AttributeCountRequest,
): Map<string, Map<Value, Counts>> {
  const rows = connection.prepare(sql.beyondIndex).all() as unknown as [string, number, number, string][];
  const types = new Map<string, Map<Value, Counts>>();
  for (const [type, createdAt, status, json] of rows) {
    const given = (JSON.parse(json) as Attributes)[name];
    if (given === undefined || createdAt < start || createdAt >= end) continue;
    const values = types.get(type) ?? new Map<Value, Counts>();
    types.set(type, values);
    for (const value of new Set([given].flat())) {
      // What JSON has no form for came back as null.
      if (value === null) continue;
      const counts = values.get(value) ?? new Map<number, number>();
      values.set(value, counts);
      counts.set(stateOf(status), (counts.get(stateOf(status)) ?? 0) + 1);
    }
  }
  return types;
}

/** Counts the index, and with each value what `beyond` has of it, which is taken out there. Answers whether all were counted. */
function countValues(
  connection: Connection,
  attribute: number,
  { start, end }: { start?: number; end?: number },
  endsAt: number,
  top: TopValues,
  beyond: Map<Value, Counts>,
): boolean {
  const statement = connection.borrow(sql.countValues);
  const rows = statement.iterate(
    attribute,
    start ?? Number.MIN_SAFE_INTEGER,
    end ?? Number.MAX_SAFE_INTEGER,
  ) as unknown as IterableIterator<[StoredKey, number, number]>;
  try {
    for (const [key, state, count] of rows) {
      const value = givenValue(key);
      top.add(value, statusOf(state), count);
      addAll(top, value, beyond.get(value));
      beyond.delete(value);
      // A group may be of as many tasks as there are.
      if (performance.now() > endsAt) return false;
    }
    return true;
  } finally {
    rows.return?.();
    connection.giveBack(sql.countValues, statement);
  }
}

function addAll(top: TopValues, value: Value, counts: Counts = new Map()): void {
  for (const [state, count] of counts) top.add(value, statusOf(state), count);
}

function statusOf(state: number): AttributeCount["status"] {
  return state === 0 ? undefined : (statusNames[state] as AttributeCount["status"]);
}

export function readAttributes(connection: Connection, ids: readonly string[]): [id: string, Attributes][] {
  const rows = connection.prepare(sql.attributesByIds).all(JSON.stringify(ids)) as unknown as [
    string,
    string,
  ][];
  return rows.flatMap(([id, json]): [string, Attributes][] => {
    const attributes = declaredOf(JSON.parse(json));
    return attributes ? [[id, attributes]] : [];
  });
}

function givenValue(value: StoredKey): string | number | boolean {
  return typeof value === "object" ? value[0] === 1 : value;
}

const sql = {
  countValues: `/* dure:countValues */ SELECT value, state, count(*) FROM attributes
    WHERE attribute = ? AND created_at >= ? AND created_at < ? GROUP BY value, state ORDER BY value, state`,
  beyondIndex: `/* dure:beyondIndex */ SELECT lanes.type, created_at, status, attributes FROM tasks JOIN lanes USING (lane)
    WHERE seq > (SELECT up_to FROM attribute_marks) AND attributes IS NOT NULL`,
  attributesByIds: `/* dure:attributesOfIds */ SELECT id, attributes FROM tasks
    WHERE own_id IN (0, 1) AND id IN (SELECT value FROM json_each(?)) AND attributes IS NOT NULL`,
} as const;
