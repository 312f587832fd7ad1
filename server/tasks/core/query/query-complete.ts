/** What may stand at a place of a query that is being written. */
import { toPlainFilters } from "../filters/filter-condition.ts";
import { nearest } from "../names.ts";
import { problemOf } from "../options.ts";
import { parseQuery } from "./query.ts";
import { otherDetails, type QueryField, queryField, queryFields, sortNames } from "./query-fields.ts";
import { fieldName, quote, type Span, type Token, tokensSoFar, unescaped } from "./query-lexer.ts";

/** Names that a store or a registry knows. All may be left out. */
export interface CompletionSources {
  types?: readonly string[];
  queues?: readonly string[];
  tags?: readonly string[];
  workers?: readonly KnownWorker[];
  /** Names of declared attributes, or names with values that occur. */
  attributes?: readonly string[] | Readonly<Record<string, readonly string[]>>;
  /** Names of saved searches. */
  searches?: readonly string[];
  /** Of tasks. */
  ids?: readonly string[];
  /** Places in payloads and results, such as `payload.user.id`. */
  places?: readonly string[];
}

/** People know a worker by its name or its host; tasks know it by its id. */
export interface KnownWorker {
  id: string;
  name?: string;
  host: string;
}

/** Items that take the place of the text from `from` to before `to`. */
export interface Completion {
  from: number;
  to: number;
  items: { text: string; detail: string }[];
}

interface Offer {
  text: string;
  detail: string;
  /** What it is known by beside its text. */
  alias?: readonly string[];
}

const itemsMax = 50;
/** Of those that fit what is typed, so many are tried for the first `itemsMax` that can be read. */
const triedMax = 200;

/**
 * Fields, values or ids that begin like what stands before the position, then such that have it in them, then near
 * misses; at most 50. A name of a field ends in a colon. No value is offered with which its term would be refused. Never
 * throws: what cannot be read gets no items.
 *
 * @param position of the caret, in UTF-16 units from 0. Default: the end.
 */
export function completeQuery(
  text: string,
  position: number = text.length,
  sources: CompletionSources = {},
): Completion {
  const at = Math.max(0, Math.min(position, text.length));
  const tokens = tokensSoFar(text);
  const index = tokens.findIndex(({ offset, len }) => offset < at && at <= offset + len);
  const token = tokens[index];
  if (!token) return completion(at, at, "", fieldOffers(sources));
  if (token.state === "value") return completeValue(text, at, tokens, index, sources);
  if (token.name === "field" && at === token.offset + token.len) {
    const next = tokens[index + 1];
    const isFilled = next?.state === "value" && next.offset === at;
    if (isFilled) return completeValue(text, at, tokens, index + 1, sources);
    const isRead = (offer: string) =>
      reads(text, { start: token.offset, end: at }, { start: at, end: at }, offer);
    return completion(at, at, "", valueOffers(token, sources), isRead);
  }
  if (token.name === "quoted" || token.name === "unclosed" || token.name === "close") {
    return completion(at, at, "", []);
  }
  const isWord = ["word", "field", "keyword", "saved"].includes(token.name);
  const from = isWord ? token.offset : at;
  return completion(from, isWord ? token.offset + token.len : at, text.slice(from, at), fieldOffers(sources));
}

/** Whose value the caret stands in or after, and what stands there of it before the caret; undefined beside values. */
export function valueAt(text: string, position: number): { field: string; typed: string } | undefined {
  const at = Math.max(0, Math.min(position, text.length));
  const tokens = tokensSoFar(text.slice(0, at));
  const index = tokens.findLastIndex(({ name }) => name === "field");
  const field = tokens[index];
  const last = tokens.at(-1);
  if (!field || !last || last.offset + last.len < at) return undefined;
  if (tokens.slice(index + 1).some(({ state }) => state !== "value")) return undefined;
  const typed = ["value", "quoted", "unclosed"].includes(last.name) ? unescaped(last.text) : "";
  return { field: fieldName(field.text.slice(0, -1)), typed };
}

/** The one value that the caret stands in or after. */
function completeValue(
  text: string,
  at: number,
  tokens: readonly Token[],
  index: number,
  sources: CompletionSources,
): Completion {
  const token = tokens[index]!;
  const field = tokens.slice(0, index).findLast(({ name }) => name === "field")!;
  const isWord = ["value", "quoted", "unclosed"].includes(token.name);
  const from = isWord ? token.offset : at;
  const to = isWord && token.name !== "unclosed" ? token.offset + token.len : at;
  const before = isWord ? tokens[index - 1] : token;
  const offers = valueOffers(field, sources);
  const term = { start: field.offset, end: endOfTerm(tokens, index) };
  const isRead = (offer: string) => reads(text, term, { start: from, end: to }, offer);
  const fit = before === field ? offers : offers.map(withoutSign);
  return completion(from, to, unescaped(text.slice(from, at)), fit, isRead);
}

/** Behind a comparison, or as an end of a range. */
function withoutSign(offer: Offer): Offer {
  const text = offer.text.replace(/^[<>]=?/, "");
  return text === offer.text ? offer : { text, detail: /^\d+[a-z]/.test(text) ? "so long" : "a number" };
}

/** Where the values end that this token is one of. */
function endOfTerm(tokens: readonly Token[], index: number): number {
  let { offset, len } = tokens[index]!;
  for (const next of tokens.slice(index + 1)) {
    if (next.state !== "value" || next.offset !== offset + len) break;
    ({ offset, len } = next);
  }
  return offset + len;
}

/** Whether the term can be read with the offer in its place; what else stands in the query may not be whole yet. */
function reads(text: string, term: Span, place: Span, offer: string): boolean {
  const written = text.slice(term.start, place.start) + offer + text.slice(place.end, term.end);
  if (!isRead(written)) return false;
  const [before, after] = [text.slice(0, term.start), text.slice(term.end)];
  // Whether it may say the order here, its neighbours tell.
  return !/^sort:/i.test(written) || !isRead(`${before}x${after}`) || isRead(before + written + after);
}

function isRead(query: string): boolean {
  const time = { now: 0, utcOffsetMinutes: 0 };
  return problemOf(() => toPlainFilters("The query", parseQuery(query, time).filter)) === undefined;
}

function completion(
  from: number,
  to: number,
  typed: string,
  offers: readonly Offer[],
  isRead: (offer: string) => boolean = () => true,
): Completion {
  const tried = fitting(typed, offers).slice(0, triedMax);
  const items: Completion["items"] = [];
  for (const { text, detail } of tried) {
    if (items.length === itemsMax) break;
    if (isRead(text)) items.push({ text, detail });
  }
  return { from, to, items };
}

function fitting(typed: string, offers: readonly Offer[]): Offer[] {
  const wanted = typed.toLowerCase();
  const bare = ({ text }: Offer) => unescaped(text).toLowerCase();
  const isOne = (offer: Offer, is: (known: string) => boolean) =>
    is(bare(offer)) || offer.alias?.some((name) => is(name.toLowerCase()));
  const begin = offers.filter((offer) => isOne(offer, (known) => known.startsWith(wanted)));
  const have = offers.filter(
    (offer) => !begin.includes(offer) && isOne(offer, (known) => known.includes(wanted)),
  );
  if (begin.length + have.length > 0) return [...begin, ...have];
  // What other keys a payload has, nobody knows.
  if (/^(payload|result)\../.test(wanted)) return [];
  const near = nearest(
    wanted,
    offers.map((offer) => bare(offer).replace(/:$/, "")),
  );
  return near.flatMap((name) => offers.filter((offer) => bare(offer).replace(/:$/, "") === name).slice(0, 1));
}

function fieldOffers({ attributes = [], searches = [], places = [] }: CompletionSources): Offer[] {
  const own = Object.entries(queryFields).map(([name, { detail }]) => ({ text: `${name}:`, detail }));
  const declared = attributeNames(attributes).map((name) => ({
    text: queryField(name) ? `attribute.${name}:` : `${name}:`,
    detail: "an attribute",
    alias: [`attribute.${name}`],
  }));
  const others = Object.entries(otherDetails).map(([name, detail]) => ({
    text: ["has", "text", "sort"].includes(name) ? `${name}:` : `${name}.`,
    detail,
  }));
  const saved = searches.map((name) => ({ text: `@${name}`, detail: "a saved search" }));
  const known = places.map((place) => ({
    text: `${place}:`,
    detail: `a place in the ${place.split(".")[0]}`,
  }));
  return [...own, ...declared, ...others, ...known, ...saved];
}

function attributeNames(attributes: NonNullable<CompletionSources["attributes"]>): readonly string[] {
  return Array.isArray(attributes) ? attributes : Object.keys(attributes);
}

const statuses = ["pending", "running", "completed", "failed", "cancelled"];
const instants: [string, string][] = [
  [">1h", "in the last hour"],
  [">24h", "in the last 24 hours"],
  [">7d", "in the last 7 days"],
  ["today", "since midnight"],
  ["yesterday", "the whole day"],
  ["monday", "the latest Monday, the whole day"],
];

function valueOffers(field: Token, sources: CompletionSources): Offer[] {
  const name = fieldName(field.text.slice(0, -1));
  const known = queryField(name);
  if (known) return knownOffers(known, sources);
  if (name === "sort") return Object.keys(sortNames).flatMap(orders);
  if (name === "has") {
    const names = [
      ...Object.keys(queryFields),
      "payload",
      "result",
      ...attributeNames(sources.attributes ?? []),
    ];
    return names.map((key) => ({ text: key, detail: "has a value" }));
  }
  const { attributes = [] } = sources;
  const attribute = name.replace(/^attribute\./, "");
  const byName = attributes as Readonly<Record<string, readonly string[]>>;
  const isKnown = !Array.isArray(attributes) && Object.hasOwn(attributes, attribute);
  // The number 42 and the text "42" are asked for by the same.
  return named(isKnown ? [...new Set(byName[attribute]!)] : [], "a value of this attribute");
}

/** Either way; what has no sign is offered for the one that means the same. */
function orders(name: string): Offer[] {
  const [own, other, detail] =
    name === "id" ? ["+", "-", "the last first"] : ["-", "+", "the least or oldest first"];
  return [
    { text: name, detail: "the order of the tasks", alias: [`${own}${name}`] },
    { text: `${other}${name}`, detail },
  ];
}

function knownOffers({ filter, kind }: QueryField, sources: CompletionSources): Offer[] {
  switch (filter) {
    case "status":
      return statuses.map((text) => ({ text, detail: "a status" }));
    case "id":
      return named(sources.ids ?? [], "a task");
    case "type":
      return named(sources.types ?? [], "a type");
    case "queue":
      return named(sources.queues ?? [], "a queue");
    case "tag":
      return named(sources.tags ?? [], "a tag");
    case "workerId":
      return (sources.workers ?? []).flatMap(workerOffer);
    default:
      return kindOffers(kind);
  }
}

function workerOffer({ id, name, host }: KnownWorker): Offer[] {
  const detail = name === undefined ? `a worker on ${host}` : `the worker ${name} on ${host}`;
  const alias = name === undefined ? [host] : [name, host];
  return named([id], detail).map((offer) => ({ ...offer, alias }));
}

function kindOffers(kind: QueryField["kind"]): Offer[] {
  if (kind === "instant") return instants.map(([text, detail]) => ({ text, detail }));
  if (kind === "duration") return [">1s", ">30s", ">5m"].map((text) => ({ text, detail: "longer than" }));
  return kind === "number" ? [{ text: ">=1", detail: "or more" }] : [];
}

function named(names: readonly string[], detail: string): Offer[] {
  return names.map((name) => ({ text: isPlain(name) ? name : quote(name), detail }));
}

/** Whether it means itself without quotes; a number means the text, too. */
function isPlain(name: string): boolean {
  if (name.includes("..") || name === "null") return false;
  return /^(?:[\p{L}\p{N}_/]|-(?=\d))[\p{L}\p{N}_./:@+-]*$/u.test(name);
}
