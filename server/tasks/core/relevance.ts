/**
 * How well a task's text answers a search for texts: the order by relevance. It is a number made of the one text alone, so
 * that a task has the same in every store, whatever else is there, and a page goes on where the one before it ended.
 */
import type { Condition } from "./filters/condition.ts";

/** So many of the newest tasks that fit are ranked. */
export const rankedMax = 1_000;
/** Further occurrences make no difference. */
const occurrencesMax = 10;
/** A word that is part of a longer one counts for so much less. */
const withinWord = 0.25;
/** To have one more of the texts counts for more than anything else does. */
const perText = 5;
const perOccurrence = 0.02;

/** The texts that are asked for, whether all must be there or any. */
export function textsAskedFor(where: Condition | undefined): string[] {
  if (where?.kind === "and" || where?.kind === "or") return where.parts.flatMap(textsAskedFor);
  return where?.kind === "text" && where.text !== "" ? [where.text] : [];
}

/**
 * How many of the texts that are asked for are there; then of each, how much of a line it makes up where that is most: a value that is nothing else counts
 * 1,000, one word of a long stack hardly anything; and a little for each time that it is there.
 */
export function relevanceOf(texts: readonly string[], searched: string): number {
  return texts.reduce((sum, text) => sum + Math.round(1_000 * weightOf(text, searched)), 0);
}

function weightOf(text: string, searched: string): number {
  let best = 0;
  let count = 0;
  for (let at = searched.indexOf(text); at >= 0 && count < occurrencesMax; ) {
    const end = at + text.length;
    const part = text.length / lineLength(searched, at, end);
    best = Math.max(best, isWhole(searched, at, end) ? part : withinWord * part);
    count += 1;
    at = searched.indexOf(text, end);
  }
  return count === 0 ? 0 : perText + best + perOccurrence * count;
}

function lineLength(searched: string, at: number, end: number): number {
  const begin = searched.lastIndexOf("\n", at - 1) + 1;
  const next = searched.indexOf("\n", end);
  return (next < 0 ? searched.length : next) - begin;
}

function isWhole(searched: string, at: number, end: number): boolean {
  const isInside = (character: string) => /[\p{L}\p{N}]/u.test(character);
  return !isInside(searched.slice(Math.max(0, at - 1), at)) && !isInside(searched.slice(end, end + 1));
}
