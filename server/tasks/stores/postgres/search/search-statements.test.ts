import { expect, test } from "vitest";
import { everySearch } from "../../../../../tests/support/month.ts";
import { nearStatement } from "./near-statements.ts";
import { type Pair, pageStatement } from "./search-statements.ts";

/** Of lanes of generated ids, in an order that chance gives. */
const pairsOf = (lanes: readonly number[]): Pair[] =>
  [3, 1, 0, 5, 4, 2].flatMap((status) =>
    lanes.map((lane): Pair => ({ lane, ownIds: false, status, tasks: 10 })),
  );
const pairs: readonly Pair[] = pairsOf([1, 2, 3]);
const manyPairs = pairsOf(Array.from({ length: 40 }, (_, lane) => lane));

/** Of the combinations of filters and orders every so-many-th is looked at, where each is long. */
const stride = 11;

test("thousands of searches are few texts, so that each is soon prepared", () => {
  const texts = new Set<string>();
  let searches = 0;
  for (const search of everySearch())
    for (const shown of [pairs, pairs.toReversed()]) {
      searches += 1;
      texts.add(pageStatement({ ...search, types: ["a"] }, shown, 50, 0).statement.text);
    }
  expect(searches).toBeGreaterThan(10_000);
  // Two instants, two directions, with late tasks apart or not; by id beyond a place it is another text.
  expect(texts.size).toBeLessThanOrEqual(12);
});

test("so are those by start, by due time, by priority and by duration, of few lanes and of many", () => {
  for (const [sortBy, most] of [
    ["startedAt", 20],
    ["dueAt", 6],
    ["priority", 20],
    ["duration", 8],
  ] as const) {
    const texts = new Set<string>();
    for (const [n, { after, ...search }] of [...everySearch()].entries()) {
      if (n % stride > 0) continue;
      const place = after && {
        after: { value: sortBy === "priority" ? 0 : 1e12, id: "x", backwards: false },
      };
      const fewMax = search.created || search.updated ? 500 : undefined;
      const reach = { limit: 50, depth: 50, isWaitingToo: true, fewMax, tasks: { from: 0, share: 1_000 } };
      for (const shown of [pairs, manyPairs])
        for (const of of [[3], [0, 1], [2], [0, 1, 2, 3, 4, 5]]) {
          const some = shown.filter(({ status }) => of.includes(status));
          texts.add(nearStatement({ ...search, sortBy, ...place }, sortBy, some, reach).statement.text);
        }
    }
    // Two directions; with a range or not, and late tasks apart or not; by start, by priority and by duration also beyond a place or not.
    expect(texts.size).toBeLessThanOrEqual(most);
  }
});
