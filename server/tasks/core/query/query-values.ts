/** Values of the query language: text to what a filter matches. */
import { durationProblem, isTooLong, parseDuration } from "../duration.ts";
import { following } from "../lifecycle.ts";
import { didYouMean } from "../names.ts";
import type { TaskStatusName } from "../task.ts";
import type { FieldKind } from "./query-fields.ts";
import type { QueryMatch, QueryValue } from "./query-grammar.ts";

/** When "now" is, and where days begin. */
export interface QueryTime {
  /** Milliseconds since 1970. */
  now: number;
  /** Minutes that local time is ahead of UTC. Default: those of this machine at the time in question. */
  utcOffsetMinutes?: number;
}

/** A value that cannot be what the field asks for: what would be right. */
export class ValueProblem extends Error {
  readonly value: QueryValue;

  constructor(value: QueryValue, problem: string) {
    super(problem);
    this.value = value;
  }
}

/** The matcher of a field of this kind. @throws ValueProblem */
export function matchOf(kind: FieldKind, match: QueryMatch, time: QueryTime): unknown {
  switch (kind) {
    case "text":
      return textMatch(match);
    case "message":
      return messageMatch(match);
    case "group":
      return groupMatch(match);
    case "status": {
      const values = only(match);
      return values.length === 1 && isAny(values[0]!) ? Object.keys(following) : values.map(statusOf);
    }
    case "number":
      return orderedMatch(match, numberOf);
    case "duration":
      return orderedMatch(match, durationOf);
    case "instant":
      return instantMatch(match, time);
  }
}

/** Of an attribute, or a place in a payload: a number is looked for as a number and as text. */
export function looseMatch(of: "attribute" | "path", match: QueryMatch, time: QueryTime): unknown {
  const bound = (edge: Edge) => (value: QueryValue) => boundOf(of, value, time, edge);
  if (match.kind === "compare") {
    const { operator, value } = match;
    return { [operators[operator]]: bound(operator === ">" || operator === "<=" ? "end" : "start")(value) };
  }
  if (match.kind === "range") return rangeOf(match, bound("start"), bound("end"));
  const { values } = match;
  const [first] = values;
  if (values.length === 1 && isAny(first!)) return { exists: true };
  if (values.length === 1 && first!.isPrefix) return { prefix: first!.text };
  const prefixed = values.find(({ isPrefix }) => isPrefix);
  if (prefixed)
    throw new ValueProblem(
      prefixed,
      "a beginning cannot stand in a list; join terms with OR: (type:a* OR type:b*)",
    );
  return { in: values.flatMap(looseValues) };
}

/** `*` alone. */
export function isAny({ text, isQuoted }: QueryValue): boolean {
  return !isQuoted && text === "*";
}

/** `*` or `null`, and nothing else. */
export function isAnyOrNone(match: QueryMatch): boolean {
  if (match.kind !== "values" || match.values.length !== 1) return false;
  const [value] = match.values;
  return isAny(value!) || (plainValue(value!) === null && !value!.isPrefix);
}

function looseValues(value: QueryValue): (string | number | boolean | null)[] {
  const { text, isQuoted } = value;
  if (isQuoted) return [text];
  if (text === "null") return [null];
  if (text === "true" || text === "false") return [text === "true", text];
  return isNumber(text) ? [Number(text) + 0, text] : [text];
}

type Edge = "start" | "end";

/** A time is as long as it is written: a range begins with its first millisecond and ends with its last. */
function boundOf(
  of: "attribute" | "path",
  value: QueryValue,
  time: QueryTime,
  edge: Edge,
): string | number | Date {
  const { isQuoted } = value;
  const text = boundText(value);
  if (!isQuoted && isNumber(text)) return Number(text);
  const instant = isQuoted ? undefined : instantOf(text, time);
  if (instant === undefined) return text;
  const { start, end } = instant;
  const at = new Date(edge === "start" ? start : Math.max(start, end - 1));
  return of === "attribute" ? at : at.toISOString();
}

/** Of an attribute or a place: the days and instants among the values, as ranges; of texts that look like them nothing is known. */
export function looseTimes(of: "attribute" | "path", match: QueryMatch, time: QueryTime): unknown[] {
  if (match.kind !== "values") return [];
  return match.values
    .filter(({ text, isQuoted, isPrefix }) => !isQuoted && !isPrefix && isDate(text))
    .map((value) => ({ gte: boundOf(of, value, time, "start"), lte: boundOf(of, value, time, "end") }));
}

/** Whether an unquoted text is a day or an instant, and not a text alone; weekdays and spans are texts of their own too often. */
export function isDate(text: string): boolean {
  return /^(today|yesterday)$/i.test(text) || dateOf(text, { now: 0, utcOffsetMinutes: 0 }) !== undefined;
}

function isNumber(text: string): boolean {
  return /^-?\d+(\.\d+)?(e[+-]?\d+)?$/i.test(text) && Number.isFinite(Number(text));
}

const operators = { ">": "gt", ">=": "gte", "<": "lt", "<=": "lte" } as const;

/** The values of a match that cannot be a comparison. */
function only(match: QueryMatch): readonly QueryValue[] {
  if (match.kind === "values") return match.values;
  const value = match.kind === "compare" ? match.value : (match.from ?? match.to);
  throw new ValueProblem(value ?? nowhere, "it is in no order; give values, separated by commas");
}

const nowhere: QueryValue = { start: 0, end: 0, text: "", isQuoted: false, isPrefix: false };

/** Of a bound the star would be dropped. */
function boundText(value: QueryValue): string {
  if (value.isPrefix)
    throw new ValueProblem(
      value,
      "* cannot stand in a comparison or a range; leave it out, or put it in quotes",
    );
  return value.text;
}

function textMatch(match: QueryMatch): unknown {
  if (match.kind === "compare") return { [operators[match.operator]]: boundText(match.value) };
  if (match.kind === "range") return rangeOf(match, boundText);
  const { values } = match;
  const [first] = values;
  if (values.length === 1 && isAny(first!)) return { exists: true };
  if (values.length === 1) return first!.isPrefix ? { prefix: first!.text } : plainValue(first!);
  const prefixed = values.find(({ isPrefix }) => isPrefix);
  if (prefixed)
    throw new ValueProblem(
      prefixed,
      "a beginning cannot stand in a list; join terms with OR: (type:a* OR type:b*)",
    );
  return values.map(plainValue);
}

function plainValue({ text, isQuoted }: QueryValue): string | null {
  return !isQuoted && text === "null" ? null : text;
}

/** A part of it, whatever its case. */
function messageMatch(match: QueryMatch): unknown {
  const values = only(match);
  const [first] = values;
  if (values.length > 1) throw new ValueProblem(values[1]!, "a list is not taken here; use OR");
  if (isAny(first!)) return { exists: true };
  if (plainValue(first!) === null) return null;
  return first!.isPrefix ? { prefix: first!.text } : { contains: first!.text };
}

function groupMatch(match: QueryMatch): string {
  const [value, more] = only(match);
  if (more) throw new ValueProblem(more, "a list is not taken here; use OR");
  if (!value!.isPrefix && !isAny(value!) && value!.text.trim() !== "") return value!.text;
  throw new ValueProblem(value!, "it takes the fingerprint of a group, or a message of it, as a whole");
}

function statusOf(value: QueryValue): TaskStatusName {
  const status = value.text.toUpperCase();
  if (Object.hasOwn(following, status)) return status as TaskStatusName;
  throw new ValueProblem(
    value,
    `there is no status "${value.text}"; there are pending, running, completed, failed and cancelled.${didYouMean(
      value.text,
      Object.keys(following).map((name) => name.toLowerCase()),
    )}`,
  );
}

function orderedMatch(match: QueryMatch, read: (value: QueryValue) => unknown): unknown {
  if (match.kind === "compare") return { [operators[match.operator]]: read(match.value) };
  if (match.kind === "range") return rangeOf(match, read);
  const { values } = match;
  if (values.length === 1 && isAny(values[0]!)) return { exists: true };
  const found = values.map((value) => (plainValue(value) === null ? null : read(value)));
  return found.length === 1 ? found[0] : found;
}

/** Both ends are in it. */
function rangeOf(
  { from, to }: { from: QueryValue | undefined; to: QueryValue | undefined },
  read: (value: QueryValue) => unknown,
  readTo = read,
) {
  if (!from && !to) throw new ValueProblem(nowhere, "a range needs a value on one side of .. at least");
  return { ...(from && { gte: read(from) }), ...(to && { lte: readTo(to) }) };
}

/** A number or a time has no beginning to ask for. */
function refuseStar(value: QueryValue): void {
  if (value.isPrefix)
    throw new ValueProblem(value, "* stands for how a text goes on; write a range such as 5..9 or >=5");
}

function numberOf(value: QueryValue): number {
  refuseStar(value);
  if (isNumber(value.text)) return Number(value.text);
  throw new ValueProblem(value, `"${value.text}" is no number`);
}

function durationOf(value: QueryValue): number {
  refuseStar(value);
  if (durationProblem(value.text, "") === undefined) return parseDuration(value.text, "duration");
  refuseTooLong(value, value.text);
  throw new ValueProblem(value, `"${value.text}" is no duration; write it like 500ms, 30s, 5m or 1h30m`);
}

function refuseTooLong(value: QueryValue, span: string): void {
  if (isTooLong(span))
    throw new ValueProblem(value, `"${value.text}" is too long; the longest is 36525d, 100 years`);
}

/** A day, an hour or an instant is a range of time: from its start to before its end. */
interface Period {
  start: number;
  end: number;
}

function instantMatch(match: QueryMatch, time: QueryTime): unknown {
  const read = (value: QueryValue): Period => {
    refuseStar(value);
    const period = instantOf(value.text, time);
    if (period) return period;
    refuseTooLong(value, value.text.replace(/^\+/, ""));
    throw new ValueProblem(
      value,
      `"${value.text}" is no time; write it like 2026-11-23, 2026-11-23T09:30, 2h (that long ago), +2h, today or monday`,
    );
  };
  if (match.kind === "compare") {
    const { start, end } = read(match.value);
    if (match.operator === ">") return { gte: new Date(end) };
    if (match.operator === ">=") return { gte: new Date(start) };
    return { lt: new Date(match.operator === "<" ? start : end) };
  }
  if (match.kind === "range") {
    const { from, to } = match;
    if (!from && !to) throw new ValueProblem(nowhere, "a range needs a time on one side of .. at least");
    return { ...(from && { gte: new Date(read(from).start) }), ...(to && { lt: new Date(read(to).end) }) };
  }
  const [first, second] = match.values;
  if (second) throw new ValueProblem(second, "a list of times is not taken; use OR");
  if (isAny(first!)) return { exists: true };
  if (plainValue(first!) === null) return null;
  const { start, end } = read(first!);
  const { text } = first!;
  if (start === end)
    throw new ValueProblem(
      first!,
      `"${text}" is one moment; write >${text} for what is after it, or <${text} for before`,
    );
  return { gte: new Date(start), lt: new Date(end) };
}

const datePattern =
  /^(\d{4})-(\d{2})-(\d{2})(?:T(\d{2}):(\d{2})(?::(\d{2})(\.\d{1,3})?)?(Z|[+-]\d{2}:?\d{2})?)?$/i;
const weekdays = ["sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"];
const dayMs = 86_400_000;

/** Where the day, the moment or the word for one begins; undefined for what is no time. */
export function startOf(text: string, time: QueryTime): number | undefined {
  return instantOf(text, time)?.start;
}

function instantOf(text: string, time: QueryTime): Period | undefined {
  const word = text.toLowerCase();
  const today = startOfDay(time.now, time);
  if (word === "now") return { start: time.now, end: time.now + 1 };
  if (word === "today") return { start: today, end: today + dayMs };
  if (word === "yesterday") return { start: today - dayMs, end: today };
  const weekday = weekdays.indexOf(word);
  if (weekday >= 0) {
    const passed = (new Date(today + offsetMs(today, time)).getUTCDay() - weekday + 7) % 7;
    return { start: today - passed * dayMs, end: today - (passed - 1) * dayMs };
  }
  const span = /^\+/.test(text) ? text.slice(1) : text;
  if (durationProblem(span, "") === undefined && !/^\d+$/.test(span)) {
    const ms = parseDuration(span, "time");
    const at = text.startsWith("+") ? time.now + ms : time.now - ms;
    return { start: at, end: at };
  }
  return dateOf(text, time);
}

function dateOf(text: string, time: QueryTime): Period | undefined {
  const match = datePattern.exec(text);
  if (!match) return undefined;
  const [year, month, day, hour, minute, second] = match
    .slice(1, 7)
    .map((part) => Number(part ?? 0)) as number[];
  const fraction = Math.round(Number(match[7] ?? 0) * 1_000);
  const calendar = new Date(0);
  // Date.UTC takes the year 1 for 1901.
  calendar.setUTCFullYear(year!, month! - 1, day!);
  if (
    calendar.getUTCMonth() !== month! - 1 ||
    calendar.getUTCDate() !== day! ||
    hour! > 23 ||
    minute! > 59 ||
    second! > 59
  ) {
    return undefined;
  }
  const utc = calendar.setUTCHours(hour!, minute!, second!, fraction);
  const zone = match[8] ? zoneMs(match[8]) : offsetMs(utc, time);
  if (zone === undefined) return undefined;
  const start = utc - zone;
  const length =
    match[4] === undefined ? dayMs : match[6] === undefined ? 60_000 : match[7] === undefined ? 1_000 : 1;
  return { start, end: start + length };
}

function zoneMs(zone: string): number | undefined {
  if (/^z$/i.test(zone)) return 0;
  const [, sign, hours, minutes] = /^([+-])(\d{2}):?(\d{2})$/.exec(zone)!;
  if (Number(hours) > 23 || Number(minutes) > 59) return undefined;
  return (sign === "-" ? -1 : 1) * (Number(hours) * 60 + Number(minutes)) * 60_000;
}

/** How far local time is ahead of UTC around an instant. */
function offsetMs(at: number, { utcOffsetMinutes }: QueryTime): number {
  return (utcOffsetMinutes ?? -new Date(at).getTimezoneOffset()) * 60_000;
}

function startOfDay(at: number, time: QueryTime): number {
  const offset = offsetMs(at, time);
  return Math.floor((at + offset) / dayMs) * dayMs - offset;
}
