/**
 * Where kept counts tell how many tasks a list has, for pages far inside it.
 *
 * A range of the other instant filters nothing in most of what it leaves: a task is changed within `lateMs` of its creation,
 * or it is late, and late tasks have indexes of their own. So between the edges of such a range kept counts tell too, once
 * late tasks that it leaves out are taken off.
 */
import type { StoreSearch } from "../../core/store.ts";
import { minuteMs } from "./kept-counts.ts";
import { isDownwards, lateMs } from "./search-bounds.ts";

/** Between which instants all keys lie; the end is excluded. Milliseconds since 1970. */
export interface Span {
  start: number;
  end: number;
}

/** How many keys of the page's offset lie before the span, in the order of reading, and how many in it. */
export interface Stretch extends Span {
  passed: number;
  keys: number;
}

/** A part of the span: of some, kept counts tell how many keys they have. */
export interface Section extends Span {
  isKept: boolean;
}

/** The parts of the span in the order of reading. */
export function sectionsOf(search: StoreSearch, span: Span): Section[] {
  const other = rangeOfOther(search);
  if (!other) return [{ ...span, isKept: true }];
  const { start = Number.NEGATIVE_INFINITY, end = Number.POSITIVE_INFINITY } = other;
  const isByChange = search.sortBy === "updatedAt";
  // What was changed so long after the start was created after it; what was created so long before the end was changed before it.
  const from = clamped(Math.ceil((isByChange ? start + lateMs : start) / minuteMs) * minuteMs, span);
  const to = clamped(Math.floor((isByChange ? end : end - lateMs) / minuteMs) * minuteMs, span);
  if (from >= to) return [{ ...span, isKept: false }];
  const sections = [
    { start: span.start, end: from, isKept: false },
    { start: from, end: to, isKept: true },
    { start: to, end: span.end, isKept: false },
  ].filter((section) => section.start < section.end);
  return isDownwards(search) ? sections.reverse() : sections;
}

function clamped(at: number, { start, end }: Span): number {
  return Math.min(end, Math.max(start, at));
}

/** Of the instant that is not sorted by; ids are in the order of creation. */
export function rangeOfOther({ sortBy, created, updated }: StoreSearch): StoreSearch["created"] {
  return sortBy === "updatedAt" ? created : updated;
}

/** The search without a range of the other instant. */
export function withoutOther(search: StoreSearch): StoreSearch {
  const { created, updated, ...rest } = search;
  if (search.sortBy === "updatedAt") return { ...rest, ...(updated && { updated }) };
  return { ...rest, ...(created && { created }) };
}

/** The search, between the span's ends too, by the instant that is sorted by. */
export function narrowedTo(search: StoreSearch, { start, end }: Partial<Span>): StoreSearch {
  const field = search.sortBy === "updatedAt" ? "updated" : "created";
  const given = search[field] ?? {};
  const range = {
    start: Math.max(start ?? Number.NEGATIVE_INFINITY, given.start ?? Number.NEGATIVE_INFINITY),
    end: Math.min(end ?? Number.POSITIVE_INFINITY, given.end ?? Number.POSITIVE_INFINITY),
  };
  return {
    ...search,
    [field]: {
      ...(range.start !== Number.NEGATIVE_INFINITY && { start: range.start }),
      ...(range.end !== Number.POSITIVE_INFINITY && { end: range.end }),
    },
  };
}
