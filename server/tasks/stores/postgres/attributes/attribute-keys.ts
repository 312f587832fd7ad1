/**
 * Candidates of a search by the index of attributes. An equality is a few streams, one for each value, type and state, that
 * the index has in the order of creation; the server merges them. Ranges, prefixes and other orders are gathered, as long as
 * they are few.
 */
import type { Condition } from "../../../core/filters/condition.ts";
import type { Place, StoreSearch } from "../../../core/store.ts";
import { isDownwards } from "../../shared/search-bounds.ts";
import { allOver, type Session } from "../connections/database.ts";
import { statusNumbers } from "../rows.ts";
import { type Along, areNoted, noting, withRows } from "../search/along.ts";
import { firstOfFiltered, firstOfSource } from "../search/chunks.ts";
import { createdBounds } from "../search/created-bounds.ts";
import { type Asking, estimateMax, gatheredMax, type KeySource } from "../search/key-source.ts";
import { instantMax, instantMin, type SearchStatement, Text } from "../search/search-statements.ts";
import { shape } from "../statement.ts";
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
import { type Behind, behindKeys } from "./attribute-work.ts";
import { unknownState } from "./attributes.ts";

/** More streams than this are not merged by the server: the plan would take longer than the page. */
const mergedStreamsMax = 24;
/** More than this are gathered. */
const streamsMax = 2_000;
/** Of many streams so many times as many first keys are looked at as are wanted, to find out how far the page may reach. */
const headsSpare = 2;

/** Where the index is looked at: keys that are equal, or ranges of them. */
interface Spot {
  name: string;
  keys: string[];
  ranges: KeyRange[];
  /** Tasks that the index lacks, and that may have such keys. */
  behind: Behind[];
}

/** A part that must hold, about how many candidates it has, and its first keys where they were asked for. */
interface Asked {
  spot: Spot;
  estimate: number;
  first?: Place[];
  /** Whether all that the index has of it is what the search asks for. */
  isExact?: true;
}

/**
 * Asks at once how many candidates each of the parts of `where` has that must hold, and for the first keys where there is one part, and
 * the index has it in order: most often these are the page. Where the part is all that is asked, their tasks are read along, and how many there
 * are does not matter.
 * @param attributes all that there are
 * @param countedMost further candidates of a part are not counted
 */
export function askAttributes(
  session: Pick<Session, "query">,
  search: StoreSearch,
  attributes: readonly NamedAttribute[],
  { along, countedMost = estimateMax }: Asking = {},
): Promise<Asked[]> {
  const spots = search.where ? spotsOf(search.where, search, attributes) : [];
  const [spot] = spots;
  if (spots.length === 1 && isOrdered(search, spot!)) {
    const first = (most: number, along?: Along) =>
      orderedKeys(session, search, spot!, search.after, most, along);
    const page = firstOfFiltered(search);
    if (along && page <= along.most && isExact(search)) {
      along.isPage = true;
      return first(page, along).then((first) => [
        { spot: spot!, estimate: first.length, first, isExact: true },
      ]);
    }
    return allOver([estimateOf(session, search, spot!, countedMost), first(firstOfSource(search))]).then(
      ([estimate, first]) => [{ spot: spot!, estimate, first }],
    );
  }
  return allOver(
    spots.map(
      async (spot): Promise<Asked> => ({
        spot,
        estimate: await estimateOf(session, search, spot, countedMost),
      }),
    ),
  );
}

/** Whether a task that has the attribute, and is of a type, a state and a time that are asked for, is what the search asks for: all but some that run. */
function isExact({ where, queues, updated, statuses }: StoreSearch): boolean {
  const isOfRunning = statuses?.includes("RUNNING") && !statuses.includes("PENDING");
  return where?.kind !== "and" && !queues && !updated && !isOfRunning;
}

/**
 * The source with the fewest candidates of those that were asked.
 * @param tasks about how many there are: where many fit, walking over the tasks finds a page of them sooner
 */
export async function attributeSource(
  session: Session,
  search: StoreSearch,
  asked: readonly Asked[],
  tasks = Number.POSITIVE_INFINITY,
): Promise<KeySource | undefined> {
  const [best] = [...asked].sort((a, b) => a.estimate - b.estimate);
  if (!best) return undefined;
  const { spot, estimate, first, isExact } = best;
  if (isOrdered(search, spot)) {
    return {
      name: spot.name,
      index: "attributes",
      estimate,
      isOrdered: true,
      ...(isExact && { isFiltered: true }),
      keys: async (session, after, limit) => {
        const firstMost = isExact ? firstOfFiltered(search) : firstOfSource(search);
        const isFirst = first !== undefined && after === search.after && limit === firstMost;
        const places = isFirst ? first : await orderedKeys(session, search, spot, after, limit);
        // A task that has several of the values comes several times.
        const once = places.filter(({ id }, place) => id !== places[place - 1]?.id);
        return { places: once, next: places.length < limit ? undefined : places.at(-1) };
      },
    };
  }
  const most = Math.min(
    gatheredMax,
    Math.max(estimateMax, Math.sqrt((search.offset + search.limit) * tasks)),
  );
  const gathered = await gather(session, search, spot, Math.ceil(most));
  if (!gathered) return undefined;
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
      behind: [...new Set(found.flatMap(({ behind }) => behind))],
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
    behind: attributes
      .filter(({ attribute }) => numbers.includes(attribute))
      .flatMap(({ behind = [] }) => behind.filter(({ isWritten }) => !isWritten)),
  };
}

function isOrdered(search: StoreSearch, { keys, ranges }: Spot): boolean {
  if (search.sortBy !== "createdAt" || ranges.length > 0) return false;
  return keys.length * statesOf(search).length <= streamsMax;
}

export function statesOf({ statuses }: Pick<StoreSearch, "statuses">): number[] {
  if (!statuses) return [0, unknownState, 3, 4, 5];
  const states = statuses.map((name) =>
    name === "PENDING" || name === "RUNNING" ? 0 : statusNumbers[name][0]!,
  );
  return [...new Set([...states, unknownState])];
}

interface Streams {
  keys: string[];
  states: number[];
  spot: Spot;
}

/** One for each key and state. */
function streamsOf(search: StoreSearch, spot: Spot): Streams {
  const states = statesOf(search);
  const { keys } = spot;
  return { keys: keys.flatMap((key) => states.map(() => key)), states: keys.flatMap(() => states), spot };
}

async function orderedKeys(
  session: Pick<Session, "query">,
  search: StoreSearch,
  spot: Spot,
  after: Place | undefined,
  limit: number,
  along?: Along,
): Promise<Place[]> {
  const streams = streamsOf(search, spot);
  if (streams.keys.length === 0) return [];
  const ways = streams.keys.length <= mergedStreamsMax ? mergedKeys : foremostKeys;
  const found = ways(search, streams, after, limit);
  const { statement, values } = along ? notingKeys(found) : found;
  const read = async () =>
    (await session.query(statement, values)).map(([value, id]): Place => ({ value, id }));
  return withRows(along, read, (places) => places);
}

function notingKeys({ statement: { name, text }, values }: SearchStatement): SearchStatement {
  const noted = `WITH keys AS MATERIALIZED (${text}), ${noting("keys")}
      SELECT created_at, task_id FROM keys WHERE ${areNoted}`;
  return { statement: shape(name, noted), values };
}

/** Merged by the server. */
function mergedKeys(
  search: StoreSearch,
  { keys, states, spot }: Streams,
  after: Place | undefined,
  limit: number,
): SearchStatement {
  const text = new Text();
  const order = orderOf(search);
  const most = text.add(limit);
  const beyond = createdBounds(text.add, search, after);
  const streams = keys.map((key, at) => {
    const conditions = [`key = ${text.add(key)}::text`, `state = ${states[at]}`, ...beyond];
    return `(SELECT created_at, task_id FROM :schema.attributes WHERE ${conditions.join(" AND ")}
        ORDER BY ${order} LIMIT ${most}::integer)`;
  });
  if (spot.behind.length > 0) streams.push(behindStream(spot, text, beyond));
  return {
    statement: shape(
      "attributeKeys",
      `SELECT created_at, task_id FROM (${streams.join("\n UNION ALL ")}) AS streams
        ORDER BY ${order} LIMIT ${most}::integer`,
    ),
    values: text.values,
  };
}

/**
 * The first keys of each stream tell how far the page reaches at most (`edge`), since as many as are wanted lie before that; up
 * to there the streams are read that have one there.
 */
function foremostKeys(
  search: StoreSearch,
  { keys, states, spot }: Streams,
  after: Place | undefined,
  limit: number,
): SearchStatement {
  const text = new Text();
  const order = orderOf(search);
  const most = `${text.add(limit)}::integer`;
  const bounds = createdBounds(text.add, search, after).join(" AND ") || "true";
  const keysOf = (stream: string, most: string, within = "true") =>
    `SELECT created_at, task_id FROM :schema.attributes
      WHERE key = ${stream}.key AND state = ${stream}.state AND ${bounds} AND ${within} ORDER BY ${order} LIMIT ${most}`;
  const depth = `${text.add(Math.ceil((headsSpare * limit) / keys.length))}::integer`;
  const isWithin = isDownwards(search)
    ? `created_at >= coalesce((SELECT created_at FROM edge), ${instantMin})`
    : `created_at <= coalesce((SELECT created_at FROM edge), ${instantMax})`;
  return {
    statement: shape(
      "attributeForemost",
      `WITH heads AS MATERIALIZED (
        SELECT stream.key, stream.state, head.* FROM unnest(${text.add(keys)}::text[], ${text.add(states)}::smallint[]) AS stream (key, state)
        CROSS JOIN LATERAL (${keysOf("stream", depth)}) AS head),
      edge AS MATERIALIZED (SELECT created_at FROM heads ORDER BY ${order} LIMIT 1 OFFSET ${text.add(limit - 1)}::integer)
      SELECT keys.created_at, keys.task_id
      FROM (SELECT key, state FROM heads WHERE ${isWithin} GROUP BY key, state) AS foremost
        CROSS JOIN LATERAL (${keysOf("foremost", most, isWithin)}) AS keys
      ${spot.behind.length > 0 ? `UNION ALL ${behindStream(spot, text, [bounds])}` : ""}
      ORDER BY ${order} LIMIT ${most}`,
    ),
    values: text.values,
  };
}

/** What the index lacks, in no order. */
function behindStream(spot: Spot, text: Text, bounds: readonly string[]): string {
  return `(SELECT created_at, task_id FROM (${behindKeys(spot.behind, spot, text.add)}) AS behind
        WHERE ${bounds.join(" AND ") || "true"})`;
}

function orderOf(search: StoreSearch): string {
  return isDownwards(search) ? "created_at DESC, task_id DESC" : "created_at, task_id";
}

/** Undefined where the index has more rows than `most`: a task that has several of the values has a row for each. */
async function gather(
  session: Session,
  search: StoreSearch,
  spot: Spot,
  most: number,
): Promise<Place[] | undefined> {
  if (isEmpty(spot)) return [];
  const { text, from } = found(search, spot);
  const rows = await session.query(
    shape(
      "gatherAttributes",
      `WITH found AS MATERIALIZED (SELECT task_id ${from} LIMIT ${most + 1})
        SELECT count(*)::text FROM found UNION ALL
        (SELECT DISTINCT task_id FROM found WHERE (SELECT count(*) FROM found) <= ${most})`,
    ),
    text.values,
  );
  const [count, ...ids] = rows.map(([one]) => one as string);
  return Number(count) > most ? undefined : ids.map((id): Place => ({ value: null, id }));
}

async function estimateOf(
  session: Pick<Session, "query">,
  search: StoreSearch,
  spot: Spot,
  most: number,
): Promise<number> {
  if (isEmpty(spot)) return 0;
  const { text, from } = found(search, spot);
  const [row] = await session.query(
    shape("countAttributes", `SELECT count(*)::integer FROM (SELECT 1 ${from} LIMIT ${most}) AS found`),
    text.values,
  );
  return row![0];
}

function isEmpty({ keys, ranges }: Spot): boolean {
  return keys.length + ranges.length === 0;
}

/** All rows of a spot that has any; each key and range is a walk of its own, so that the limit ends it. */
function found(search: StoreSearch, spot: Spot): { text: Text; from: string } {
  const { keys, ranges, behind } = spot;
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
  if (behind.length > 0) parts.push(`SELECT task_id FROM ${behindStream(spot, text, bounds)} AS behind`);
  return { text, from: `FROM (${parts.join("\n UNION ALL ")}) AS spots` };
}
