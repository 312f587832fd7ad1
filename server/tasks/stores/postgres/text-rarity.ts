/** How rare words are, and how the index of trigrams is best asked for them. */
import type { Session } from "./database.ts";
import { plainText } from "./rows.ts";
import { Text } from "./search-statements.ts";
import { shape } from "./statement.ts";
import type { TextIndex } from "./text-indexes.ts";
import { type Asked, byTextIndexes, isOfAsked } from "./text-indexes.ts";

/** The trigrams of the words that are looked at, and those that the index is asked for. */
const trigramsMax = 16;
const raresMax = 3;
/** How rare something is, the latest texts alone do not tell: so many are looked at from each of so many places in time. */
const spreadPlaces = 20;
const spreadTexts = 25;
/** Where even the rarest is in more of the texts, it does not narrow much. */
const rareShare = 0.2;

/** Whether a text has all the words in it. */
export function likeAll(text: Text, words: readonly string[], body = "body"): string {
  return words.map((word) => `${body} LIKE ${text.add(patternOf(word))}::text`).join(" AND ");
}

export function patternOf(text: string): string {
  return `%${plainText(text)!.replace(/[\\%_]/g, "\\$&")}%`;
}

/**
 * All the words; the indexes are asked for the rare trigrams alone, where there are any.
 * @param stretches as for `byTextIndexes`
 */
export function likeRarest(
  asked: Asked,
  words: readonly string[],
  { trigrams }: Rarest,
  stretches?: readonly number[],
): (text: Text) => string {
  if (trigrams.length === 0) return (text) => byTextIndexes(asked, text, likeAll(text, words), stretches);
  return (text) =>
    `${byTextIndexes(asked, text, likeAll(text, trigrams), stretches)} AND ${likeAll(text, words, "(body || '')")}`;
}

export interface Rarest {
  trigrams: string[];
  /** About which share of all texts has the rarest one, and is of what is asked for. */
  share: number;
}

/**
 * What the index has of a word: three letters or digits in a row; and two where a word begins or ends. A trigram may be a
 * part of another's text.
 */
export function trigramsOf(word: string, knowsLetters: boolean): string[] {
  const characters = [...word];
  const isLetter = (character: string) => (knowsLetters ? /[\p{L}\p{Nd}]/u : /[a-z0-9]/i).test(character);
  const isEnd = (character: string) => /[ -~]/.test(character) && !isLetter(character);
  const kinds = characters.map((one) => (isLetter(one) ? "l" : isEnd(one) ? "e" : " ")).join("");
  return characters
    .map((_, place) => place)
    .filter((place) => /^(?:lll|ell|lle)/.test(kinds.slice(place, place + 3)))
    .map((place) => characters.slice(place, place + 3).join(""));
}

/** Texts from all the time that there are texts of. */
const spread = `SELECT here.body, here.status, here.lanes FROM (SELECT min(created_at) AS first, max(created_at) AS last FROM :schema.texts) AS span
    CROSS JOIN generate_series(0, ${spreadPlaces - 1}) AS place CROSS JOIN LATERAL (
      SELECT body, status, lanes FROM :schema.texts WHERE created_at >= span.first + (span.last - span.first) / ${spreadPlaces} * place
      ORDER BY created_at, task_id LIMIT ${spreadTexts}) AS here`;

export interface Spread {
  /** When the first and the last task of all texts were created, in milliseconds since 1970. */
  firstAt: number;
  lastAt: number;
  looked: number;
  /** How many have the words. */
  met: number;
  /** And are of what is asked for. */
  metHere: number;
}

/**
 * Looks at texts of all times: how many have the words, and which trigrams of the words are the rarest. A word is looked up
 * by all of its trigrams, and those that nearly every text has make that slow; the rarest alone give little more.
 */
export async function lookAround(
  session: Session,
  asked: Asked,
  words: readonly string[],
  { knowsLetters }: TextIndex,
): Promise<{ spread: Spread; rarest: Rarest }> {
  const trigrams = [...new Set(words.flatMap((word) => trigramsOf(word, knowsLetters)))];
  const step = Math.ceil(trigrams.length / trigramsMax);
  const looked = trigrams.filter((_, place) => place % step === 0);
  const text = new Text();
  const fits = likeAll(text, words);
  const isHere = isOfAsked(text.add(asked.statuses ?? null), text.add(asked.lanes ?? null));
  const [first, ...rows] = await session.query(
    shape(
      "spreadTexts",
      `WITH sample AS MATERIALIZED (
        SELECT body, ${fits} AS fits, ${isHere} AS here FROM (${spread}) AS texts)
      SELECT NULL::text, count(*)::integer, count(*) FILTER (WHERE fits)::integer,
          count(*) FILTER (WHERE fits AND here)::integer,
          (SELECT coalesce(min(created_at), 0) FROM :schema.texts), (SELECT coalesce(max(created_at), 0) FROM :schema.texts)
        FROM sample
      UNION ALL
      SELECT trigram, count(*)::integer, 0, 0, 0, 0 FROM unnest(${text.add(looked)}::text[]) AS trigram CROSS JOIN sample
        WHERE here AND position(trigram IN body) > 0 GROUP BY trigram`,
    ),
    text.values,
  );
  const [, ofAll, met, metHere, firstAt, lastAt] = first as [null, number, number, number, number, number];
  const counts = new Map(rows as [string, number][]);
  return { spread: { looked: ofAll, met, metHere, firstAt, lastAt }, rarest: rarestOf(looked, counts) };
}

function rarestOf(looked: readonly string[], counts: ReadonlyMap<string, number>): Rarest {
  const countOf = (trigram: string) => counts.get(trigram) ?? 0;
  const rares = looked.toSorted((a, b) => countOf(a) - countOf(b)).slice(0, raresMax);
  const isRare = (trigram: string) => countOf(trigram) <= rareShare * spreadPlaces * spreadTexts;
  const least = rares.length > 0 ? countOf(rares[0]!) : Number.POSITIVE_INFINITY;
  return { trigrams: rares.filter(isRare), share: least / (spreadPlaces * spreadTexts) };
}
