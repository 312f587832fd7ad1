/** Some texts of all times, which tell how rare something is: the latest alone do not. */
import type { Session } from "../connections/database.ts";
import { statement } from "../statement.ts";
import { type Asked, indexedBody, stretchMs } from "./text-indexes.ts";

/** So many texts from each of so many places in time. */
const spreadPlaces = 20;
const spreadTexts = 25;
export const sampledTexts = spreadPlaces * spreadTexts;
/** And so many from each of as many places in the newest two stretches of time that have texts. */
const frontTexts = 10;
/** Of long texts the beginning. */
const sampledMax = 2_000;
/** To look through long texts for a trigram takes a quarter of a millisecond, and the same are asked for again and again: of so many is kept who has them. */
const keptMax = 2_000;

/** Read once for as long as what the index can do is known. */
export type TextSample = readonly { status: number | null; lanes: number[] | null; body: string }[];

/** What a search for the newest meets first: it may be a burst of some other tasks. */
export interface Front {
  /** When the newest stretch of time begins that has texts. */
  start: number;
  /** When the latest task before that was created. */
  behindAt: number;
  /** Texts of that, and of the next one that has some. */
  newest: TextSample;
  behind: TextSample;
}

export async function readSample(session: Session): Promise<{ sample: TextSample; front: Front }> {
  const rows = await session.query(textsOfAllTimes);
  const of = (wanted: number): TextSample =>
    rows.filter(([part]) => part === wanted).map(([, , , status, lanes, body]) => ({ status, lanes, body }));
  const [, start = 0, behindAt] = rows[0] ?? [];
  return { sample: of(0), front: { start, behindAt: behindAt ?? start, newest: of(1), behind: of(2) } };
}

export function isOfAsked({ statuses, lanes }: Asked, text: TextSample[number]): boolean {
  if (text.status === null) return true;
  const isOfLanes = !lanes || text.lanes?.some((lane) => lanes.includes(lane));
  return (!statuses || statuses.includes(text.status)) && isOfLanes === true;
}

/** How many have all the parts, as the indexes have them. @param among those of which that is asked */
export function countHaving(
  sample: TextSample,
  parts: readonly string[],
  among: readonly boolean[] = sample.map(() => true),
): number {
  const having = parts.map((part) => whoHas(sample, part));
  return among.filter((isAmong, place) => isAmong && having.every((has) => has[place])).length;
}

const known = new WeakMap<TextSample, Map<string, readonly boolean[]>>();

function whoHas(sample: TextSample, part: string): readonly boolean[] {
  const kept = known.get(sample) ?? new Map<string, readonly boolean[]>();
  if (kept.size >= keptMax) kept.clear();
  known.set(sample, kept);
  const has = kept.get(part) ?? sample.map(({ body }) => body.includes(part));
  kept.set(part, has);
  return has;
}

/** When the stretch begins in which that instant is. */
const stretchOf = (at: string) => `${at} - ((${at} % ${stretchMs}) + ${stretchMs}) % ${stretchMs}`;
const firstFrom = (at: string) =>
  `(SELECT created_at FROM :schema.texts WHERE created_at >= ${at} ORDER BY created_at, task_id LIMIT 1)`;

/** As the indexes have them: of all times, of the newest stretch, and of the one behind it. */
const textsOfAllTimes = statement(
  "spreadTexts",
  `WITH span AS MATERIALIZED (
      SELECT first, last, ${stretchOf("last")} AS start
      FROM (SELECT min(created_at) AS first, max(created_at) AS last FROM :schema.texts) AS span),
    behind AS MATERIALIZED (
      SELECT last, ${stretchOf("last")} AS start FROM (
        SELECT (SELECT created_at FROM :schema.texts WHERE created_at < span.start ORDER BY created_at DESC, task_id DESC LIMIT 1) AS last
        FROM span) AS before),
    parts (part, first, last, texts) AS (
      SELECT 0, first, last, ${spreadTexts} FROM span UNION ALL SELECT 1, ${firstFrom("span.start")}, last, ${frontTexts} FROM span
      UNION ALL SELECT 2, ${firstFrom("behind.start")}, last, ${frontTexts} FROM behind)
    SELECT parts.part, span.start, behind.last, here.status, here.lanes, left(here.body, ${sampledMax})
    FROM parts CROSS JOIN span CROSS JOIN behind CROSS JOIN generate_series(0, ${spreadPlaces - 1}) AS place CROSS JOIN LATERAL (
      SELECT ${indexedBody} AS body, status, lanes FROM :schema.texts
      WHERE created_at >= parts.first + (parts.last - parts.first) / ${spreadPlaces} * place
        AND (parts.part = 0 OR created_at <= parts.last)
      ORDER BY created_at, task_id LIMIT parts.texts) AS here`,
);
