/**
 * Candidates of a search by the index of attributes. An equality is a few streams, one for each value, type and state, that
 * the index has in the order of creation; the server merges them. Ranges, prefixes and other orders are gathered, as long as
 * they are few.
 */
import type { Condition } from "../../core/condition.ts";
import type { Place, StoreSearch } from "../../core/store.ts";
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
import type { Session } from "./database.ts";
import { estimateMax, gatheredMax, type KeySource } from "./key-source.ts";
import { statusNumbers } from "./rows.ts";
import { isDownwards } from "./search-bounds.ts";
import { onceOnly } from "./statement.ts";

/** More streams than this are not merged. */
const streamsMax = 64;

/** Where the index is looked at: keys that are equal, or ranges of them. */
interface Spot {
  name: string;
  keys: string[];
  ranges: KeyRange[];
}

/**
 * The source with the fewest candidates among the parts of `where` that must hold.
 * @param attributes all that there are
 */
export async function attributeSource(
  session: Session,
  search: StoreSearch,
  attributes: readonly NamedAttribute[],
): Promise<KeySource | undefined> {
  const spots = search.where ? spotsOf(search.where, search, attributes) : [];
  let best: { spot: Spot; estimate: number } | undefined;
  for (const spot of spots) {
    const estimate = await estimateOf(session, search, spot);
    if (!best || estimate < best.estimate) best = { spot, estimate };
  }
  if (!best) return undefined;
  const { spot, estimate } = best;
  if (isMerged(search, spot)) {
    return {
      name: spot.name,
      estimate,
      isOrdered: true,
      keys: (session, after, limit) => orderedKeys(session, search, spot, after, limit),
    };
  }
  const gathered = await gather(session, search, spot);
  if (gathered.length > gatheredMax) return undefined;
  return { name: spot.name, estimate: gathered.length, isOrdered: false, keys: async () => gathered };
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

function isMerged(search: StoreSearch, { keys, ranges }: Spot): boolean {
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

async function orderedKeys(
  session: Session,
  search: StoreSearch,
  { keys }: Spot,
  after: Place | undefined,
  limit: number,
): Promise<Place[]> {
  if (keys.length === 0) return [];
  const text = new Text();
  const isDown = isDownwards(search);
  const order = isDown ? "created_at DESC, task_id DESC" : "created_at, task_id";
  const most = text.add(limit);
  const beyond = [...createdBounds(text, search)];
  if (after) {
    const place = `(${text.add(after.value)}::bigint, ${text.add(after.id)}::text)`;
    beyond.push(`(created_at, task_id) ${isDown ? "<" : ">"} ${place}`);
  }
  const streams = keys.flatMap((key) =>
    statesOf(search).map((state) => {
      const conditions = [`key = ${text.add(key)}::text`, `state = ${state}`, ...beyond];
      return `(SELECT created_at, task_id FROM :schema.attributes WHERE ${conditions.join(" AND ")}
        ORDER BY ${order} LIMIT ${most}::integer)`;
    }),
  );
  // A task that has several of the values is in several streams.
  const distinct = keys.length > 1 ? "DISTINCT" : "";
  const rows = await session.query(
    onceOnly(
      "attributeKeys",
      `SELECT ${distinct} created_at, task_id FROM (${streams.join("\n UNION ALL ")}) AS streams
        ORDER BY ${order} LIMIT ${most}::integer`,
    ),
    text.values,
  );
  return rows.map(([value, id]): Place => ({ value, id }));
}

async function gather(session: Session, search: StoreSearch, spot: Spot): Promise<Place[]> {
  if (isEmpty(spot)) return [];
  const { text, from } = found(search, spot);
  const rows = await session.query(
    onceOnly(
      "gatherAttributes",
      `SELECT DISTINCT task_id FROM (SELECT task_id ${from} LIMIT ${gatheredMax + 1}) AS found`,
    ),
    text.values,
  );
  return rows.map(([id]): Place => ({ value: null, id }));
}

async function estimateOf(session: Session, search: StoreSearch, spot: Spot): Promise<number> {
  if (isEmpty(spot)) return 0;
  const { text, from } = found(search, spot);
  const [row] = await session.query(
    onceOnly(
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
  const bounds = createdBounds(text, search);
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

/** No task was changed before it was created. */
function createdBounds(text: Text, { created, updated }: StoreSearch): string[] {
  const ends = [created?.end, updated?.end].filter((end) => end !== undefined);
  const bounds: string[] = [];
  if (created?.start !== undefined) bounds.push(`created_at >= ${text.add(created.start)}::bigint`);
  if (ends.length > 0) bounds.push(`created_at < ${text.add(Math.min(...ends))}::bigint`);
  return bounds;
}
