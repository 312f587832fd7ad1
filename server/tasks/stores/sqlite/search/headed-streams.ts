/**
 * Streams of many pairs of lane and status, most of which have nothing on the page. It is asked where each begins, and only those that are
 * come to are opened. What many begin with is kept where another search may ask the same; else few of them are asked: none that has
 * nothing in the index, and in the order of the latest change those first of which kept counts say that some changed right there.
 */
import type { StoreSearch } from "../../../core/store.ts";
import type { Connection } from "../connection.ts";
import { searchIndexes } from "../statements.ts";
import { firstChanged } from "./first-changed.ts";
import { type Begun, beginningsOf, mayRepeat, withAny } from "./kept-heads.ts";
import { headed, type PageSize } from "./key-stream.ts";
import { comparator, type Key, placeBefore } from "./search-key.ts";
import { mergeInOrder } from "./search-merge.ts";
import {
  headsOfPairs,
  ofPairs,
  type Pair,
  pending,
  type SearchStatement,
  startingAt,
  withoutOpenRanges,
} from "./search-statements.ts";

type Group = ReturnType<typeof headsOfPairs>[number];
type Open = (statement: SearchStatement, pair: Pair, begun?: Begun) => Iterator<Key>;

export function headedStreams(
  connection: Connection,
  search: StoreSearch,
  pairs: readonly Pair[],
  { page, of, open }: { page: PageSize; of: "late" | "all"; open: Open },
): Iterator<Key>[] {
  const groups = headsOfPairs(search, pairs, of);
  if (mayRepeat(withoutOpenRanges(search)))
    return groups.flatMap((group) => streamsOf(connection, search, group, open, true));
  const first = of === "all" ? firstChanged(connection, search, pairs, page) : undefined;
  return groups.flatMap((group) => {
    const there = withEntries(connection, group.from, group.pairs);
    const near = first ? there.filter((pair) => isUncounted(group, pair) || first.has(pair)) : there;
    const streams = streamsOf(connection, search, { ...group, pairs: near }, open, false);
    if (!first || near.length === there.length) return streams;
    const [asked, further] = [new Set(near), startingAt(search, first.end)];
    const far = there.filter((pair) => !asked.has(pair));
    const openFar = () =>
      headsOfPairs(further, far)
        .filter(({ from }) => from === group.from)
        .flatMap((group) => streamsOf(connection, further, group, open, false));
    const behind = headed(placeBefore(search, first.end), () => mergeInOrder(openFar(), comparator(search)));
    return [...streams, behind];
  });
}

/** Those of the pairs that may have tasks in an index; most have no late ones, and none that wait and were changed. */
export function withEntries(
  connection: Connection,
  from: Group["from"],
  pairs: readonly Pair[],
): readonly Pair[] {
  const { index, condition } = searchIndexes[from];
  const isRare = from === "lateCreated" || from === "lateUpdated";
  const rare = pairs.filter(({ status }) => isRare || (status === pending && from !== "fresh"));
  if (rare.length === 0) return pairs;
  const found = new Set(withAny(connection, { index, condition: ofPairs(condition) }, rare));
  const asked = new Set(rare);
  return pairs.filter((pair) => !asked.has(pair) || found.has(pair));
}

/** What waits is counted by its creation. */
function isUncounted({ from }: Group, { status }: Pair): boolean {
  return status === pending && from !== "fresh";
}

function streamsOf(
  connection: Connection,
  search: StoreSearch,
  { text, values, pairs, stream }: Group,
  open: Open,
  isKept: boolean,
): Iterator<Key>[] {
  if (pairs.length === 0) return [];
  const areKept = mayRepeat(search);
  return beginningsOf<number>(connection, { text, values }, pairs, isKept).flatMap(
    ({ head, begun }, place) => {
      if (head === null) return [];
      const pair = pairs[place]!;
      const openIt = () => open(stream(pair, head), pair, areKept ? begun : undefined);
      return [headed(placeBefore(search, head), openIt)];
    },
  );
}
