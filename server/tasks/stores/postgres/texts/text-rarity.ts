/** How rare words are, and how the index of trigrams is best asked for them. */
import type { Session } from "../connections/database.ts";
import { plainText } from "../rows.ts";
import type { Text } from "../search/search-statements.ts";
import { statement } from "../statement.ts";
import { type Asked, byTextIndexes, indexedBody, joined, type TextIndex } from "./text-indexes.ts";
import { countHaving, isOfAsked, readSample, sampledTexts, type TextSample } from "./text-sample.ts";

/** The trigrams of the words that are looked at, and those that the index is asked for. */
const trigramsMax = 16;
const raresMax = 3;
/** Of words that none of the texts has that were looked at: their trigrams are in many that do not have the words. Those of some lanes are few. */
const raresOfUnmet = 4;
/** Where even the rarest is in more of the texts, it does not narrow much. */
const rareShare = 0.2;

/** What texts are to have in them, as a part of any line or as a whole one. */
export type Word = string | { line: string };

/** Whether a text has all the words in it. */
export function likeAll(text: Text, words: readonly Word[], body = "body"): string {
  const lines = `(chr(10) || ${body} || chr(10))`;
  const has = (word: Word) =>
    `${typeof word === "string" ? body : lines} LIKE ${text.add(patternOf(asPart(word)))}::text`;
  return words.map(has).join(" AND ");
}

function asPart(word: Word): string {
  return typeof word === "string" ? word : `\n${word.line}\n`;
}

/** As the indexes have it. */
function indexedPart(word: Word): string {
  return joined(plainText(asPart(word))!);
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
  words: readonly Word[],
  { trigrams }: Rarest,
  stretches?: readonly number[],
): (text: Text) => string {
  const whole = words.map(indexedPart);
  const parts = trigrams.length > 0 ? runsOf(trigrams, whole) : whole;
  return (text) =>
    `${byTextIndexes(asked, text, likeAll(text, parts, indexedBody), stretches)} AND ${likeAll(text, words)}`;
}

/** Trigrams that follow each other in a word are one part of it: what the index gives is looked at once for each. */
function runsOf(trigrams: readonly string[], words: readonly string[]): string[] {
  const runs: string[] = [];
  for (const trigram of trigrams) {
    const [first, second, third] = trigram;
    const longer = `${runs.at(-1) ?? ""}${third}`;
    if (longer.endsWith(`${first}${second}${third}`) && words.some((word) => word.includes(longer)))
      runs[runs.length - 1] = longer;
    else runs.push(trigram);
  }
  return runs;
}

export interface Rarest {
  /** In the order in which they stand in the words. */
  trigrams: string[];
  /** About which share of all texts has the rarest one, and is of what is asked for. */
  share: number;
  /** About which share of all texts has all the trigrams that the indexes are asked for, and is of what is asked for: those are read. */
  shareRead: number;
  /** About which share of all texts has the rarest one, and is of the statuses that are asked for, of any lane: the server goes through these. */
  shareThrough: number;
  /** About which share of all texts has the second rarest one, whatever is asked for: few that were looked at may be of that. */
  shareOfAll: number;
}

/**
 * What the index has of a word: three letters or digits in a row, spaces among them; two where such a row begins or ends; and one
 * by itself. A trigram may be a part of another's text.
 */
export function trigramsOf(word: Word, knowsLetters: boolean): string[] {
  const characters = [...indexedPart(word)];
  const isLetter = (character: string) => (knowsLetters ? /[\p{L}\p{Nd}]/u : /[a-z0-9]/i).test(character);
  const isEnd = (character: string) => /[\n -~]/.test(character) && !isLetter(character);
  const kinds = characters.map((one) => (isLetter(one) ? "l" : isEnd(one) ? "e" : " ")).join("");
  return characters
    .map((_, place) => place)
    .filter((place) => /^(?:lll|ell|lle|ele)/.test(kinds.slice(place, place + 3)))
    .map((place) => characters.slice(place, place + 3).join(""));
}

const spanOfTexts = statement(
  "spanOfTexts",
  "SELECT coalesce(min(created_at), 0), coalesce(max(created_at), 0) FROM :schema.texts",
);

/** When the first and the last task of all texts were created, in milliseconds since 1970. */
export interface Span {
  firstAt: number;
  lastAt: number;
}

export async function readSpan(session: Session): Promise<Span> {
  const [span] = await session.query(spanOfTexts);
  const [firstAt, lastAt] = span as [number, number];
  return { firstAt, lastAt };
}

export interface Spread extends Span {
  looked: number;
  /** How many have the words. */
  met: number;
  /** How many are of what is asked for, and have the words, too. */
  here: number;
  metHere: number;
}

/**
 * Looks at texts of all times: how many have the words, and which trigrams of the words are the rarest. A word is looked up
 * by all of its trigrams, and those that nearly every text has make that slow; the rarest alone give little more.
 * @param span where it was asked for already
 */
export async function lookAround(
  session: Session,
  asked: Asked,
  words: readonly Word[],
  index: TextIndex,
  span?: Span,
): Promise<{ spread: Spread; rarest: Rarest }> {
  if (!index.sample) Object.assign(index, await readSample(session));
  // Nothing that came since may be passed over.
  const { firstAt, lastAt } = span ?? (await readSpan(session));
  const sample = index.sample!;
  return {
    spread: { looked: sample.length, ...metIn(sample, asked, words), firstAt, lastAt },
    rarest: rarestIn(sample, asked, words, index),
  };
}

/** By texts of all times. */
export function rarestIn(
  sample: TextSample,
  asked: Asked,
  words: readonly Word[],
  { knowsLetters }: TextIndex,
): Rarest {
  const trigrams = [...new Set(words.flatMap((word) => trigramsOf(word, knowsLetters)))];
  const step = Math.ceil(trigrams.length / trigramsMax);
  const looked = trigrams.filter((_, place) => place % step === 0);
  const isHere = sample.map((text) => isOfAsked(asked, text));
  const counts = new Map(looked.map((trigram) => [trigram, countHaving(sample, [trigram], isHere)]));
  const { met } = metIn(sample, asked, words);
  const rarest = rarestOf(looked, counts, met > 0 || asked.lanes ? raresMax : raresOfUnmet);
  const shares = looked.map((trigram) => countHaving(sample, [trigram]) / sampledTexts).sort((a, b) => a - b);
  const ofStatuses = sample.map((text) => isOfAsked({ ...asked, lanes: undefined }, text));
  const through = looked.map((trigram) => countHaving(sample, [trigram], ofStatuses) / sampledTexts);
  return {
    ...rarest,
    shareRead: countHaving(sample, rarest.trigrams, isHere) / Math.max(1, sample.length),
    shareThrough: Math.min(1, ...through),
    shareOfAll: shares[1] ?? 1,
  };
}

/** How many of the texts have the words, how many are of what is asked for, and how many are both. */
export function metIn(
  sample: TextSample,
  asked: Asked,
  words: readonly Word[],
): Pick<Spread, "met" | "here" | "metHere"> {
  const parts = words.map(indexedPart);
  const isHere = sample.map((text) => isOfAsked(asked, text));
  return {
    met: countHaving(sample, parts),
    here: isHere.filter(Boolean).length,
    metHere: countHaving(sample, parts, isHere),
  };
}

function rarestOf(
  looked: readonly string[],
  counts: ReadonlyMap<string, number>,
  most: number,
): Pick<Rarest, "trigrams" | "share"> {
  const countOf = (trigram: string) => counts.get(trigram) ?? 0;
  const rares = looked.toSorted((a, b) => countOf(a) - countOf(b)).slice(0, most);
  const isRare = (trigram: string) => countOf(trigram) <= rareShare * sampledTexts;
  const least = rares.length > 0 ? countOf(rares[0]!) : Number.POSITIVE_INFINITY;
  const trigrams = looked.filter((trigram) => rares.includes(trigram) && isRare(trigram));
  return { trigrams, share: least / sampledTexts };
}
