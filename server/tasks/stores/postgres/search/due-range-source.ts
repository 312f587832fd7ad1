/** Candidates of a search for tasks that wait and are due within a range, in the order of their creation; see due-ranges.ts. */
import type { StoreSearch } from "../../../core/store.ts";
import { createdWithin, type DueRange, delayedMax, dueRangeOf } from "../../shared/due-ranges.ts";
import { isDownwards } from "../../shared/search-bounds.ts";
import type { Session, Snapshot } from "../connections/database.ts";
import type { Context } from "../context.ts";
import { shape } from "../statement.ts";
import { comparator, placed } from "./chunks.ts";
import { asked, delayedKeys, delayedStatement, placesOf } from "./delayed-within.ts";
import type { Candidates, KeySource } from "./key-source.ts";
import { earlyStatement, NewestDue } from "./newest-due.ts";
import { outlined } from "./outline.ts";
import { countTasks } from "./search.ts";
import { keysOf, type Pair, Text } from "./search-statements.ts";
import { isOfGeneratedIds } from "./whole-keys.ts";

/**
 * Undefined where another way is as good.
 *
 * @param isCounted whether it must be known how many it gives, and so in which share of all they fit
 */
export async function dueRangeSource(
  context: Context,
  session: Snapshot,
  search: StoreSearch,
  { isCounted }: { isCounted: boolean },
): Promise<KeySource | undefined> {
  const range = dueRangeOf(search);
  if (!range) return undefined;
  const { after: _after, ...unplaced } = search;
  const isNewestFirst = isDownwards(search) && !isCounted;
  const {
    pairs,
    value: [row],
  } = await outlined(context, session, { ...unplaced, definitions: false }, (pairs) =>
    asked(session, isNewestFirst ? earlyStatement(pairs) : delayedStatement(pairs, range)),
  );
  if (isNewestFirst && row![0] === false && isOfGeneratedIds(pairs) && !context.lanes.haveChosenIds) {
    const newest = new NewestDue(range, pairs);
    return sourceOf(search, undefined, (session, from, limit) => newest.keys(session, from, limit));
  }
  const [found] = isNewestFirst ? await asked(session, delayedStatement(pairs, range)) : [row];
  const [count, beside, first, last] = found as Delayed;
  if (count > delayedMax) return undefined;
  const others = first === null ? undefined : { from: first, to: last };
  return sourceOf(
    search,
    async () => (await countTasks(context, createdWithin(unplaced, range))) + beside,
    (session, from, limit) => keysWithin(session, from, range, pairs, { limit, others }),
  );
}

type Delayed = [count: number, beside: number, first: number | null, last: number];

/**
 * @param total undefined where nothing tells it
 * @param keys from the place of the search that they are given on
 */
function sourceOf(
  search: StoreSearch,
  total: (() => Promise<number>) | undefined,
  keys: (session: Session, from: StoreSearch, limit: number) => Promise<Candidates>,
): KeySource {
  const { after: _after, ...rest } = search;
  const backwards = search.after?.backwards ?? false;
  return {
    ...{ name: "dueAt", index: "slow", estimate: Number.POSITIVE_INFINITY },
    ...{ isOrdered: true, isFiltered: true, isWalk: true, ...(total && { total }) },
    keys: (session, after, limit) =>
      keys(session, { ...rest, ...(after && { after: { ...after, backwards } }) }, limit),
  };
}

/** @param others between which instants those lie that were not created within the range; undefined where there are none */
async function keysWithin(
  session: Session,
  search: StoreSearch,
  range: DueRange,
  pairs: readonly Pair[],
  { limit, others }: { limit: number; others: DueRange | undefined },
): Promise<Candidates> {
  const text = new Text();
  const within = keysOf(text, createdWithin(search, range), pairs, limit);
  const walked = placesOf(
    await asked(session, { statement: shape("dueWithin", within), values: text.values }),
  );
  const end = walked.length < limit ? undefined : walked.at(-1)!;
  const areBehind =
    end && others && (isDownwards(search) ? end.value! > others.to : end.value! < others.from);
  if (!others || areBehind) return { places: walked, next: end };
  const delayed = placesOf(await asked(session, delayedKeys(search, range, pairs, limit)));
  const compare = comparator(search);
  const places = [...walked, ...delayed].sort((a, b) => compare(placed(a), placed(b)));
  if (!end && delayed.length < limit) return { places, next: undefined };
  return { places: places.slice(0, limit), next: places[limit - 1] };
}
