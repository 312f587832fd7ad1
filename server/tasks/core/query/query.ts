/** The query language: one line of text that says which tasks are wanted, and in which order. */
import { DureError } from "../errors.ts";
import type { TaskFilter } from "../filters/filter.ts";
import { isMatcher, toPlainFilters } from "../filters/filter-condition.ts";
import { following } from "../lifecycle.ts";
import { didYouMean } from "../names.ts";
import { problemOf } from "../options.ts";
import type { TaskSortField } from "../search.ts";
import type { TaskStatusName } from "../task.ts";
import { otherNames, queryField, queryFields, sortNames } from "./query-fields.ts";
import {
  type QueryMatch,
  type QueryNode,
  type QueryValue,
  queryError,
  readQuery,
  type Span,
} from "./query-grammar.ts";
import { checkLimits } from "./query-limits.ts";
import {
  isAny,
  isAnyOrNone,
  looseMatch,
  looseTimes,
  matchOf,
  type QueryTime,
  ValueProblem,
} from "./query-values.ts";

export interface ParsedQuery {
  filter: TaskFilter;
  sortBy?: TaskSortField;
  sortOrder?: "asc" | "desc";
  /** Where it says the order; absent where a saved search does. */
  sortedAt?: Span;
  /** The saved searches that stand in it, also in one another: their queries by their names. */
  saved?: Readonly<Record<string, string>>;
}

/** Queries of saved searches by name, for `@name`. */
export type SavedQueries = ReadonlyMap<string, string>;

const savedDepthMax = 10;
const savedUsesMax = 100;

/**
 * Reads a query such as `status:failed userId:42 created:>2h "ETIMEDOUT"`. docs/reference/query.md has all of it.
 * @param saved what `@name` may stand for. Default: nothing.
 * @param within the name of the saved search that the query is of, which it must not have in itself
 * @throws DureError INVALID_QUERY, with the column and what would be right
 */
export function parseQuery(
  query: string,
  time: QueryTime,
  saved: SavedQueries = new Map(),
  within?: string,
): ParsedQuery {
  const used = new Map<string, string>();
  const outer = within === undefined ? [] : [within];
  const parsed = new QueryReader(query, time, {
    queries: saved,
    within: outer,
    used,
    uses: { count: 0 },
  }).read();
  if (used.size === 0) return parsed;
  checkWhole(query, parsed.filter);
  return { ...parsed, saved: Object.fromEntries(used) };
}

/** Each may be small enough by itself, and all of them too much. */
function checkWhole(query: string, filter: TaskFilter): void {
  const problem = problemOf(() => toPlainFilters("The query", { and: [filter] }));
  if (problem === undefined) return;
  const whole = { start: 0, end: query.length };
  throw queryError(query, whole, `with what is saved in it, it asks for too much. ${problem}`);
}

interface SavedUse {
  queries: SavedQueries;
  /** The saved searches that this query stands in, the outermost first. */
  within: readonly string[];
  /** Those that were met. */
  used: Map<string, string>;
  uses: { count: number };
}

class QueryReader {
  readonly #query: string;
  readonly #time: QueryTime;
  readonly #saved: SavedUse;
  #sort: Pick<ParsedQuery, "sortBy" | "sortOrder" | "sortedAt"> = {};
  /** Of the first saved search that says one. */
  #savedSort: Pick<ParsedQuery, "sortBy" | "sortOrder"> = {};

  constructor(query: string, time: QueryTime, saved: SavedUse) {
    this.#query = query;
    this.#time = time;
    this.#saved = saved;
  }

  read(): ParsedQuery {
    const node = readQuery(this.#query);
    if (node) checkLimits(this.#query, node);
    const filter = node ? this.#filterOf(node, true) : {};
    return { filter, ...(this.#sort.sortBy ? this.#sort : this.#savedSort) };
  }

  /** @param isTop whether the node must hold whatever else does, so that it may say the order */
  #filterOf(node: QueryNode, isTop = false): TaskFilter {
    switch (node.kind) {
      case "and":
        return merged(node.nodes.map((one) => this.#filterOf(one, isTop)));
      case "or":
        return { or: node.nodes.map((one) => this.#filterOf(one)) };
      case "not":
        return { not: this.#filterOf(node.node) };
      case "text":
        return { text: this.#textOf(node.value) };
      case "saved":
        return this.#savedOf(node, isTop);
      case "field":
        return this.#fieldOf(node, isTop);
    }
  }

  #textOf(value: QueryValue): string {
    if (value.text.trim() === "")
      throw queryError(this.#query, value, "an empty text is in every task; take it away");
    if (!value.isQuoted && /^(payload|result|attribute)\.\S*:/i.test(value.text))
      throw queryError(this.#query, value, "a key is missing between two dots, or before the colon");
    return value.text;
  }

  /** The saved search as if it stood here in parentheses; its order counts where the query itself says none. */
  #savedOf({ name, span }: QueryNode & { kind: "saved" }, isTop: boolean): TaskFilter {
    const { queries, within, used, uses } = this.#saved;
    const query = queries.get(name);
    const problem = this.#savedProblem(name, query);
    if (query === undefined || problem !== undefined) throw queryError(this.#query, span, problem!);
    used.set(name, query);
    uses.count += 1;
    const inner = { queries, within: [...within, name], used, uses };
    const { filter, sortedAt: _elsewhere, ...sort } = this.#readSaved(query, span, inner);
    if (isTop && !this.#savedSort.sortBy) this.#savedSort = sort;
    return filter;
  }

  #savedProblem(name: string, query: string | undefined): string | undefined {
    const { queries, within, uses } = this.#saved;
    if (within.includes(name)) {
      const way = [...within.slice(within.indexOf(name)), name].map((one) => `@${one}`).join(" → ");
      return `a saved search cannot stand in itself: ${way}`;
    }
    if (query === undefined) {
      return `no search is saved as "${name}".${didYouMean(name, queries.keys())} To look for the text itself write "@${name}"`;
    }
    if (within.length >= savedDepthMax)
      return `saved searches stand in one another more than ${savedDepthMax} deep`;
    return uses.count >= savedUsesMax ? `more than ${savedUsesMax} saved searches stand in it` : undefined;
  }

  #readSaved(query: string, span: Span, saved: SavedUse): ParsedQuery {
    try {
      return new QueryReader(query, this.#time, saved).read();
    } catch (error) {
      if (!(error instanceof DureError)) throw error;
      const problem = `@${saved.within.at(-1)} cannot be read: ${error.details.problem ?? error.message}`;
      throw queryError(this.#query, span, problem);
    }
  }

  #fieldOf(node: QueryNode & { kind: "field" }, isTop: boolean): TaskFilter {
    try {
      return this.#readField(node, isTop);
    } catch (error) {
      if (!(error instanceof ValueProblem)) throw error;
      const span = error.value.end > 0 ? error.value : node.span;
      throw queryError(this.#query, span, `${node.field}: ${error.message}`);
    }
  }

  #readField({ field, span, match }: QueryNode & { kind: "field" }, isTop: boolean): TaskFilter {
    const known = queryField(field);
    if (known?.kind === "group" && isAnyOrNone(match))
      return { error: matchOf("message", match, this.#time) as never };
    if (known) return { [known.filter]: matchOf(known.kind, match, this.#time) };
    const [head, ...path] = field.split(".") as [string, ...string[]];
    const name = head.toLowerCase();
    if (name === "payload" || name === "result")
      return this.#looseOf("path", match, (value) => ({ [name]: nested(path, value) }));
    if (name === "attribute" && path.length > 0) return this.#attributeOf(path.join("."), match);
    const value = match.kind === "values" && match.values.length === 1 ? match.values[0]! : undefined;
    if (name === "sort") return this.#sortBy(value, span, isTop);
    if (name === "has") return this.#has(value, span);
    if (name === "text" && path.length === 0) {
      if (value && !isAny(value)) return { text: this.#textOf(value) };
      throw queryError(this.#query, span, 'text takes one text, such as text:"rate limit"');
    }
    this.#refuseNearMiss(field, span);
    return this.#attributeOf(field, match);
  }

  #attributeOf(name: string, match: QueryMatch): TaskFilter {
    return this.#looseOf("attribute", match, (value) => ({ attributes: { [name]: value } as never }));
  }

  /** `2026-11-01` is that text, and any time of that day. */
  #looseOf(
    of: "attribute" | "path",
    match: QueryMatch,
    filterOf: (match: unknown) => TaskFilter,
  ): TaskFilter {
    const plain = filterOf(looseMatch(of, match, this.#time));
    const times = looseTimes(of, match, this.#time);
    return times.length === 0 ? plain : { or: [plain, ...times.map(filterOf)] };
  }

  #sortBy(value: QueryValue | undefined, span: Span, isTop: boolean): TaskFilter {
    const isDown = value?.text.startsWith("-") ?? false;
    const isUp = value?.text.startsWith("+") ?? false;
    const name = (isDown || isUp ? value?.text.slice(1) : value?.text)?.toLowerCase().replace(/at$/, "");
    const known = Object.keys(sortNames);
    if (!value || !name || !Object.hasOwn(sortNames, name)) {
      throw queryError(
        this.#query,
        value ?? span,
        `sort takes one of ${known.join(", ")}, with + before it for the least or oldest first, or - for the greatest or latest`,
      );
    }
    if (!isTop || this.#sort.sortBy) {
      throw queryError(
        this.#query,
        span,
        "sort says the order of the whole search; write it once, outside of OR and NOT",
      );
    }
    // The newest first is what one mostly wants of an instant; a sign says it anyhow.
    const sortOrder = isUp ? "asc" : isDown || name !== "id" ? "desc" : "asc";
    this.#sort = {
      sortBy: sortNames[name] as TaskSortField,
      sortOrder,
      sortedAt: { start: value.start, end: value.end },
    };
    return {};
  }

  #has(value: QueryValue | undefined, span: Span): TaskFilter {
    if (!value || value.isPrefix || value.text.split(".").includes("")) {
      throw queryError(this.#query, value ?? span, "has takes the name of one field, such as has:error");
    }
    const known = queryField(value.text);
    if (known?.kind === "status") return { status: Object.keys(following) as TaskStatusName[] };
    if (known) return { [known.kind === "group" ? "error" : known.filter]: { exists: true } };
    const [head, ...path] = value.text.split(".") as [string, ...string[]];
    const name = head.toLowerCase();
    if (name === "payload" || name === "result") return { [name]: nested(path, { exists: true }) };
    const isWhole = name === "attribute" && path.length > 0;
    if (!isWhole) this.#refuseNearMiss(value.text, value);
    const attribute = isWhole ? path.join(".") : value.text;
    return { attributes: { [attribute]: { exists: true } } };
  }

  /** `statsu:failed` is a slip, and no attribute. */
  #refuseNearMiss(field: string, span: Span): void {
    const names = [...Object.keys(queryFields), ...otherNames];
    const hint = field.length > 3 ? didYouMean(field.toLowerCase(), names) : "";
    const near = /"([^"]+)"/.exec(hint)?.[1];
    if (near === undefined || !isOneSlip(field.toLowerCase(), near)) return;
    throw queryError(
      this.#query,
      span,
      `there is no field "${field}"; did you mean "${near}"? For an attribute of that name write attribute.${field}:`,
    );
  }
}

/** One letter more, less, other, or two exchanged. */
function isOneSlip(a: string, b: string): boolean {
  if (a === b || Math.abs(a.length - b.length) > 1) return false;
  let start = 0;
  while (start < a.length && a[start] === b[start]) start += 1;
  let end = 0;
  while (end < Math.min(a.length, b.length) - start && a.at(-1 - end) === b.at(-1 - end)) end += 1;
  const [x, y] = [a.slice(start, a.length - end), b.slice(start, b.length - end)];
  return x.length + y.length <= 2 || (x.length === 2 && y.length === 2 && x[0] === y[1] && x[1] === y[0]);
}

/**
 * A match of what is at a path of a payload or result. A key that is called like an operator, such as `not`, gets an
 * empty neighbour, for a key it is then.
 */
export function nested(path: readonly string[], match: unknown): never {
  return path.reduceRight((below: unknown, key) => {
    const place = { [key]: below };
    return isMatcher(place) ? { ...place, "": undefined } : place;
  }, match) as never;
}

/** One filter of several that must all hold: side by side where their names differ. */
function merged(filters: readonly TaskFilter[]): TaskFilter {
  const whole: Record<string, unknown> = {};
  const rest: TaskFilter[] = [];
  for (const filter of filters) {
    const keys = Object.keys(filter);
    if (keys.some((key) => key in whole)) rest.push(filter);
    else Object.assign(whole, filter);
  }
  return (
    rest.length > 0 ? { ...whole, and: [...((whole.and as TaskFilter[]) ?? []), ...rest] } : whole
  ) as TaskFilter;
}
