/**
 * Cursors: a place in an ordered list of tasks, as text that means nothing to callers. A cursor names the last task
 * seen by its sort value and id, so a page continues in the right place whatever was enqueued or deleted meanwhile.
 *
 * It also carries the order and a fingerprint of the filters: the search compares both, and refuses a cursor that
 * belongs to another search instead of answering with a list that makes no sense. A checksum finds cursors that were
 * cut short or mistyped; it is no signature, and a forged cursor can do no more than an offset could.
 */
import { DureError } from "./errors.ts";
import type { TaskSortField } from "./search.ts";
import { showValue } from "./values/show.ts";

/** The place before all tasks, in any order: none has this id. */
export const beforeAll = { value: null, id: "" } as const;

export function isBeforeAll({ value, id }: Pick<Cursor, "value" | "id">): boolean {
  return value === null && id === "";
}

export interface Cursor {
  sortBy: TaskSortField;
  descending: boolean;
  /** The sort value there: instants and durations in milliseconds; null when sorted by id alone. */
  value: number | null;
  id: string;
  /** Whether the page before this place is wanted instead of the one after. */
  backwards: boolean;
  /** So many tasks behind that place are passed over first; absent for none. */
  offset?: number;
  /** `searchFingerprint` of the filters. */
  search: string;
}

/** By their place in this list, which may only grow. */
const sortKeys: readonly TaskSortField[] = [
  "createdAt",
  "updatedAt",
  "id",
  "startedAt",
  "completedAt",
  "dueAt",
  "duration",
  "priority",
  "relevance",
];

export function encodeCursor({ sortBy, descending, value, id, backwards, search, offset }: Cursor): string {
  const body = JSON.stringify([
    sortKeys.indexOf(sortBy),
    descending ? 1 : 0,
    value,
    id,
    backwards ? 1 : 0,
    search,
    ...(offset ? [offset] : []),
  ]);
  return sealText(body);
}

/** @throws DureError INVALID_CURSOR for anything that `encodeCursor` did not write */
export function decodeCursor(text: string): Cursor {
  const cursor = read(text);
  if (cursor !== undefined) return cursor;
  throw new DureError(
    "INVALID_CURSOR",
    `${showValue(text)} is no cursor, or a damaged one. Pass it on exactly as a search returned it, or search from the start.`,
    { details: { cursor: showValue(text) } },
  );
}

function read(text: unknown): Cursor | undefined {
  const body = openText(text, 4_096);
  if (body === undefined) return undefined;
  try {
    const cursor = fromParts(JSON.parse(body));
    return cursor !== undefined && encodeCursor(cursor) === text ? cursor : undefined;
  } catch {
    return undefined;
  }
}

/** A text of letters, digits, `-` and `_`, with a checksum of what is in it. */
export function sealText(body: string): string {
  return toBase64Url(`${hash(body, seeds[0])}${body}`);
}

/** What was sealed; undefined for anything that `sealText` did not write, and for what is longer than `lengthMax`. */
export function openText(text: unknown, lengthMax: number): string | undefined {
  if (typeof text !== "string" || text.length > lengthMax || !/^[\w-]+$/.test(text)) return undefined;
  try {
    const plain = fromBase64Url(text);
    const body = plain.slice(8);
    return hash(body, seeds[0]) === plain.slice(0, 8) ? body : undefined;
  } catch {
    return undefined;
  }
}

function fromParts(parts: unknown): Cursor | undefined {
  if (!Array.isArray(parts) || parts.length < 6) return undefined;
  const [sort, descending, value, id, backwards, search, offset] = parts as unknown[];
  const sortBy = sortKeys[sort as number];
  if (sortBy === undefined || typeof id !== "string" || typeof search !== "string") return undefined;
  if (value !== null && !Number.isFinite(value)) return undefined;
  if (offset !== undefined && !(Number.isSafeInteger(offset) && (offset as number) > 0)) return undefined;
  return {
    sortBy,
    descending: descending === 1,
    value: value as number | null,
    id,
    backwards: backwards === 1,
    search,
    ...(offset !== undefined && { offset: offset as number }),
  };
}

/**
 * A short text that is equal for equal filters: the order of keys does not matter, nor that of a list's values and how
 * often each is in it; Dates count by their milliseconds, undefined as absent. Nesting is followed to any depth.
 */
export function searchFingerprint(filters: unknown): string {
  const text = JSON.stringify(sorted(filters)) ?? "";
  return hash(text, seeds[0]) + hash(text, seeds[1]);
}

function sorted(value: unknown): unknown {
  if (value instanceof Date) return value.getTime();
  if (Array.isArray(value)) return [...new Set(value.map((item) => JSON.stringify(sorted(item))))].sort();
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).filter(([, item]) => item !== undefined);
  entries.sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([key, item]) => [key, sorted(item)]));
}

/** Two starts, so that two hashes of one text are independent enough for 64 bits. */
const seeds = [0x811c9dc5, 0x9747b28c] as const;

/** FNV-1a of the UTF-16 units, 32 bits, as 8 hexadecimal digits. */
function hash(text: string, seed: number): string {
  let state = seed;
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index);
    state = Math.imul(state ^ (unit & 0xff), 0x01000193);
    state = Math.imul(state ^ (unit >> 8), 0x01000193);
  }
  return (state >>> 0).toString(16).padStart(8, "0");
}

function toBase64Url(text: string): string {
  const bytes = new TextEncoder().encode(text);
  const isAscii = bytes.length === text.length;
  const binary = isAscii ? text : Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
  const base64 = btoa(binary);
  return base64.replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

function fromBase64Url(text: string): string {
  const binary = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
  const bytes = Uint8Array.from(binary, (character) => character.charCodeAt(0));
  return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
}
