/**
 * Keys of tasks in the order of their priority. An index has those of any priority but 0, so that only a task that was given one
 * pays for it; of one (lane, status) pair and priority they lie in the order of their ids, and priorities are gone through one by
 * one. Those of 0, which are most tasks or none, are read in the order of ids, and the others passed over.
 */
import type { Place, StoreSearch } from "../../../core/store.ts";
import { isOfRange, sortedBetween } from "../../shared/near-orders.ts";
import { isDownwards } from "../../shared/search-bounds.ts";
import type { Connection } from "../connection.ts";
import type { DefinitionRow } from "../rows.ts";
import { type Begun, beginningsOf, headsOf, mayRepeat } from "./kept-heads.ts";
import { headed, shareOfPage, streamKeys } from "./key-stream.ts";
import { findPairs } from "./pairs.ts";
import {
  firstOfPriority,
  firstPriorities,
  lateAmong,
  ofPriority,
  prioritizedAmong,
  prioritizedIndex,
  waitingUnprioritized,
} from "./priority-statements.ts";
import { headedPairsMin, isWithin, keysInOrder, planInOrder, runningKeys } from "./search.ts";
import { comparator, isAfter, type Key, placeBefore, placeKey } from "./search-key.ts";
import { chunksOfKeys, mergeInOrder } from "./search-merge.ts";
import { type Pair, placesOf } from "./search-statements.ts";
import { listOr, wholeList } from "./whole-keys.ts";

/** So few of the tasks that wait without a priority are put in order; more of them are come upon. */
const sortedMax = 5_000;
/** Of so many that wait, one without a priority is come upon soon enough. */
const sparseMin = 20;

/** In the search's order, from its place on; among them places. Those of definitions have a number below zero. */
export function priorityKeys(
  connection: Connection,
  search: StoreSearch,
  definitions: readonly DefinitionRow[],
): Iterator<Key> {
  const compare = comparator(search);
  const pairs = findPairs(connection, search);
  const entries = definitionKeys(definitions).filter((key) => isAfter(search, key));
  const running = runningKeys(connection, search, pairs).filter(([priority]) => priority !== 0);
  const { from, to } = sortedBetween(search);
  const hasZero = from <= 0 && to >= 0;
  return mergeInOrder(
    [
      new Prioritized(connection, search, pairs).keys(),
      ...(hasZero
        ? [headed(placeBefore(search, 0), () => unprioritizedKeys(connection, search, pairs))]
        : []),
      [...running, ...entries].sort(compare)[Symbol.iterator](),
    ],
    compare,
  );
}

/** Of definitions without tasks, by their priority. */
export function definitionKeys(definitions: readonly DefinitionRow[]): Key[] {
  return definitions.map((row, index) => [row[4], row[0], -1 - index]);
}

/** By name, for explanations. */
export function priorityIndexes(connection: Connection, search: StoreSearch): string[] {
  const { indexes } = planInOrder(connection, { ...search, sortBy: "id" });
  return [prioritizedIndex, ...indexes];
}

/** Those of a priority other than 0 that do not run. */
export class Prioritized {
  readonly #connection: Connection;
  readonly #search: StoreSearch;
  readonly #pairs: readonly Pair[];
  readonly #isDown: boolean;
  #late: ReadonlySet<string> | undefined;

  constructor(connection: Connection, search: StoreSearch, pairs: readonly Pair[]) {
    this.#connection = connection;
    this.#search = search;
    this.#pairs = pairs.filter(({ status }) => status !== 2);
    this.#isDown = isDownwards(search);
  }

  *keys(): Generator<Key, undefined> {
    const { from, to } = sortedBetween(this.#search);
    const [first, last] = this.#isDown ? [to, from] : [from, to];
    const further = this.#isDown ? -1 : 1;
    const heads = this.#heads(this.#pairs, first);
    for (;;) {
      const priorities = [...heads.values()];
      if (priorities.length === 0) return undefined;
      const priority = this.#isDown ? Math.max(...priorities) : Math.min(...priorities);
      if ((priority - last) * further > 0) return undefined;
      const pairs = this.#pairs.filter((pair) => heads.get(pair) === priority);
      // So that no stream is opened before it is come to.
      yield placeBefore(this.#search, priority);
      yield* mergeInOrder(this.streams(pairs, priority), comparator(this.#search));
      for (const pair of pairs) heads.delete(pair);
      for (const [pair, next] of this.#heads(pairs, priority + further)) heads.set(pair, next);
    }
  }

  /** The priorities within, and the pairs that have each; undefined where they are more than so many. */
  pairsOf(from: number, to: number, most: number): Map<number, Pair[]> | undefined {
    const found = new Map<number, Pair[]>();
    let left = this.#pairs;
    for (let first = from; left.length > 0; ) {
      const heads = [...this.#heads(left, first, false)].filter(([, priority]) => priority <= to);
      const priority = Math.min(...heads.map(([, head]) => head));
      if (heads.length === 0) break;
      if (found.size === most) return undefined;
      found.set(
        priority,
        heads.flatMap(([pair, head]) => (head === priority ? [pair] : [])),
      );
      left = heads.map(([pair]) => pair);
      first = priority + 1;
    }
    return found;
  }

  /** The first priority of each pair that has one, from one on. */
  #heads(pairs: readonly Pair[], from: number, isDown = this.#isDown): Map<Pair, number> {
    const statement = { text: firstPriorities(isDown), values: [from] };
    const heads = headsOf<number>(this.#connection, statement, pairs, true);
    return new Map(
      heads.flatMap((priority, place): [Pair, number][] =>
        priority === null ? [] : [[pairs[place]!, priority]],
      ),
    );
  }

  /** In the order of their ids, from the search's place on. @param pairs those that may have that priority */
  streams(pairs: readonly Pair[], priority: number): Iterator<Key>[] {
    const { after } = this.#search;
    const beyond = after?.value === priority ? after.id : undefined;
    const shareOf = shareOfPage(this.#search, pairs, !isOfRange(this.#search));
    const groups = new Map<string, Pair[]>();
    for (const pair of pairs) {
      const kind = JSON.stringify({ isGenerated: !pair.ownIds, hasLate: this.#hasLate(pair) });
      const group = groups.get(kind);
      if (group) group.push(pair);
      else groups.set(kind, [pair]);
    }
    return [...groups].flatMap(([kind, group]) => {
      const part = { ...(JSON.parse(kind) as { isGenerated: boolean; hasLate: boolean }), beyond };
      const open = (pair: Pair, beyond: string | undefined, begun?: Begun) => {
        const { text, values } = ofPriority(this.#search, { ...part, beyond });
        const statement = { text, values: [pair.lane, pair.status, priority, ...values] };
        return streamKeys(this.#connection, statement, shareOf(pair), begun);
      };
      if (pairs.length < headedPairsMin) return group.map((pair) => open(pair, beyond));
      const { text, values } = firstOfPriority(this.#search, part);
      const statement = { text, values: [priority, ...values] };
      const heads = beginningsOf<string>(this.#connection, statement, group, mayRepeat(this.#search));
      return heads.flatMap(({ head, begun }, place) => {
        if (head === null) return [];
        const key = keyIn(head, priority);
        return [headed(key, () => open(group[place]!, key[1], begun))];
      });
    });
  }

  /** A range of the latest change then leaves tasks that were created long before it. */
  #hasLate({ lane, status }: Pair): boolean {
    const start = this.#search.updated?.start;
    if (start === undefined) return false;
    if (!this.#late) {
      const rows = this.#connection.prepare(lateAmong).all(placesOf(this.#pairs), start);
      this.#late = new Set(
        (rows as unknown as [number, number][]).map(([lane, status]) => `${lane} ${status}`),
      );
    }
    return this.#late.has(`${lane} ${status}`);
  }
}

/** @param first its number, a space and its id */
function keyIn(first: string, priority: number): Key {
  const end = first.indexOf(" ");
  return [priority, first.slice(end + 1), Number(first.slice(0, end))];
}

/** Those of the priority 0, in the order of their ids; RUNNING ones are among them. */
function unprioritizedKeys(
  connection: Connection,
  search: StoreSearch,
  pairs: readonly Pair[],
): Iterator<Key> {
  const compare = comparator(search);
  const settled = pairs.filter(({ status }) => status !== 2);
  const byId = { ...inOrderOfIds(search), ...(search.where && { where: search.where }) };
  const list =
    pairs.every(({ ownIds }) => !ownIds) && wholeList(connection, byId, settled, search, "unprioritized");
  if (!list) return unlistedKeys(connection, search, pairs);
  const running = runningKeys(connection, search, pairs)
    .filter(([priority]) => priority === 0)
    .sort(compare);
  const otherwise = ({ id }: Place) =>
    unlistedKeys(
      connection,
      { ...search, after: { value: 0, id, backwards: search.after?.backwards ?? false } },
      pairs,
    );
  return listOr(list, [running[Symbol.iterator]()], compare, otherwise);
}

function unlistedKeys(connection: Connection, search: StoreSearch, pairs: readonly Pair[]): Iterator<Key> {
  const waiting = pairs.filter(({ status }) => status === 1);
  const few = waiting.length === 0 ? undefined : fewWaiting(connection, search, waiting);
  if (!few) return passingOver(connection, search);
  const others = (["RUNNING", "COMPLETED", "FAILED", "CANCELLED"] as const).filter(
    (status) => !search.statuses || search.statuses.includes(status),
  );
  const keys = few[Symbol.iterator]();
  if (pairs.length === waiting.length) return keys;
  const compare = comparator(search);
  return mergeInOrder([keys, passingOver(connection, { ...search, statuses: others })], compare);
}

/** In order; undefined where so many wait without a priority that they are come upon. */
function fewWaiting(
  connection: Connection,
  search: StoreSearch,
  waiting: readonly Pair[],
): Key[] | undefined {
  const lanes = JSON.stringify(waiting.map(({ lane }) => lane));
  const total = waiting.reduce((sum, { tasks }) => sum + tasks, 0);
  const most = Math.min(sortedMax, Math.floor(total / sparseMin));
  let counted = 0;
  for (const { count } of waitingUnprioritized) {
    const [more] = connection.prepare(count).get(lanes, most + 1) as unknown as [number];
    counted += more;
    if (counted > most) return undefined;
  }
  type Row = [id: string, seq: number, createdAt: number, updatedAt: number];
  const found = waitingUnprioritized.flatMap(
    ({ keys }) => connection.prepare(keys).all(lanes, most) as unknown as Row[],
  );
  return found
    .filter(
      ([, , created, updated]) => isWithin(search.created, created) && isWithin(search.updated, updated),
    )
    .map(([id, seq]): Key => [0, id, seq])
    .filter((key) => isAfter(search, key))
    .sort(comparator(search));
}

/** All in the order of their ids, but those of another priority. */
function* passingOver(connection: Connection, search: StoreSearch): Generator<Key, undefined> {
  const byId = inOrderOfIds(search);
  const statement = connection.prepare(prioritizedAmong);
  const keys = keysInOrder(connection, byId, []);
  for (const chunk of chunksOfKeys(keys, search.offset + search.limit)) {
    const rows = statement.all(JSON.stringify(chunk.map(([, , seq]) => seq)));
    const others = new Set((rows as unknown as [number][]).map(([seq]) => seq));
    for (const [, id, seq] of chunk) if (!others.has(seq)) yield [0, id, seq];
    yield placeKey(0, chunk.at(-1)![1]);
  }
  return undefined;
}

/** Those of the priority 0 from the search's place on, in their order. */
function inOrderOfIds({ after, where: _where, ...search }: StoreSearch): StoreSearch {
  return {
    ...search,
    ...{ sortBy: "id", descending: isDownwards({ ...search, ...(after && { after }) }), definitions: false },
    ...(after?.value === 0 && { after: { value: null, id: after.id, backwards: false } }),
  };
}
