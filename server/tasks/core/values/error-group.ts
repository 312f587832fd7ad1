/**
 * What errors that say the same have in common: their message without what differs from one failure to the next.
 *
 * Some of that shows in one message alone: numbers, ids, addresses, what stands in quotes, secrets. The rest shows among many: a
 * place where messages that are otherwise the same have ever other words, as in `MQT has no departure`, `GFK has no
 * departure`. Words that name a fault (`ETIMEDOUT`, `SQLITE_BUSY`) or a method (`GET`) never count as such, so that
 * different faults stay apart.
 */

import { foldText } from "../filters/condition.ts";
import { redactedText, withoutSecrets } from "./secret-text.ts";

/** Stands for what differs. */
export const gap = "…";

const lengthMax = 500;
const wordsMax = 40;
/** So many words at one place of messages that are otherwise the same make it one where they differ. */
const wordsForGap = 8;
/** The same, where one of them is a gap by itself. */
const wordsBesideGap = 4;
/** The same, where all of them are codes in capitals. */
const codesForGap = 3;

const varying = new RegExp(
  [
    /"[^"]*"|“[^”]*”|‘[^’]*’|`[^`]*`|(?<![\p{L}\p{N}])'[^']*'(?![\p{L}\p{N}])/u,
    /[\w.+-]+@[\w-]+(?:\.[\w-]+)+/u,
    /\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b/u,
    /\b[0-9a-f]{8,}\b|\b[0-9A-F]{8,}\b/u,
    /\b(?=[A-Za-z]*\d)[A-Za-z0-9]{6,}\b/u,
    /\d+(?:[.:]\d+)*/u,
  ]
    .map(({ source }) => source)
    .join("|"),
  "gu",
);

/** Of a short id the digits alone are a gap by now: `vc8td` is `vc…td`. */
const word = /[\p{L}\p{N}_…]+(?:[-.][\p{L}\p{N}_…]+)*/u;
const code = /^[^\p{L}\p{N}]*[A-Z][A-Z0-9]{1,5}[^\p{L}\p{N}]*$/u;
/** Names of faults, and of methods of HTTP. */
const telling = /\bE[A-Z]{3,}\b|[A-Z0-9]+_[A-Z0-9_]+|\b(?:GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS)\b/;

/**
 * The group that is meant by a fingerprint, or by a message of that group. A message may have the sign of a gap in it, and
 * a fingerprint something that would be taken for varying, so a text with a gap stands for itself and for its fingerprint.
 */
export function groupNamed(text: string): string[] {
  const fingerprint = fingerprintAlone(text);
  return text.includes(gap) && text !== fingerprint ? [text, fingerprint] : [fingerprint];
}

/** Whether a message is of the group: it has the fingerprint by itself, or may get it among others. */
export function isOfGroup(message: string, fingerprint: string): boolean {
  const alone = fingerprintAlone(message);
  if (alone === fingerprint) return true;
  const words = alone.split(" ");
  const wanted = fingerprint.split(" ");
  if (words.length !== wanted.length || !mayDiffer(words)) return false;
  const place = words.findIndex((said, at) => said !== wanted[at]);
  const isRestSame = words.every((said, at) => at === place || said === wanted[at]);
  return isRestSame && withoutWord(words[place]!) === wanted[place];
}

/** The longest part that every message of the group has in it. */
export function sharedPart(fingerprint: string): string {
  const parts = fingerprint.split(gap);
  return parts.reduce((longest, part) => (part.length > longest.length ? part : longest), "");
}

/** What the text of every task of the group has in it (searchable-text.ts): a part of one line, folded. */
export function sharedText(fingerprint: string): string {
  // Together with what stands beside it a letter beyond ASCII may be folded otherwise.
  const folded = foldText(sharedPart(fingerprint).replaceAll(/^[^ -~]|[^ -~]$/gu, ""));
  return folded.split("\n").reduce((longest, line) => (line.length > longest.length ? line : longest), "");
}

/** The fingerprint of each message, in their order. */
export function fingerprintsOf(messages: readonly string[]): string[] {
  const alone = messages.map(fingerprintAlone);
  const together = new Map<string, string>();
  const words = [...new Set(alone)].map((text) => text.split(" "));
  const places = new Map<string, Set<string>>();
  for (const each of words) {
    for (const [key, said] of placesOf(each)) {
      const found = places.get(key);
      if (found) found.add(said);
      else places.set(key, new Set([said]));
    }
  }
  for (const each of words) {
    const shared = placesOf(each).find(([key]) => differs(places.get(key)!));
    if (shared) together.set(each.join(" "), shared[0]);
  }
  return alone.map((text) => together.get(text) ?? text);
}

function fingerprintAlone(message: string): string {
  return withoutSecrets(message.slice(0, lengthMax * 4), gap)
    .replaceAll(redactedText, gap)
    .replace(varying, gap)
    .slice(0, lengthMax);
}

/** For each place where a word may differ: the message with a gap there, and what stands there. */
function placesOf(words: readonly string[]): [key: string, said: string][] {
  if (!mayDiffer(words)) return [];
  return words.flatMap((said, place): [string, string][] => {
    const other = withoutWord(said);
    return other === undefined ? [] : [[words.with(place, other).join(" "), said]];
  });
}

function mayDiffer({ length }: readonly string[]): boolean {
  return length >= 3 && length <= wordsMax;
}

/** With a gap in the place of its word; undefined for what tells one fault from another. */
function withoutWord(said: string): string | undefined {
  return telling.test(said) ? undefined : said.replace(word, gap);
}

function differs(said: ReadonlySet<string>): boolean {
  if (said.size < codesForGap) return false;
  const texts = [...said];
  if (texts.every((text) => code.test(text))) return true;
  return said.size >= (texts.some((text) => text.includes(gap)) ? wordsBesideGap : wordsForGap);
}
