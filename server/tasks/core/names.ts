/** The grammar of ids, queues, tags and idempotency keys, and which known name somebody may have meant. */
import { distance } from "fastest-levenshtein";
import { DureError } from "./errors.ts";
import { showValue } from "./values/show.ts";
import { isLongerThan } from "./values/utf8.ts";

/** As most ids are. What is a letter in any script takes 2 MB to know, once. */
const plainIdPattern = /^[\w.:/-]{1,128}$/;
const idPattern = /^[\p{L}\p{M}\p{N}._:/-]{1,128}$/u;
const idRule = "1 to 128 characters: letters and digits of any script, and . _ : / -";

const searchNamePattern = /^(?=.*[\p{L}\p{N}])[\p{L}\p{M}\p{N}._:/-]{1,64}$/u;
const searchNameRule =
  "1 to 64 characters: letters and digits of any script, at least one of them, and . _ : / -";
const tagRule = "1 to 128 characters, without control characters or halves of surrogate pairs";
const keyRule = "1 to 255 bytes of UTF-8, without control characters or halves of surrogate pairs";

/** @throws DureError INVALID_ID unless `id` may name a definition. Ids are compared byte for byte. */
export function checkDefinitionId(id: unknown): asserts id is string {
  checkId(id, "definition id");
}

/** @throws DureError INVALID_ID unless a caller may give a task this id */
export function checkTaskId(id: unknown): asserts id is string {
  checkId(id, "task id");
}

/** Where any text may be asked for, that of no task as well. @throws DureError INVALID_ID unless it is a string */
export function checkIsText(called: string, id: unknown): asserts id is string {
  if (typeof id === "string") return;
  throw new DureError("INVALID_ID", `${called}: the id is ${showValue(id)}; it must be a string.`);
}

/** @throws DureError INVALID_ID unless `queue` may name a queue */
export function checkQueue(queue: unknown): asserts queue is string {
  checkId(queue, "queue");
}

/** @throws DureError INVALID_ID unless an app may be called this */
export function checkApp(app: unknown): asserts app is string {
  checkId(app, "app");
}

/** @throws DureError INVALID_ID unless a saved search may be called this */
export function checkSearchName(name: unknown): asserts name is string {
  if (typeof name === "string" && name.length <= 64 && searchNamePattern.test(name)) return;
  throw invalidId("name of a saved search", name, searchNameRule);
}

/** @throws DureError INVALID_ID unless `tag` may be a tag */
export function checkTag(tag: unknown): asserts tag is string {
  if (typeof tag === "string" && /^\P{Cc}{1,128}$/su.test(tag) && tag.isWellFormed()) return;
  throw invalidId("tag", tag, tagRule);
}

/** @throws DureError INVALID_ID unless `key` may be an idempotency key */
export function checkIdempotencyKey(key: unknown): asserts key is string {
  if (typeof key === "string" && !isLongerThan(key, 255) && /^\P{Cc}+$/su.test(key) && key.isWellFormed())
    return;
  throw invalidId("idempotency key", key, keyRule);
}

function checkId(id: unknown, what: string): asserts id is string {
  if (typeof id === "string" && (plainIdPattern.test(id) || idPattern.test(id))) return;
  throw invalidId(what, id, idRule);
}

function invalidId(what: string, value: unknown, rule: string): DureError {
  const shown = showValue(value);
  return new DureError("INVALID_ID", `The ${what} is ${shown}; it must be ${rule}.${hintFor(value)}`, {
    details: { what, value: shown, rule },
  });
}

function hintFor(value: unknown): string {
  if (typeof value !== "string") return " Pass a string.";
  if (value === "") return " It is empty.";
  if (!value.isWellFormed())
    return " It holds half of a surrogate pair: was it cut in the middle of a character?";
  const control = /\p{Cc}/u.exec(value);
  if (control !== null) return ` It holds the control character ${codePoint(control[0])}; trim it first.`;
  const wrong = /[^\p{L}\p{M}\p{N}._:/-]/u.exec(value);
  if (value.length <= 128 && wrong !== null)
    return ` Replace ${JSON.stringify(wrong[0])} (${codePoint(wrong[0])}).`;
  return " Shorten it, for instance to a hash of it.";
}

function codePoint(character: string): string {
  return `U+${character.codePointAt(0)!.toString(16).toUpperCase().padStart(4, "0")}`;
}

/**
 * The candidates closest to `word`, best first, at most `most`: within about a third of its length in edits, without
 * regard to case, or beginning with it.
 */
export function nearest(word: string, candidates: Iterable<string>, most = 3): string[] {
  const wanted = word.slice(0, 256).toLowerCase();
  const found: { name: string; edits: number }[] = [];
  for (const name of new Set(candidates)) {
    const edits = editsTo(wanted, name.slice(0, 256).toLowerCase());
    if (edits !== undefined) found.push({ name, edits });
  }
  found.sort((a, b) => a.edits - b.edits || (a.name < b.name ? -1 : 1));
  return found.slice(0, most).map(({ name }) => name);
}

/** Undefined when too far. A name that goes on after the whole word counts as a near miss. */
function editsTo(wanted: string, name: string): number | undefined {
  const editsMax = Math.max(1, Math.round(wanted.length / 3));
  if (wanted.length >= 2 && name.startsWith(wanted)) return Math.min(editsMax, name.length - wanted.length);
  if (Math.abs(name.length - wanted.length) > editsMax) return undefined;
  const edits = isSwapped(wanted, name) ? 1 : distance(wanted, name);
  return edits <= editsMax && edits < Math.max(wanted.length, name.length) ? edits : undefined;
}

/** Whether two neighbours are exchanged, which is one slip of the fingers. */
function isSwapped(a: string, b: string): boolean {
  if (a.length !== b.length || a === b) return false;
  let at = 0;
  while (a[at] === b[at]) at += 1;
  return a[at] === b[at + 1] && a[at + 1] === b[at] && a.slice(at + 2) === b.slice(at + 2);
}

/** `' Did you mean "x" or "y"?'` with the space before it, or '' when nothing is near. */
export function didYouMean(word: string, candidates: Iterable<string>): string {
  return questionOf(nearest(word, candidates));
}

/** The same of names that were found otherwise. */
export function questionOf(found: readonly string[]): string {
  const names = found.map((name) => showValue(name));
  if (names.length === 0) return "";
  const last = names.pop()!;
  return ` Did you mean ${names.length > 0 ? `${names.join(", ")} or ` : ""}${last}?`;
}
