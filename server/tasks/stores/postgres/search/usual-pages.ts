/**
 * The pages that are usual, as the texts that searches make: every order, both ways, with and without ranges of time, of few lanes and of
 * many. Their lanes have no tasks, so a connection plans them and reads nothing; see rehearsal.ts.
 */
import type { StoreSearch } from "../../../core/store.ts";
import { planningOnce } from "../connections/planning.ts";
import type { Rehearsed } from "../connections/rehearsal.ts";
import { listedStatement } from "./listed-starts.ts";
import { nearStatement, type PartedOrder } from "./near-statements.ts";
import { type Pair, pageStatement, type SearchStatement } from "./search-statements.ts";
import { likelyPage } from "./whole-pages.ts";

const orders = ["createdAt", "updatedAt", "id"] as const;
const partedOrders: readonly PartedOrder[] = ["startedAt", "dueAt", "priority", "duration"];
/** Of all statuses, of one that has ended, of what waits and of what runs. */
const statuses = [[0, 1, 2, 3, 4, 5], [3], [0, 1], [2]];
/** Which bounds of time there are tells what is read; where they lie does not. */
const [early, late] = [{ start: 0 }, { end: 1 }];
const ranges: readonly Pick<StoreSearch, "created" | "updated">[] = [
  {},
  { created: early },
  { created: late },
  { updated: early },
  { updated: late },
  { created: late, updated: early },
  { created: early, updated: early },
];
/** One lane, and so many that there are more streams than few. */
const many = 32;
const laneCounts = [1, many];
const limit = 50;

/** Each text once, those of the specified orders first. @param isBounded whether pages are bounded by bytes */
export function* usualPages(isBounded: boolean): Generator<Rehearsed> {
  const texts = new Set<string>();
  const share = isBounded ? 1 : undefined;
  for (const search of everySearch())
    for (const { statement, values } of pagesOf(search, share)) {
      if (texts.has(statement.text)) continue;
      texts.add(statement.text);
      yield { statement, values, planning: planningOnce };
    }
}

function* everySearch(): Generator<StoreSearch> {
  for (const sortBy of [...orders, ...partedOrders])
    for (const range of ranges)
      for (const descending of [true, false])
        for (const filters of [{ types: [] }, {}])
          yield { ...range, ...filters, sortBy, descending, limit, offset: 0, definitions: false };
}

function pagesOf(search: StoreSearch, share: number | undefined): SearchStatement[] {
  const { sortBy } = search;
  if (isParted(sortBy)) {
    const fewMax = search.created || search.updated ? limit : undefined;
    const reach = { limit, depth: limit, isWaitingToo: true, fewMax, tasks: { from: 0, share: 1 } };
    const streams = nearStatement(search, sortBy, pairsOf(1, [3]), reach);
    const shared = pairsOf(many, [3]).map((pair) => ({ ...pair, tasks: 1 }));
    if (sortBy === "startedAt") {
      const listed = listedStatement(search, shared, { ...reach, all: many });
      return listed ? [streams, listed] : [streams];
    }
    if (sortBy === "duration") return [streams];
    const most = pairsOf(many, [1, 3, 4, 5]).map((pair) => ({ ...pair, tasks: 1 }));
    return [streams, nearStatement(search, sortBy, most, { ...reach, isOfList: true, all: most.length })];
  }
  return laneCounts.flatMap((lanes) =>
    statuses.flatMap((of) => {
      const pairs = pairsOf(lanes, of);
      const whole = likelyPage(search, pairs, { limit, offset: 0, all: undefined, share });
      return [pageStatement(search, pairs, limit, 0, share), whole.page];
    }),
  );
}

function isParted(sortBy: StoreSearch["sortBy"]): sortBy is PartedOrder {
  return partedOrders.some((order) => order === sortBy);
}

function pairsOf(lanes: number, of: readonly number[]): Pair[] {
  return Array.from({ length: lanes }, (_, lane) =>
    of.map((status): Pair => ({ lane: -1 - lane, ownIds: false, status, tasks: 0 })),
  ).flat();
}
