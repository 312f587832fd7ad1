/**
 * The indexes of trigrams: one for each status that texts have, and with marks of each text in it: its lane, and the stretch
 * of time that its task was created in. So a word is not looked for among tasks of other statuses and lanes, and the newest
 * that have it are found without all others. What they have of a text is its lines with their words joined, so that a phrase of
 * frequent words has trigrams of its own. A planner takes such an index where its condition is among those of the
 * statement, in the same words.
 */
import type { StoreSearch } from "../../../core/store.ts";
import type { Pair, Text } from "../search/search-statements.ts";
import { quoted } from "../statement.ts";
import type { Front, TextSample } from "./text-sample.ts";

/** Of what a text says of its task's status: 0 until it has ended; nothing where a worker of an older version wrote it. */
const parts = [
  { index: "texts_lines_waiting", status: 0 },
  { index: "texts_lines_completed", status: 3 },
  { index: "texts_lines_failed", status: 4 },
  { index: "texts_lines_cancelled", status: 5 },
  { index: "texts_lines_unknown", status: undefined },
] as const;

export const textIndexes: readonly string[] = parts.map(({ index }) => index);

/** How long a stretch is, in milliseconds. */
export const stretchMs = 14_400_000;
/** From year 1, the earliest instant a task can have, to 1970: no stretch has the number of a lane. */
const stretchesBefore1970 = 4_314_972;

/** Below zero, where lanes are above. @param at milliseconds since 1970 */
export function stretchOf(at: number): number {
  return -1 - Math.floor(at / stretchMs) - stretchesBefore1970;
}

/** In the same words as in the indexes. */
const marks = `(lanes || (-1 - ((created_at + ${stretchesBefore1970 * stretchMs}) / ${stretchMs})::integer))`;

/**
 * Stands for a space: no trigram goes over what is neither a letter nor a digit. Of ASCII, which each LC_CTYPE knows; that words
 * may have it too costs a look at a text now and then.
 */
const joint = "q";
/** What the indexes have of a text, in the same words as in them: each line between two ends. */
export const indexedBody = `(chr(10) || replace(body, ' ', '${joint}') || chr(10))`;

/** A part of a text as it is there. */
export function joined(part: string): string {
  return part.replaceAll(" ", joint);
}

/** What the database's index of texts can do. */
export interface TextIndex {
  exists: boolean;
  /** Whether it knows letters beyond ASCII. */
  knowsLetters: boolean;
  /** About how many texts there are. */
  texts: number;
  /** About how many tasks there are. */
  tasks: number;
  /** Between which instants their tasks were created, in milliseconds since 1970. */
  firstAt: number;
  lastAt: number;
  /** Some of the texts, once they have been read. */
  sample?: TextSample;
  front?: Front;
}

/** As the migration makes them. */
export function textIndexStatements(schema: string): string[] {
  return parts.map(
    ({ index, status }) =>
      `CREATE INDEX CONCURRENTLY ${index} ON ${quoted(schema)}.texts USING gin (${indexedBody} public.gin_trgm_ops, ${marks}) ` +
      `WHERE status ${status === undefined ? "IS NULL" : `= ${status}`};`,
  );
}

/** What the indexes are asked for, besides what says nothing; undefined where it may be any. */
export interface Asked {
  statuses: number[] | undefined;
  lanes: number[] | undefined;
}

/** Of more lanes the indexes are not asked. */
const lanesMax = 64;
const ended: Readonly<Record<string, number>> = { COMPLETED: 3, FAILED: 4, CANCELLED: 5 };

/** @param pairs those of the tasks that pass the filters, where that is known */
export function askedOf({ statuses, types, queues }: StoreSearch, pairs?: readonly Pair[]): Asked {
  const lanes = (types ?? queues) && pairs && [...new Set(pairs.map(({ lane }) => lane))];
  return {
    statuses: statuses && [...new Set(statuses.map((name) => ended[name] ?? 0))],
    lanes: lanes && lanes.length <= lanesMax ? lanes : undefined,
  };
}

/** Whether a text says that its task may be of what is asked for; what has changed since waits to be indexed. */
export function isOfAsked(text: Text, { statuses, lanes }: Asked): string {
  const isOfStatus = statuses ? `status = ANY(${text.add(statuses)}::smallint[])` : "true";
  const isOfLane = lanes ? `lanes && ${text.add(lanes)}::integer[]` : "true";
  return statuses || lanes ? `(status IS NULL OR (${isOfStatus} AND ${isOfLane}))` : "true";
}

/**
 * Those of what is asked for that fit, by the indexes.
 * @param fits a condition on `indexedBody`
 * @param stretches only of tasks that were created in these; else of all times
 */
export function byTextIndexes(
  { statuses, lanes }: Asked,
  text: Text,
  fits: string,
  stretches?: readonly number[],
): string {
  const wanted = parts.filter(
    ({ status }) => status !== undefined && (!statuses || statuses.includes(status)),
  );
  const has = (numbers: readonly number[] | undefined) =>
    numbers ? ` AND ${marks} && ${text.add(numbers)}::integer[]` : "";
  const within = has(stretches);
  const here = `${has(lanes)}${within}`;
  const conditions = wanted.map(({ status }) => `(status = ${status} AND ${fits}${here})`);
  return `(${[...conditions, `(status IS NULL AND ${fits}${within})`].join(" OR ")})`;
}
