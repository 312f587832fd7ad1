/** Tasks of a few priorities, in the order of their creation or of their ids; see priorities.ts. */
import { ulidTime } from "../../../core/ids.ts";
import type { StoreSearch } from "../../../core/store.ts";
import { type Priorities, prioritiesMax, prioritiesOf } from "../../shared/priorities.ts";
import type { Connection } from "../connection.ts";
import type { DefinitionRow } from "../rows.ts";
import { findPairs } from "./pairs.ts";
import { Prioritized } from "./priority-keys.ts";
import { definitionKeys, openEach, runningKeys } from "./search.ts";
import { comparator, isPlace, type Key } from "./search-key.ts";
import { mergeInOrder } from "./search-merge.ts";
import { generatedPlace, type Pair } from "./search-statements.ts";

/**
 * From the search's place on; undefined where a walk is as good. RUNNING tasks and definitions are given whatever their priority is,
 * as candidates may be.
 */
export function ofPrioritiesKeys(
  connection: Connection,
  search: StoreSearch,
  definitions: readonly DefinitionRow[],
): Iterator<Key> | undefined {
  const streams = streamsOf(connection, search);
  if (!streams) return undefined;
  const compare = comparator(search);
  const others = [
    ...runningKeys(connection, search, findPairs(connection, search)),
    ...definitionKeys(search, definitions),
  ];
  return mergeInOrder([...streams, others.sort(compare)[Symbol.iterator]()], compare);
}

/** Whether a search is served so. */
export function isOfPriorities(connection: Connection, search: StoreSearch): boolean {
  return streamsOf(connection, search) !== undefined;
}

function streamsOf(connection: Connection, search: StoreSearch): Iterator<Key>[] | undefined {
  const wanted = prioritiesOf(search);
  if (!wanted) return undefined;
  const settled = findPairs(connection, search).filter(({ status }) => status !== 2);
  const generated = settled.filter(({ ownIds }) => !ownIds);
  const pairsOf = pairsOfEach(new Prioritized(connection, search, generated), wanted, generated);
  if (!pairsOf) return undefined;
  const streams = [...pairsOf].flatMap(([priority, pairs]) => {
    const ofOne = new Prioritized(connection, inOrderOfPriority(search, priority), generated);
    return ofOne.streams(pairs, priority).map((stream) => inOrderOf(search, stream));
  });
  // Chosen ids are not in the order of creation: of those tasks all are candidates.
  const own = settled.filter(({ ownIds }) => ownIds);
  return [...streams, ...openEach(connection, search, own, search)];
}

function pairsOfEach(
  prioritized: Prioritized,
  { from, to, only }: Priorities,
  settled: readonly Pair[],
): Map<number, readonly Pair[]> | undefined {
  if (only) return new Map([...only].map((priority) => [priority, settled]));
  return prioritized.pairsOf(from, to, prioritiesMax);
}

/** The same tasks of one priority, from the same place on. */
function inOrderOfPriority({ after, where: _where, ...search }: StoreSearch, priority: number): StoreSearch {
  const asked: StoreSearch = { ...search, sortBy: "priority" };
  if (!after) return asked;
  const { id } = generatedPlace({ ...search, after });
  return { ...asked, after: { ...after, value: priority, id } };
}

/** The keys of one priority, as those of the search's order. */
function inOrderOf({ sortBy }: StoreSearch, stream: Iterator<Key>): Iterator<Key> {
  return {
    next: () => {
      const next = stream.next();
      if (next.done || isPlace(next.value)) return next;
      const [, id, seq] = next.value;
      return { done: false, value: [sortBy === "id" ? 0 : (ulidTime(id) ?? 0), id, seq] };
    },
    return: () => stream.return?.() ?? { done: true, value: undefined },
  };
}
