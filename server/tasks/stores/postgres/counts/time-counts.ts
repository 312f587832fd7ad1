/**
 * Counts of tasks by when they were created, or changed last: whole hours and minutes from the counts that are kept of them,
 * and what of a range is less than a minute from the indexes. RUNNING tasks, few, are counted one by one; the kept counts
 * have them with those that wait, so that they are taken off there. What waits is kept by its creation: of those that came
 * back, few, the indexes tell when they did. time-parts.ts has the SQL.
 */
import type { Buckets, StoreSearch } from "../../../core/store.ts";
import type { TaskStatusName } from "../../../core/task.ts";
import type { GroupSums } from "../../shared/group-sums.ts";
import { hourMs, hoursOf } from "../../shared/hours.ts";
import { dayMs, type KeptParts, keptParts, minuteMs } from "../../shared/kept-counts.ts";
import type { Session } from "../connections/database.ts";
import type { Context } from "../context.ts";
import { statusNumbers } from "../rows.ts";
import type { Pair, SearchStatement } from "../search/search-statements.ts";
import { shape } from "../statement.ts";
import { hoursOfDay } from "./kept-tables.ts";
import { eachPacked } from "./packed-counts.ts";
import { type Counting, TimeParts } from "./time-parts.ts";

/** Both kinds of PENDING are counted as this. */
const pending = 1;
const running = 2;
const all: readonly TaskStatusName[] = ["PENDING", "RUNNING", "COMPLETED", "FAILED", "CANCELLED"];

export interface Asked {
  search: StoreSearch;
  time: Buckets["time"];
  buckets: Buckets | undefined;
  /** As numbers, PENDING as 1. */
  statuses: ReadonlySet<number>;
  /** Whether lanes are told apart; else a count may be of lane 0, which stands for all of them. */
  areLanesApart: boolean;
  /** Whether statuses are; else a count may be of the status `allStates`. */
  areStatesApart: boolean;
  /** Whether neither is, so that the server may add up what lanes and statuses have in an hour. */
  isOneSum?: boolean;
}

/** How many tasks of a lane and status, at an instant in their stretch of time; less than none to be taken off again. */
export type Add = (lane: number, status: number, at: number, tasks: number) => void;

/**
 * What a row of an answer tells of, in the order of its columns; `places` and `tasks` are lists as the server writes them, or of `packed`
 * and `total` the bytes of packed-counts.ts.
 */
type Row = [
  kind:
    | "gap"
    | "many"
    | "chosen"
    | "packed"
    | "total"
    | "totals"
    | "days"
    | "hours"
    | "minutes"
    | "slices"
    | "pairs"
    | "one"
    | "runs"
    | "ran",
  lane: number,
  state: number,
  at: number,
  places: string | null,
  tasks: string,
];

export type Known = Pick<Context, "minutes"> & { lanes: { haveChosenIds: boolean } };

export function askedOf(
  search: StoreSearch,
  time: Buckets["time"],
  buckets?: Buckets,
  apart: { lanes?: boolean; states?: boolean } = {},
): Asked {
  const statuses = new Set((search.statuses ?? all).map((name) => statusNumbers[name].at(-1)!));
  const areStatesApart = apart.states === true || search.statuses !== undefined;
  return { search, time, buckets, statuses, areLanesApart: apart.lanes === true, areStatesApart };
}

/** What fits as one sum, RUNNING tasks only where the pairs have some. */
export function allOf(search: StoreSearch, time: Buckets["time"], pairs: readonly Pair[]): Asked {
  const asked = { ...askedOf(search, time), isOneSum: true };
  if (pairs.some(({ status }) => status === running)) return asked;
  const statuses = [...asked.statuses].filter((status) => status !== running);
  return { ...asked, statuses: new Set(statuses), areStatesApart: true };
}

/** By hours and minutes. Answers whether they are kept: else nothing was added. */
export async function countByTime(
  { minutes, lanes }: Known,
  session: Session,
  asked: Asked,
  add: Add,
): Promise<boolean> {
  const parts = partsOf(asked);
  const rows = await ask(session, everythingOf(asked, parts, lanes.haveChosenIds));
  minutes.areKept = !rows.some(([kind]) => kind === "gap");
  // What could not be known before; of the same snapshot.
  const left: Counting[] = [];
  if (parts.edges.length > 0 && rows.some(([kind]) => kind === "many")) left.push("generated");
  if (parts.edges.length > 0 && rows.some(([kind]) => kind === "chosen")) left.push("chosen");
  minutes.isOneQuestion = minutes.areKept && left.length === 0;
  if (!minutes.areKept) return false;
  addRows(rows, asked, parts, add);
  for (const counting of left)
    addRows(
      await ask(
        session,
        statementOf(asked, parts, (of) => of.edgesOfPairs(counting)),
      ),
      asked,
      parts,
      add,
    );
  return true;
}

/** By hours of creation alone, which are always kept. */
export async function countByHours(session: Session, asked: Asked, add: Add): Promise<void> {
  const { from, to, edges } = hoursOf(asked.search.created);
  const [start, end] = [from * hourMs, to * hourMs];
  const parts: KeptParts = { hours: { from, to }, minutes: [], edges, start, end };
  const textOf = (of: TimeParts) => [...of.running(), ...of.hours(), ...of.edgesOfPairs("all")];
  addRows(await ask(session, statementOf(asked, parts, textOf, false)), asked, parts, add);
}

/** Adds all to one group. */
export function toOne(sums: GroupSums): Add {
  return (_lane, _status, at, tasks) => sums.add(0, at, tasks);
}

/** What is asked first of a summary by time; of nearly all summaries that is all. */
export function timesStatement(asked: Asked, haveChosenIds: boolean): SearchStatement {
  return everythingOf(asked, partsOf(asked), haveChosenIds);
}

function partsOf({ search, time, buckets }: Asked): KeptParts {
  return keptParts(time === "createdAt" ? search.created : search.updated, buckets);
}

function everythingOf(asked: Asked, parts: KeptParts, haveChosenIds: boolean): SearchStatement {
  const { buckets } = asked;
  return statementOf(asked, parts, (of) => [
    of.gap(),
    ...(of.areRead
      ? [...of.edgesOfAll(), ...(haveChosenIds ? of.edgesOfPairs("chosen") : [of.chosen()])]
      : of.edgesOfPairs("all")),
    ...of.running(),
    ...(buckets === undefined || buckets.bucketMs % hourMs === 0 ? of.hours() : []),
    ...of.minutes(),
    ...of.cameBack(),
  ]);
}

function statementOf(
  asked: Asked,
  parts: KeptParts,
  textOf: (of: TimeParts) => string[],
  areByMinute = true,
): SearchStatement {
  const of = new TimeParts(asked, parts, areByMinute);
  const text = of.textOf(textOf(of));
  return { statement: shape("sumTimes", text), values: of.values };
}

async function ask(session: Session, { statement, values }: SearchStatement): Promise<Row[]> {
  return (await session.query(statement, values)) as Row[];
}

function addRows(rows: readonly Row[], { statuses }: Asked, { hours }: KeptParts, give: Add): void {
  const add = (lane: number, state: number, at: number, tasks: number) => {
    const status = state === 0 ? pending : state;
    if (status < 0 || statuses.has(status)) give(lane, status, at, tasks);
  };
  for (const [kind, lane, state, at, places, tasks] of rows) {
    switch (kind) {
      case "one":
      case "runs":
        add(lane, state, at, Number(tasks));
        break;
      case "ran":
        add(lane, pending, at, -Number(tasks));
        break;
      case "hours":
        eachOf(places!, tasks, (hour, count) => add(lane, state, hour * hourMs, count));
        break;
      case "minutes":
        addMinutes(numbersOf(places!), at, tasks, add);
        break;
      case "slices": {
        // In the place of a state these have the sign.
        const pairs = numbersOf(places!);
        eachNumber(tasks, (count, list) => {
          const pair = pairs[list]!;
          add(Math.floor(pair / 8), pair % 8, at, state * count);
        });
        break;
      }
      case "pairs":
        eachOf(places!, tasks, (pair, count) => add(Math.floor(pair / 8), pair % 8, at, count));
        break;
      case "packed":
        // In the places of lane and state: the sign, and how long a part is.
        addPacked(tasks, at, state, lane, add);
        break;
      case "total": {
        const bytes = tasks.split(",");
        for (const [place, day] of numbersOf(places!).entries())
          addPacked(bytes[place]!, day * dayMs, 0, 1, add);
        break;
      }
      case "totals":
        eachOf(places!, tasks, (ofLane, count) => add(ofLane, state, at * dayMs, count));
        break;
      case "days": {
        const lanes = numbersOf(places!);
        const first = Math.max(at * hoursOfDay, hours.from);
        eachNumber(tasks, (count, list, place) => {
          if (count !== 0) add(lanes[list]!, state, (first + place) * hourMs, count);
        });
        break;
      }
      case "gap":
      case "many":
      case "chosen":
    }
  }
}

/** @param at when the first part begins @param partMs how long each is */
function addPacked(bytes: string, at: number, partMs: number, sign: number, add: Add): void {
  eachPacked(Buffer.from(bytes, "hex"), (part, pair, count) =>
    add(Math.floor(pair / 8), pair % 8, at + part * partMs, sign * count),
  );
}

/** Of each pair two lists: which minutes of the hour, and how many tasks. */
function addMinutes(pairs: readonly number[], hour: number, lists: string, add: Add): void {
  let minutes: number[] = [];
  eachNumber(lists, (number, list, place) => {
    if (list % 2 === 0) {
      if (place === 0) minutes = [];
      minutes.push(number);
    } else {
      const pair = pairs[(list - 1) / 2]!;
      add(Math.floor(pair / 8), pair % 8, (hour * 60 + minutes[place]!) * minuteMs, number);
    }
  });
}

/** Two lists as the server writes them, place by place. */
function eachOf(places: string, counts: string, use: (place: number, count: number) => void): void {
  const given = numbersOf(counts);
  for (const [index, place] of numbersOf(places).entries()) use(place, given[index]!);
}

function numbersOf(text: string): number[] {
  const numbers: number[] = [];
  eachNumber(text, (number) => numbers.push(number));
  return numbers;
}

const minus = "-".charCodeAt(0);
const zero = "0".charCodeAt(0);
const nine = "9".charCodeAt(0);
const closing = "}".charCodeAt(0);

/**
 * The whole numbers of lists as the server writes them, `{1,2},{3}` or `{{1,2},{3,4}}`, with the number of their list and their
 * place in it: at once, since lists of thousands that are read once are not worth being made.
 */
function eachNumber(text: string, use: (number: number, list: number, place: number) => void): void {
  let list = 0;
  let place = 0;
  for (let at = 0; at < text.length; at += 1) {
    let code = text.charCodeAt(at);
    const isNegative = code === minus;
    if (isNegative) code = text.charCodeAt(++at);
    if (code >= zero && code <= nine) {
      let number = code - zero;
      for (code = text.charCodeAt(++at); code >= zero && code <= nine; code = text.charCodeAt(++at))
        number = number * 10 + code - zero;
      use(isNegative ? -number : number, list, place);
      place += 1;
    }
    if (code === closing) {
      list += 1;
      place = 0;
    }
  }
}
