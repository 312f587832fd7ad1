/**
 * Searches with conditions, and orders that no index has. Candidates come from an index of attributes or texts where one
 * finds few (key-sources.ts), else the tasks that pass the plain filters are walked in the search's order. Each is tested, a
 * chunk at a time, each a snapshot of its own, with a look at the clock. What has no order by index is gathered and sorted.
 */
import type { Condition } from "../../core/condition.ts";
import { meets, type Subject, sortValueIn } from "../../core/meets.ts";
import { rankedMax } from "../../core/relevance.ts";
import type { Count, Found, Place, SearchPlan, StoreSearch } from "../../core/store.ts";
import type { Task } from "../../core/task.ts";
import { isNear, type NearOrder, nearIndexes } from "../near-orders.ts";
import { countUnfilled, unfilledIn } from "./attribute-fills.ts";
import type { NamedAttribute } from "./attribute-names.ts";
import {
  type Chunk,
  chunkMax,
  chunkMin,
  comparator,
  type Placed,
  placed,
  placeOf,
  withEntries,
} from "./chunks.ts";
import type { Context } from "./context.ts";
import type { Session } from "./database.ts";
import { estimateMax, gatheredMax, type KeySource } from "./key-source.ts";
import { findKeySource } from "./key-sources.ts";
import { nearPlaces, type WaitingWay } from "./near-keys.ts";
import { planning, planningOnce } from "./planning.ts";
import { statusNumbers, type TaskRow, toTask } from "./rows.ts";
import * as plain from "./search.ts";
import { isSlowest, slowestStatement } from "./slow-keys.ts";
import {
  attributesByTask,
  isOrderedByText,
  needsOf,
  readSubjects,
  readTexts,
  subjectOf,
} from "./subjects.ts";
import { madeTexts, textsOf } from "./task-texts.ts";
import { textIndexes } from "./text-indexes.ts";
import { walkedChunks } from "./walked-chunks.ts";

/** What a source gives is likely to fit. */
const sourceChunkMin = 50;
/** Candidates that an order without an index is looked for among; further ones are not sorted. */
const sortedMax = 200_000;
/** Where a smaller share of a chunk was found by the one way to those that wait, the other is tried. */
const fewShare = 0.25;
/** So few pages are sorted sooner than an order is walked through. */
const sortedPagesMax = 10;

export async function searchTasks(context: Context, search: StoreSearch): Promise<Found> {
  if (!needsWalk(search)) return { tasks: await plain.searchTasks(context, search) };
  const walk = new Walk(context, search);
  const found = await walk.page();
  const last = found.tasks.length >= search.limit ? found.tasks.at(-1) : undefined;
  return { ...found, ...(await unfilledIn(context, search, walk.names, last)) };
}

/** What `searchTasks` would do. */
export async function explainSearch(context: Context, search: StoreSearch): Promise<SearchPlan> {
  if (!needsWalk(search) && search.id === undefined) return plain.planInOrder(context, search);
  const walk = new Walk(context, search);
  const plan = await walk.plan();
  return { ...plan, ...(await unfilledIn(context, search, walk.names)) };
}

/** Exact, or as good as the budget allows. */
export async function countTasks(context: Context, search: StoreSearch): Promise<Count> {
  const { where, after: _after, ...rest } = search;
  const unplaced: StoreSearch = {
    ...rest,
    sortBy: "createdAt",
    descending: true,
    offset: 0,
    definitions: false,
  };
  if (!where) return { count: await plain.countTasks(context, unplaced), errorMax: 0 };
  const walk = new Walk(context, { ...unplaced, where });
  const { met, seen, isWhole, unindexed } = await walk.count();
  const unfilled = await countUnfilled(context.database, search, walk.names);
  if (isWhole) return { count: met, errorMax: unindexed + unfilled };
  const total = Math.max(seen + unindexed, await plain.countTasks(context, unplaced));
  const count = Math.round((met / Math.max(1, seen)) * total);
  return { count, errorMax: Math.max(count - met, met + total - seen - count) + unfilled };
}

function needsWalk({ where, sortBy }: StoreSearch): boolean {
  return where !== undefined || !isIndexed(sortBy);
}

function isIndexed(sortBy: StoreSearch["sortBy"]): boolean {
  return sortBy === "createdAt" || sortBy === "updatedAt" || sortBy === "id";
}

/** How many of the newest tasks that fit are put in an order that no index has. */
function sortedMost({ sortBy }: StoreSearch): number {
  return sortBy === "relevance" ? rankedMax : sortedMax;
}

class Walk {
  readonly #context: Context;
  readonly #search: StoreSearch;
  readonly #endsAt: number;
  /** All that there were when the search began, as far as it wanted to know. */
  names: readonly NamedAttribute[] | undefined;

  constructor(context: Context, search: StoreSearch) {
    this.#context = context;
    this.#search = search;
    this.#endsAt = performance.now() + (search.budgetMs ?? Number.POSITIVE_INFINITY);
  }

  page(): Promise<Found> {
    return isIndexed(this.#search.sortBy) ? this.#walked() : this.#sorted();
  }

  async #sorted(): Promise<Found> {
    const { sortBy, where, offset } = this.#search;
    if (isNear(sortBy) && (await this.#isNear()))
      return (await this.#over(this.#near(sortBy), where ? offset : 0)).found;
    if (isSlowest(this.#search)) {
      const { found, isExhausted } = await this.#over(this.#slowest());
      // Those that took less than a second are in no order.
      if (!isExhausted) return found;
    }
    const { after: _after, ...rest } = this.#search;
    const all = { limit: sortedMost(this.#search) + 1, offset: 0 };
    const newestFirst: StoreSearch = { ...rest, ...all, sortBy: "createdAt", descending: true };
    const source = await this.#source(newestFirst);
    const found = await this.#gathered(
      source ? this.#fromSource(source, newestFirst) : walkedChunks(this.#context, newestFirst),
    );
    return source?.unindexed ? { ...found, unindexed: source.unindexed } : found;
  }

  async plan(): Promise<SearchPlan> {
    const search = this.#search;
    if (search.id !== undefined) {
      return { source: "id", indexes: ["tasks_pkey"], candidates: 1, isSorted: false };
    }
    const { where: _where, after: _after, ...filters } = search;
    const total = await plain.countTasks(this.#context, { ...filters, sortBy: "createdAt" });
    if (isSlowest(search)) {
      const of = "those that ran for a second or longer, first";
      return { source: "slow", of, indexes: ["tasks_slow"], candidates: total, isSorted: false };
    }
    if (isNear(search.sortBy) && (await this.#isNear())) {
      const wanted = Math.min(total, search.offset + search.limit);
      return {
        ...{ source: search.where ? "walk" : "order", indexes: nearIndexes(search.sortBy, search, true) },
        ...{ candidates: search.where ? total : wanted, isSorted: false },
      };
    }
    const source = isIndexed(search.sortBy) ? await this.#source() : undefined;
    if (!source || source.isWalk) {
      const isSorted = !isIndexed(search.sortBy);
      const walked: StoreSearch = isSorted ? { ...filters, sortBy: "createdAt", descending: true } : filters;
      const { indexes } = await plain.planInOrder(this.#context, walked);
      return { source: "walk", indexes, candidates: total, isSorted };
    }
    const { index, name: of, estimate, isOrdered } = source;
    return {
      ...{ source: index, of, indexes: indexNames[index] },
      candidates: Math.min(estimate, total),
      ...(estimate >= estimateMax && total > estimate && { isAtLeast: true }),
      isSorted: !isOrdered,
    };
  }

  async count(): Promise<{ met: number; seen: number; isWhole: boolean; unindexed: number }> {
    let met = 0;
    let seen = 0;
    const source = await this.#source();
    const unindexed = source?.unindexed ?? 0;
    for await (const chunk of source ? this.#fromSource(source) : walkedChunks(this.#context, this.#search)) {
      met += (await this.#meeting(chunk)).length;
      seen += chunk.seen ?? chunk.tasks.length;
      if (performance.now() > this.#endsAt) return { met, seen, isWhole: false, unindexed };
    }
    return { met, seen, isWhole: true, unindexed };
  }

  async #walked(): Promise<Found> {
    const source = await this.#source();
    if (!source) return (await this.#over(walkedChunks(this.#context, this.#search))).found;
    const chunks = this.#fromSource(source);
    const found = source.isOrdered ? (await this.#over(chunks)).found : await this.#gathered(chunks);
    return source.unindexed ? { ...found, unindexed: source.unindexed } : found;
  }

  /** Ends when the page is full, or the budget. */
  async #over(
    chunks: AsyncGenerator<Chunk>,
    offset = this.#search.offset,
  ): Promise<{ found: Found; isExhausted: boolean }> {
    const { limit } = this.#search;
    const found: Task[] = [];
    for await (const chunk of chunks) {
      const { last } = chunk;
      found.push(...(await this.#meeting(chunk)).map(({ task }) => task));
      if (found.length >= offset + limit) {
        return { found: { tasks: found.slice(offset, offset + limit) }, isExhausted: false };
      }
      if (performance.now() > this.#endsAt) {
        return { found: { tasks: found.slice(offset), stoppedAt: last }, isExhausted: false };
      }
    }
    return { found: { tasks: found.slice(offset) }, isExhausted: true };
  }

  /** Whether the order is walked through sooner than all that may fit are sorted. */
  async #isNear(): Promise<boolean> {
    const { id, where, created, updated, after: _after, ...search } = this.#search;
    if (id !== undefined) return false;
    const newestFirst: StoreSearch = { ...this.#search, sortBy: "createdAt", descending: true };
    const { after: _place, ...unplaced } = newestFirst;
    if (where && ((await this.#source(unplaced))?.estimate ?? gatheredMax) < gatheredMax) return false;
    if (!created && !updated) return true;
    const fewest = sortedPagesMax * (search.offset + search.limit);
    const { where: _where, ...plainly } = unplaced;
    const { length } = await plain.searchTasks(this.#context, { ...plainly, offset: fewest, limit: 1 });
    return length > 0;
  }

  /** In an order that most tasks share with another one. Without conditions, those before the offset are not read. */
  async *#near(order: NearOrder): AsyncGenerator<Chunk> {
    const { where, limit: wanted, offset } = this.#search;
    let { after } = this.#search;
    let left = where ? 0 : offset;
    const isBackwards = after?.backwards ?? false;
    const endsAt = this.#endsAt;
    // Of many priorities there are more lines than there are lanes.
    let way: WaitingWay = "ranges";
    const first = where ? chunkMin : Math.min(chunkMax, offset + wanted);
    for (let limit = first; ; limit = Math.min(chunkMax, limit * 2)) {
      const search = { ...this.#search, ...(after && { after }) };
      const { places, next, read } = await this.#context.database.snapshot(async (session) => {
        const found = await nearPlaces(session, search, order, { limit, way, endsAt });
        return { ...found, read: await this.#read(session, found.places.slice(left)) };
      }, planningOnce);
      left = Math.max(0, left - places.length);
      const last = next ?? places.at(-1);
      if (last) yield { tasks: read.map(({ task }) => task), last, subjects: read };
      if (!next) return;
      // Where the one way passes over many, the other may not.
      if (places.length < limit * fewShare) way = way === "lines" ? "ranges" : "lines";
      after = { ...next, backwards: isBackwards };
    }
  }

  /** The tasks that ran for a second or longer, the slowest first. */
  async *#slowest(): AsyncGenerator<Chunk> {
    const { where, limit: wanted, offset } = this.#search;
    let { after } = this.#search;
    for (let limit = where ? chunkMin : offset + wanted; ; limit = Math.min(chunkMax, limit * 2)) {
      const rows = await this.#context.database.snapshot(async (session) => {
        const { pairs } = await plain.outline(session, { ...this.#search, definitions: false });
        const { statement, values } = slowestStatement(
          { ...this.#search, ...(after && { after }) },
          pairs,
          limit,
        );
        return session.query(statement, values);
      }, planningOnce);
      const lanes = await this.#context.lanes.named(new Set(rows.map((row) => row[2] as number)));
      const tasks = rows.map((row) => toTask(row.slice(1) as TaskRow, lanes));
      const last = tasks.at(-1);
      if (!last) return;
      yield { tasks, last: placeOf(this.#search, last) };
      if (tasks.length < limit) return;
      after = { ...placeOf(this.#search, last), backwards: this.#search.after?.backwards ?? false };
    }
  }

  /** Ends at the budget with the best of what was looked at, which need not be the best of all. */
  async #gathered(chunks: AsyncGenerator<Chunk>): Promise<Found> {
    const { after, limit, offset, sortBy } = this.#search;
    const found: Placed[] = [];
    const most = sortedMost(this.#search);
    let isWhole = true;
    for await (const chunk of chunks) {
      for (const subject of await this.#meeting(chunk)) {
        const value = sortValueIn(this.#search, subject);
        if (value !== undefined) found.push({ task: subject.task, value: value ?? 0 });
      }
      if (performance.now() > this.#endsAt || found.length > most) {
        isWhole = false;
        break;
      }
    }
    found.splice(most);
    const compare = comparator(this.#search);
    const place = after && placed(after);
    const beyond = place ? found.filter((one) => compare(place, one) < 0) : found;
    const page = await this.#whole(beyond.sort(compare).slice(offset, offset + limit));
    return {
      tasks: page.map(({ task }) => task),
      ...(sortBy === "relevance" && { values: page.map(({ value }) => value) }),
      ...(!isWhole && { isPartial: true }),
    };
  }

  /** With the values of the tasks, where they were put in order without. What was deleted meanwhile is left out. */
  async #whole(page: readonly Placed[]): Promise<readonly Placed[]> {
    if (!isOrderedByText(this.#search)) return page;
    const { database, lanes: known } = this.#context;
    const ids = page.map(({ task }) => task.id);
    const asked: Pick<Session, "query"> = { query: (statement, values) => database.read(statement, values) };
    const rows = await readSubjects(asked, ids, null, { attributes: false, text: false });
    const lanes = await known.named(new Set(rows.map(([, , , lane]) => lane)));
    const tasks = new Map(rows.map(([, , ...row]) => [row[0] as string, toTask(row as TaskRow, lanes)]));
    return page.flatMap(({ task, value }) => {
      // A definition has no row.
      const whole = tasks.get(task.id) ?? (task.version === undefined ? task : undefined);
      return whole ? [{ task: whole, value }] : [];
    });
  }

  async #source(search = this.#search): Promise<KeySource | undefined> {
    if (search.id !== undefined) return undefined;
    // Those that run are few.
    if (search.statuses?.every((name) => name === "RUNNING")) return undefined;
    const source = await this.#context.database.snapshot(
      (session) => findKeySource(this.#context, session, search, (asked) => this.#attributes(asked)),
      planningOnce,
    );
    return source && (await this.#walksSooner(source)) ? undefined : source;
  }

  /** Whether a page comes sooner from the tasks that pass the plain filters: when few pass, and the source gives many. */
  async #walksSooner({ isOrdered, isFiltered, estimate }: KeySource): Promise<boolean> {
    if (!isOrdered || isFiltered || estimate < estimateMax) return false;
    const { types, statuses, queues, limit, offset } = this.#search;
    if (!types && !statuses && !queues) return false;
    const anything = { sortBy: "createdAt", descending: true, limit, offset: 0, definitions: false } as const;
    const filters = { ...(types && { types }), ...(statuses && { statuses }), ...(queues && { queues }) };
    const [all, passing] = await Promise.all([
      plain.countTasks(this.#context, anything),
      plain.countTasks(this.#context, { ...anything, ...filters }),
    ]);
    const wanted = offset + limit;
    const walked = Math.min(passing, (wanted * all) / estimate);
    const looked = Math.min(estimate, (wanted * all) / Math.max(1, passing));
    return walked < looked;
  }

  async *#fromSource(source: KeySource, search = this.#search): AsyncGenerator<Chunk> {
    const { database } = this.#context;
    let after: Place | undefined = search.after;
    const { limit: wanted, offset } = search;
    const first = Math.min(
      source.isFiltered ? chunkMax : chunkMin,
      Math.max(sourceChunkMin, offset + wanted),
    );
    let entries = await this.#entries(search);
    const compare = comparator(search);
    for (let limit = first; ; ) {
      const { places, next, read } = await database.snapshot(async (session) => {
        const candidates = await source.keys(session, after, limit);
        return { ...candidates, read: await this.#read(session, candidates.places) };
      }, planningOnce);
      const isHere = (entry: Placed) => !next || !source.isOrdered || compare(entry, placed(next)) <= 0;
      const subjects = withEntries(search, read, entries.filter(isHere));
      entries = entries.filter((entry) => !isHere(entry));
      const last = next ?? places.at(-1) ?? (subjects[0] && placeOf(search, subjects.at(-1)!.task));
      if (!last) return;
      // Also where none of them passes the plain filters: the clock is looked at after each chunk.
      for (let start = 0; start === 0 || start < subjects.length; start += chunkMax) {
        const some = subjects.slice(start, start + chunkMax);
        yield { tasks: some.map(({ task }) => task), last, subjects: some };
      }
      if (!next) return;
      after = next;
      // Where nothing was found, the next chunk is not likely to have many that do not fit.
      if (places.length > 0) limit = Math.min(chunkMax, limit * 2);
    }
  }

  /** Of definitions without tasks. */
  async #entries(search: StoreSearch): Promise<Placed[]> {
    if (!search.definitions) return [];
    const outline = (session: Session) => plain.outline(session, search);
    const { definitions } = await this.#context.database.snapshot(outline, planning);
    return definitions.map((definition) => plain.entryOf(search, definition));
  }

  /** The tasks there that pass the plain filters, in the order of their places, with what conditions ask for. */
  async #read(session: Session, places: readonly Place[]): Promise<Subject[]> {
    if (places.length === 0) return [];
    const statuses = this.#search.statuses?.flatMap((name) => statusNumbers[name]) ?? null;
    const wants = needsOf(this.#search.where);
    const names = wants.attributes ? await this.#attributes(session) : [];
    const ids = places.map(({ id }) => id);
    const rows = isOrderedByText(this.#search)
      ? await readTexts(session, ids, statuses)
      : await readSubjects(session, ids, statuses, wants);
    const lanes = await this.#context.lanes.named(new Set(rows.map((row) => row[3])));
    const read = rows.map(([keys, text, ...row]) => ({ keys, text, task: toTask(row as TaskRow, lanes) }));
    const fitting = read.filter(({ task }) => plain.fits(this.#search, task));
    const bare = wants.text ? fitting.filter(({ text }) => text === null).map(({ task }) => task) : [];
    const texts = await madeTexts(session, bare);
    const subjects = new Map(
      fitting.map(({ keys, text, task }): [string, Subject] => [
        task.id,
        subjectOf(task, names, keys, text ?? texts.get(task.id)),
      ]),
    );
    return places.map(({ id }) => subjects.get(id)).filter((subject) => subject !== undefined);
  }

  async #attributes(session: Session): Promise<readonly NamedAttribute[]> {
    const names = this.names ?? (await this.#context.attributes.all(session));
    this.names = names;
    return names;
  }

  async #meeting({ tasks, subjects }: Chunk): Promise<Subject[]> {
    const { where } = this.#search;
    if (!where) return tasks.map((task) => ({ task }));
    const all = subjects ?? (await this.#subjectsOf(tasks, where));
    return all.filter((subject) => meets(where, subject));
  }

  async #subjectsOf(tasks: readonly Task[], where: Condition): Promise<Subject[]> {
    const ids = tasks.map(({ id }) => id);
    const { database } = this.#context;
    const wants = needsOf(where);
    const names = wants.attributes ? await this.#attributes(database) : [];
    const keys = wants.attributes ? await attributesByTask(database, ids) : undefined;
    const texts = wants.text ? await textsOf(database, tasks) : undefined;
    return tasks.map((task) => subjectOf(task, names, keys?.get(task.id), texts?.get(task.id)));
  }
}

const indexNames = { texts: textIndexes, attributes: ["attributes_key"], slow: ["tasks_slow"] };
