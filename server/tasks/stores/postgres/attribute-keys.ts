/**
 * Candidates of a search by the index of attributes. An equality is a few streams, one for each value, type and state, that
 * the index has in the order of creation; the server merges them. Ranges, prefixes and other orders are gathered, as long as
 * they are few.
 */
import { compareText } from "../../core/compare.ts";
import type { Condition } from "../../core/condition.ts";
import type { Place, StoreSearch } from "../../core/store.ts";
import { isDownwards } from "../search-bounds.ts";
import {
  foundRange,
  isAttributeCondition,
  isWithin,
  type KeyRange,
  keyRanges,
  keysEqual,
  numbersOf,
} from "./attribute-conditions.ts";
import type { NamedAttribute } from "./attribute-names.ts";
import { unknownState } from "./attributes.ts";
import { createdBounds } from "./created-bounds.ts";
import type { Session } from "./database.ts";
import { estimateMax, gatheredMax, type KeySource } from "./key-source.ts";
import { statusNumbers } from "./rows.ts";
import { shape } from "./statement.ts";

/** More streams than this are not merged by the server: the plan would take longer than the page. */
const mergedStreamsMax = 24;
/** More than this are gathered. */
const streamsMax = 2_000;
/** Keys that are read of each of many streams at first. */
const depthMin = 8;
const depthMax = 2_000;

/** Where the index is looked at: keys that are equal, or ranges of them. */
interface Spot {
  name: string;
  keys: string[];
  ranges: KeyRange[];
}

/**
 * The source with the fewest candidates among the parts of `where` that must hold.
 * @param attributes all that there are
 * @param tasks about how many there are: where many fit, walking over the tasks finds a page of them sooner
 */
export async function attributeSource(
  session: Session,
  search: StoreSearch,
  attributes: readonly NamedAttribute[],
  tasks = Number.POSITIVE_INFINITY,
): Promise<KeySource | undefined> {
  const spots = search.where ? spotsOf(search.where, search, attributes) : [];
  let best: { spot: Spot; estimate: number } | undefined;
  for (const spot of spots) {
    const estimate = await estimateOf(session, search, spot);
    if (!best || estimate < best.estimate) best = { spot, estimate };
  }
  if (!best) return undefined;
  const { spot, estimate } = best;
  if (isOrdered(search, spot)) {
    return {
      name: spot.name,
      index: "attributes",
      estimate,
      isOrdered: true,
      keys: async (session, after, limit) => {
        const places = await orderedKeys(session, search, spot, after, limit);
        return { places, next: places.length < limit ? undefined : places.at(-1) };
      },
    };
  }
  const most = Math.min(
    gatheredMax,
    Math.max(estimateMax, Math.sqrt((search.offset + search.limit) * tasks)),
  );
  const gathered = await gather(session, search, spot, Math.ceil(most));
  if (gathered.length > most) return undefined;
  return {
    name: spot.name,
    index: "attributes",
    estimate: gathered.length,
    isOrdered: false,
    keys: async () => ({ places: gathered }),
  };
}

/** The parts that must hold and that the index can find. */
function spotsOf(where: Condition, search: StoreSearch, attributes: readonly NamedAttribute[]): Spot[] {
  if (where.kind === "and") return where.parts.flatMap((part) => spotsOf(part, search, attributes));
  const spot = spotOf(where, search, attributes);
  return spot ? [spot] : [];
}

function spotOf(
  condition: Condition,
  search: StoreSearch,
  attributes: readonly NamedAttribute[],
): Spot | undefined {
  if (condition.kind === "or") {
    const spots = condition.parts.map((part) => spotOf(part, search, attributes));
    if (spots.length === 0 || spots.includes(undefined)) return undefined;
    const found = spots as Spot[];
    return {
      name: found.map(({ name }) => name).join(" or "),
      keys: [...new Set(found.flatMap(({ keys }) => keys))],
      ranges: found.flatMap(({ ranges }) => ranges),
    };
  }
  if (!isAttributeCondition(condition)) return undefined;
  const { name } = condition.field;
  const numbers = numbersOf(name, attributes, search.types);
  const keys = keysEqual(condition, numbers);
  const ranges = keyRanges(condition, numbers);
  if (!keys && !ranges) return undefined;
  return {
    name: `attribute ${name}`,
    keys: keys ?? [],
    ranges: (ranges ?? []).map(foundRange),
  };
}

function isOrdered(search: StoreSearch, { keys, ranges }: Spot): boolean {
  if (search.sortBy !== "createdAt" || ranges.length > 0) return false;
  return keys.length * statesOf(search).length <= streamsMax;
}

function statesOf({ statuses }: StoreSearch): number[] {
  if (!statuses) return [0, unknownState, 3, 4, 5];
  const states = statuses.map((name) =>
    name === "PENDING" || name === "RUNNING" ? 0 : statusNumbers[name][0]!,
  );
  return [...new Set([...states, unknownState])];
}

class Text {
  readonly values: unknown[] = [];
  readonly add = (value: unknown): string => `$${this.values.push(value)}`;
}

interface Streams {
  keys: string[];
  states: number[];
}

/** One for each key and state. */
function streamsOf(search: StoreSearch, { keys }: Spot): Streams {
  const states = statesOf(search);
  return { keys: keys.flatMap((key) => states.map(() => key)), states: keys.flatMap(() => states) };
}

async function orderedKeys(
  session: Session,
  search: StoreSearch,
  spot: Spot,
  after: Place | undefined,
  limit: number,
): Promise<Place[]> {
  const streams = streamsOf(search, spot);
  if (streams.keys.length === 0) return [];
  if (streams.keys.length <= mergedStreamsMax) return mergedKeys(session, search, streams, after, limit);
  return headsMerged(session, search, streams, after, limit);
}

async function mergedKeys(
  session: Session,
  search: StoreSearch,
  { keys, states }: Streams,
  after: Place | undefined,
  limit: number,
): Promise<Place[]> {
  const text = new Text();
  const order = orderOf(search);
  const most = text.add(limit);
  const beyond = createdBounds(text.add, search, after);
  const streams = keys.map((key, at) => {
    const conditions = [`key = ${text.add(key)}::text`, `state = ${states[at]}`, ...beyond];
    return `(SELECT created_at, task_id FROM :schema.attributes WHERE ${conditions.join(" AND ")}
        ORDER BY ${order} LIMIT ${most}::integer)`;
  });
  // A task that has several of the values is in several streams.
  const distinct = new Set(keys).size > 1 ? "DISTINCT" : "";
  const rows = await session.query(
    shape(
      "attributeKeys",
      `SELECT ${distinct} created_at, task_id FROM (${streams.join("\n UNION ALL ")}) AS streams
        ORDER BY ${order} LIMIT ${most}::integer`,
    ),
    text.values,
  );
  return rows.map(([value, id]): Place => ({ value, id }));
}

/**
 * Reads the first keys of every stream, and merges them as far as all are known: up to the foremost of the last keys that
 * were read of streams that have more. Goes on from there, deeper.
 */
async function headsMerged(
  session: Session,
  search: StoreSearch,
  streams: Streams,
  after: Place | undefined,
  limit: number,
): Promise<Place[]> {
  const sign = isDownwards(search) ? -1 : 1;
  const compare = (a: Place, b: Place) => sign * (a.value! - b.value! || compareText(a.id, b.id));
  const found: Place[] = [];
  let depth = Math.max(depthMin, Math.ceil((2 * limit) / streams.keys.length));
  for (let place = after; found.length < limit; depth = Math.min(depthMax, depth * 2)) {
    const heads = await headsOf(session, search, streams, place, depth);
    const lasts = heads.filter((head) => head.length === depth).map((head) => head.at(-1)!);
    const known = lasts.sort(compare)[0];
    const keys = heads.flat().sort(compare);
    for (const key of keys) {
      if (known && compare(key, known) > 0) break;
      // A task that has several of the values is in several streams.
      if (key.id !== found.at(-1)?.id) found.push(key);
    }
    if (!known) break;
    place = known;
  }
  return found.slice(0, limit);
}

async function headsOf(
  session: Session,
  search: StoreSearch,
  { keys, states }: Streams,
  after: Place | undefined,
  depth: number,
): Promise<Place[][]> {
  const text = new Text();
  const given = `unnest(${text.add(keys)}::text[], ${text.add(states)}::smallint[])`;
  const bounds = ["key = stream.key", "state = stream.state", ...createdBounds(text.add, search, after)];
  const rows = await session.query(
    shape(
      "attributeHeads",
      `SELECT stream.number, head.created_at, head.task_id
        FROM ${given} WITH ORDINALITY AS stream (key, state, number) CROSS JOIN LATERAL (
          SELECT created_at, task_id FROM :schema.attributes WHERE ${bounds.join(" AND ")}
          ORDER BY ${orderOf(search)} LIMIT ${text.add(depth)}::integer) AS head`,
    ),
    text.values,
  );
  const heads = Map.groupBy(rows, ([number]) => number as number);
  return [...heads.values()].map((head) => head.map(([, value, id]): Place => ({ value, id })));
}

function orderOf(search: StoreSearch): string {
  return isDownwards(search) ? "created_at DESC, task_id DESC" : "created_at, task_id";
}

/** At most one more than `most`. */
async function gather(session: Session, search: StoreSearch, spot: Spot, most: number): Promise<Place[]> {
  if (isEmpty(spot)) return [];
  const { text, from } = found(search, spot);
  const rows = await session.query(
    shape(
      "gatherAttributes",
      `SELECT DISTINCT task_id FROM (SELECT task_id ${from} LIMIT ${most + 1}) AS found`,
    ),
    text.values,
  );
  return rows.map(([id]): Place => ({ value: null, id }));
}

async function estimateOf(session: Session, search: StoreSearch, spot: Spot): Promise<number> {
  if (isEmpty(spot)) return 0;
  const { text, from } = found(search, spot);
  const [row] = await session.query(
    shape(
      "countAttributes",
      `SELECT count(*)::integer FROM (SELECT 1 ${from} LIMIT ${estimateMax}) AS found`,
    ),
    text.values,
  );
  return row![0];
}

function isEmpty({ keys, ranges }: Spot): boolean {
  return keys.length + ranges.length === 0;
}

/** All rows of a spot that has any; each key and range is a walk of its own, so that the limit ends it. */
function found(search: StoreSearch, { keys, ranges }: Spot): { text: Text; from: string } {
  const text = new Text();
  const bounds = createdBounds(text.add, search);
  const states = `state = ANY(${text.add(statesOf(search))}::smallint[])`;
  const spots = [
    ...(keys.length > 0 ? [`key = ANY(${text.add(keys)}::text[])`] : []),
    ...ranges.map((range) => isWithin("key", range, text.add)),
  ];
  const parts = spots.map(
    (spot) => `SELECT task_id FROM :schema.attributes WHERE ${[spot, states, ...bounds].join(" AND ")}`,
  );
  return { text, from: `FROM (${parts.join("\n UNION ALL ")}) AS spots` };
}
