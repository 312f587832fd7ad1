/** Some texts of all times, which tell how rare something is: the latest alone do not. */
import type { Session } from "../connections/database.ts";
import { statement } from "../statement.ts";
import { type Asked, indexedBody } from "./text-indexes.ts";

/** So many texts from each of so many places in time. */
const spreadPlaces = 20;
const spreadTexts = 25;
export const sampledTexts = spreadPlaces * spreadTexts;
/** Of long texts the beginning. */
const sampledMax = 2_000;
/** To look through long texts for a trigram takes a quarter of a millisecond, and the same are asked for again and again: of so many is kept who has them. */
const keptMax = 2_000;

/** Read once for as long as what the index can do is known. */
export type TextSample = readonly { status: number | null; lanes: number[] | null; body: string }[];

export async function readSample(session: Session): Promise<TextSample> {
  const rows = await session.query(textsOfAllTimes);
  return rows.map(([status, lanes, body]) => ({ status, lanes, body }));
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

/** As the indexes have them. */
const textsOfAllTimes = statement(
  "spreadTexts",
  `SELECT here.status, here.lanes, left(here.body, ${sampledMax})
    FROM (SELECT min(created_at) AS first, max(created_at) AS last FROM :schema.texts) AS span
    CROSS JOIN generate_series(0, ${spreadPlaces - 1}) AS place CROSS JOIN LATERAL (
      SELECT ${indexedBody} AS body, status, lanes FROM :schema.texts WHERE created_at >= span.first + (span.last - span.first) / ${spreadPlaces} * place
      ORDER BY created_at, task_id LIMIT ${spreadTexts}) AS here`,
);
