/**
 * Candidates of a search by the index of attributes. An equality is a few streams, one for each value, type and state,
 * each in the order of creation, which are merged here. Ranges, prefixes and other orders are gathered, as long as they are
 * few.
 */
import type { SQLInputValue } from "node:sqlite";
import type { Comparable, Condition } from "../../../core/filters/condition.ts";
import { meets } from "../../../core/filters/meets.ts";
import type { Attributes, StoreSearch } from "../../../core/store.ts";
import type { Task } from "../../../core/task.ts";
import { beyondPrefix } from "../../shared/beyond-prefix.ts";
import { isDownwards } from "../../shared/search-bounds.ts";
import type { Connection } from "../connection.ts";
import {
  Candidates,
  candidatesAmong,
  createdBounds,
  estimateMax,
  gatheredMax,
  type KeySource,
} from "../search/key-source.ts";
import { headed, streamKeys } from "../search/key-stream.ts";
import { comparator, firstId, isPlace, type Key, lastId, placeKey } from "../search/search-key.ts";
import { mergeInOrder } from "../search/search-merge.ts";
import { attributeSql, sourceSql as sql } from "../statements.ts";
import { statusNumbers } from "../statuses.ts";
import { type StoredKey, stateOf, storedKey } from "./attributes.ts";

/** More are gathered. */
const mergedStreamsMax = 400;
/** Rows of tasks that are looked up at once: at first as many as the page has, then twice as many each time. */
const groupSizeMax = 256;

/** Where the index is looked at: values, or ranges of them. */
interface Spot {
  name: string;
  /** Of attributes alone. */
  condition: Condition;
  equal: [attribute: number, value: StoredKey][];
  ranges: ValueRange[];
}

/** The lower bound is included, the upper one is not. */
type ValueRange = [attribute: number, lower: SQLInputValue, upper: SQLInputValue];
/** Entries of the index have no id, and among them are places: an instant before which no entry of a stream is left. */
type Entry = Key;

/** The source with the fewest candidates among the parts of `where` that must hold. */
export function attributeSource(connection: Connection, search: StoreSearch): KeySource | undefined {
  const spots = search.where ? spotsOf(connection, search.where, search) : [];
  if (spots.length === 0) return undefined;
  const beyond = readBeyond(connection);
  const [best] = [...estimated(connection, spots, beyond)].sort(
    (a, b) => a.estimate + a.beyond.length - b.estimate - b.beyond.length,
  );
  const { spot, estimate } = best!;
  const states = statesOf(search);
  const source = {
    name: spot.name,
    index: "attributes" as const,
    estimate: Math.min(estimate, estimateMax) + best!.beyond.length,
    countTo: (most: number) =>
      best!.beyond.length + (estimate < estimateMax ? estimate : estimateOf(connection, spot, most)),
  };
  if (search.sortBy === "createdAt" && spot.ranges.length === 0) {
    const isFew = estimate < estimateMax;
    if (isFew || spot.equal.length * states.length <= mergedStreamsMax) {
      const entries = isFew ? fewEntries : streamedEntries;
      return {
        ...source,
        total: () => countAll(connection, spot) + best!.beyond.length,
        keys: () =>
          mergeInOrder(
            [
              inOrder(connection, search, entries(connection, search, spot, states)),
              candidatesAmong(connection, search, best!.beyond),
            ],
            comparator(search),
          ),
      };
    }
  }
  const gathered = gather(connection, search, spot, states);
  if (!gathered) return undefined;
  for (const seq of best!.beyond) gathered.add(seq);
  return { ...source, total: () => gathered.size, keys: () => candidatesAmong(connection, search, gathered) };
}

/** Where all are many, they are counted further: a value of thousands of tasks is read sooner than one of millions. */
function estimated(connection: Connection, spots: readonly Spot[], beyond: readonly Beyond[]) {
  const upTo = (most: number) =>
    spots.map((spot) => ({
      ...{ spot, beyond: fitting(beyond, spot) },
      estimate: estimateOf(connection, spot, most),
    }));
  const found = upTo(estimateMax);
  const areMany = found.length > 1 && found.every(({ estimate }) => estimate >= estimateMax);
  return areMany ? upTo(gatheredMax) : found;
}

/** Tasks that the index does not have yet. */
type Beyond = [seq: number, attributes: Attributes];

function readBeyond(connection: Connection): Beyond[] {
  const rows = connection.prepare(attributeSql.attributesBeyond).all() as unknown as [number, string][];
  return rows.map(([seq, json]) => [seq, JSON.parse(json) as Attributes]);
}

function fitting(beyond: readonly Beyond[], { condition }: Spot): number[] {
  const task = {} as Task;
  return beyond.filter(([, attributes]) => meets(condition, { task, attributes })).map(([seq]) => seq);
}

function countAll(connection: Connection, { equal }: Spot): number {
  const most = Number.MAX_SAFE_INTEGER;
  const counts = Array.from(byValue(equal), ([value, attributes]) =>
    connection.prepare(sql.countEqual).get(JSON.stringify(attributes), value, most),
  ) as unknown as [number][];
  return counts.reduce((sum, [count]) => sum + count, 0);
}

/** The parts that must hold and that the index can find. */
function spotsOf(connection: Connection, where: Condition, search: StoreSearch): Spot[] {
  if (where.kind === "and") return where.parts.flatMap((part) => spotsOf(connection, part, search));
  const spot = spotOf(connection, where, search);
  return spot ? [spot] : [];
}

function spotOf(connection: Connection, condition: Condition, search: StoreSearch): Spot | undefined {
  if (condition.kind === "or") {
    const spots = condition.parts.map((part) => spotOf(connection, part, search));
    const found = spots.filter((spot) => spot !== undefined);
    if (found.length === 0 || found.length < spots.length) return undefined;
    return {
      name: found.map(({ name }) => name).join(" or "),
      condition,
      equal: found.flatMap(({ equal }) => equal),
      ranges: found.flatMap(({ ranges }) => ranges),
    };
  }
  if (!("field" in condition) || condition.field.of !== "attribute") return undefined;
  const { name } = condition.field;
  const attributes = numbersOf(connection, name, search);
  const spot: Spot = { name: `attribute ${name}`, condition, equal: [], ranges: [] };
  if (condition.kind === "equals") {
    const { values } = condition;
    if (values.includes(null)) return undefined;
    spot.equal = attributes.flatMap((attribute) =>
      values.map((value): Spot["equal"][number] => [attribute, storedKey(value as Comparable)]),
    );
    return spot;
  }
  const bounds = boundsOf(condition);
  if (!bounds) return undefined;
  spot.ranges = attributes.map((attribute) => [attribute, ...bounds]);
  return spot;
}

/** The numbers of an attribute in all types that have it. */
function numbersOf(connection: Connection, name: string, { types }: StoreSearch): number[] {
  const read = () => connection.prepare(sql.attributesOfName).all(name) as unknown as [number, string][];
  const rows = connection.once(`attributes ${name}`, read);
  return rows.filter(([, type]) => !types || types.includes(type)).map(([attribute]) => attribute);
}

/** Numbers sort before texts, and texts before blobs. May be wider than the condition. */
function boundsOf(condition: Condition): [lower: SQLInputValue, upper: SQLInputValue] | undefined {
  const firstBlob = new Uint8Array(0);
  if (condition.kind === "prefix") return [condition.prefix, beyondPrefix(condition.prefix) ?? firstBlob];
  if (condition.kind === "exists") return [Number.NEGATIVE_INFINITY, new Uint8Array([2])];
  if (condition.kind !== "range") return undefined;
  const { from, to } = condition;
  const isText = typeof (from ?? to)?.value === "string";
  const lower = from?.value ?? (isText ? "" : Number.NEGATIVE_INFINITY);
  if (to === undefined) return [lower, isText ? firstBlob : ""];
  return [lower, typeof to.value === "string" ? `${to.value}\0` : nextNumber(to.value)];
}

/** A number that is greater, and hardly. */
function nextNumber(value: number): SQLInputValue {
  return Number.isFinite(value) ? value + Math.max(Number.MIN_VALUE, Math.abs(value) * 2 ** -52) : "";
}

function statesOf({ statuses }: StoreSearch): number[] {
  if (!statuses) return [0, 3, 4, 5];
  return [...new Set(statuses.map((name) => stateOf(statusNumbers[name])))];
}

/** No further than to so many. */
function estimateOf(connection: Connection, { equal, ranges }: Spot, most = estimateMax): number {
  let estimate = 0;
  const count = (text: string, ...values: SQLInputValue[]) => {
    if (estimate >= most) return;
    estimate += countUpTo(connection, text, values, most - estimate);
  };
  for (const [value, attributes] of byValue(equal)) count(sql.countEqual, JSON.stringify(attributes), value);
  for (const range of ranges) count(sql.countBetween, ...range);
  return estimate;
}

/** No further than `most`. That there are as many is kept, as `Connection.once` does: of few there may be as many values as tasks. */
function countUpTo(
  connection: Connection,
  text: string,
  values: readonly SQLInputValue[],
  most: number,
): number {
  const name = `${most} ${text} ${JSON.stringify(values)}`;
  const known = connection.known<number>(name);
  if (known !== undefined) return known;
  const [count] = connection.prepare(text).get(...values, most) as unknown as [number];
  return count < most ? count : connection.once(name, () => count);
}

/** The tasks' numbers; undefined when there are too many. */
function gather(
  connection: Connection,
  search: StoreSearch,
  { equal, ranges }: Spot,
  states: readonly number[],
): Set<number> | undefined {
  const { from, to } = createdBounds(search);
  const seqs = new Set<number>();
  for (const [attribute, value] of equal) {
    for (const state of states) {
      const rows = connection.prepare(sql.equalAny).all(attribute, value, state, from, to, gatheredMax + 1);
      for (const [seq] of rows as unknown as [number][]) seqs.add(seq);
      if (seqs.size > gatheredMax) return undefined;
    }
  }
  for (const range of ranges) {
    const rows = connection.prepare(sql.between).all(...range, from, to, gatheredMax + 1);
    for (const [seq] of rows as unknown as [number][]) seqs.add(seq);
    // A task that has several of the values is among the rows for each.
    if (rows.length > gatheredMax || seqs.size > gatheredMax) return undefined;
  }
  return seqs;
}

/** The tasks that the entries are of, in the order of the search, which is that of their creation. */
function* inOrder(
  connection: Connection,
  search: StoreSearch,
  entries: Iterable<Entry>,
): Generator<Key, undefined> {
  const candidates = new Candidates(connection, search);
  const id = isDownwards(search) ? firstId : lastId;
  for (const { seqs, lastAt } of groups(entries, search.offset + search.limit)) {
    yield* candidates.among(seqs);
    yield placeKey(lastAt, id);
  }
  return undefined;
}

/** Read whole, and sorted here. */
function fewEntries(
  connection: Connection,
  search: StoreSearch,
  { equal }: Spot,
  states: readonly number[],
): Entry[] {
  const { from, to } = createdBounds(search);
  const found = [...byValue(equal)].flatMap(([value, attributes]) =>
    connection.prepare(sql.equalEntries).all(JSON.stringify(attributes), value, from, to),
  ) as unknown as [...Entry, state: number][];
  return found
    .filter(([, , , state]) => states.includes(state))
    .map(([at, id, seq]): Entry => [at, id, seq])
    .sort(byCreation(search));
}

type HeadRow = [attribute: number, state: number, at: number | null];

/** Of many streams most have nothing on the page: each is opened when the place of its first entry is reached. */
function* streamedEntries(
  connection: Connection,
  search: StoreSearch,
  { equal }: Spot,
  states: readonly number[],
): Generator<Entry, undefined> {
  const downwards = isDownwards(search);
  const { from, to } = createdBounds(search);
  const places = JSON.stringify(states);
  const text = downwards ? sql.equalDownwards : sql.equalUpwards;
  const heads = [...byValue(equal)].flatMap(([value, attributes]) => {
    const rows = connection
      .prepare(downwards ? sql.lastOfEqual : sql.firstOfEqual)
      .all(JSON.stringify(attributes), value, from, to, places) as unknown as HeadRow[];
    return rows.flatMap(([attribute, state, at]) =>
      at === null ? [] : [{ at, values: [attribute, value, state, from, to] }],
    );
  });
  const first = Math.ceil((search.offset + search.limit) / Math.max(1, heads.length)) + 2;
  const streams = heads.map(({ at, values }) =>
    headed(placeKey(at, ""), () => streamKeys(connection, { text, values }, first)),
  );
  yield* mergeInOrder(streams, byCreation(search));
  return undefined;
}

/** Attributes by the value that is asked of them. */
function byValue(equal: Spot["equal"]): Map<StoredKey, number[]> {
  const found = new Map<StoredKey, number[]>();
  for (const [attribute, value] of equal) {
    const same = found.get(value);
    if (same) same.push(attribute);
    else found.set(value, [attribute]);
  }
  return found;
}

/** Tasks of one instant in any order. */
function byCreation(search: StoreSearch): (a: Entry, b: Entry) => number {
  const sign = isDownwards(search) ? -1 : 1;
  return ([a], [b]) => sign * (a - b);
}

/** Tasks of one instant are in one group, for their order is that of their ids. */
function* groups(
  entries: Iterable<Entry>,
  wanted: number,
): Generator<{ seqs: number[]; lastAt: number }, undefined> {
  let seqs: number[] = [];
  let size = Math.min(groupSizeMax, wanted);
  let lastAt = Number.NaN;
  for (const entry of entries) {
    if (isPlace(entry)) continue;
    const [at, , seq] = entry;
    if (seqs.length >= size && at !== lastAt) {
      yield { seqs, lastAt };
      seqs = [];
      size = Math.min(groupSizeMax, 2 * size);
    }
    seqs.push(seq);
    lastAt = at;
  }
  if (seqs.length > 0) yield { seqs, lastAt };
  return undefined;
}
