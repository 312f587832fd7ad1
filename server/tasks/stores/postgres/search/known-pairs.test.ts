import { beforeEach, expect, test, vi } from "vitest";
import { newSearch } from "../../../../../tests/support/builders.ts";
import { KnownPairs, maskOf } from "./known-pairs.ts";
import type { Pair } from "./search-statements.ts";

const pair = (lane: number, status: number): Pair => ({ lane, status, ownIds: false, tasks: 1 });
const search = newSearch({ types: ["resize-image"], statuses: ["FAILED", "COMPLETED", "PENDING"] });

let known: KnownPairs;
beforeEach(() => {
  known = new KnownPairs();
});

test("what was seen of the same filters is known, whatever their order and range", () => {
  expect(known.look(search).pairs).toBeUndefined();
  expect(known.look(search).saw([pair(1, 3), pair(2, 4)]).areKnown).toBe(false);
  const other = { ...search, sortBy: "updatedAt", descending: false, created: { start: 5 } } as const;
  expect(known.look(other).pairs).toEqual([pair(1, 3), pair(2, 4)]);
  expect(known.look(newSearch()).pairs).toBeUndefined();
});

test("a pair that was not known is told, and known then; one that lost its tasks is known for a while", () => {
  known.look(search).saw([pair(1, 3)]);
  const all = [pair(1, 3), pair(1, 1)];
  expect(known.look(search).saw([pair(1, 1)])).toEqual({ pairs: all, areKnown: false });
  expect(known.look(search).saw([])).toEqual({ pairs: all, areKnown: true });
  expect(known.look(search).pairs).toHaveLength(2);
  vi.spyOn(performance, "now").mockReturnValue(performance.now() + 70_000);
  known.look(search).saw([pair(1, 3)]);
  vi.restoreAllMocks();
  expect(known.look(search).pairs).toEqual([pair(1, 3)]);
});

test("it is enough to ask for other pairs than the known ones, until some may have lost their tasks", () => {
  expect(known.look(search).mask).toBeUndefined();
  known.look(search).saw([pair(1, 3), pair(2, 4), pair(2, 0)]);
  expect(known.look(search).mask).toBe("\\x000811");
  vi.spyOn(performance, "now").mockReturnValue(performance.now() + 70_000);
  const old = known.look(search);
  vi.restoreAllMocks();
  expect(old.mask).toBeUndefined();
  expect(old.saw([pair(2, 4)])).toEqual({ pairs: [pair(2, 4)], areKnown: true });
  expect(known.look(search).pairs).toEqual([pair(2, 4)]);
});

test("lanes of very high numbers have no mask; then all pairs are asked for", () => {
  expect(maskOf([])).toBe("\\x");
  expect(maskOf([pair(5_000_000, 3)])).toBeUndefined();
  const all = [pair(1, 3), pair(5_000_000, 3)];
  known.look(search).saw(all);
  const look = known.look(search);
  expect(look.mask).toBeUndefined();
  expect(look.saw(all)).toEqual({ pairs: all, areKnown: true });
  expect(known.look(search).saw([...all, pair(2, 3)])).toEqual({
    pairs: [...all, pair(2, 3)],
    areKnown: false,
  });
});

test("what one server answered is not taken for another's", () => {
  known.look(search).saw([pair(1, 3)]);
  const look = known.look(search);
  known.forget();
  look.saw([pair(1, 3)]);
  expect(known.look(search).pairs).toBeUndefined();
});

test("what is known is bounded", () => {
  const statuses = ["FAILED"] as const;
  const many = Array.from({ length: 3_000 }, (_, lane) => pair(lane, 4));
  for (let n = 0; n < 10; n += 1) known.look(newSearch({ types: [`${n}`], statuses })).saw(many);
  const kept = Array.from({ length: 10 }, (_, n) => known.look(newSearch({ types: [`${n}`], statuses })));
  expect(kept.filter(({ pairs }) => pairs).length).toBeLessThan(7);
  for (let n = 0; n < 2_000; n += 1) known.look(newSearch({ types: [`${n}`] })).saw([]);
  const types = Array.from({ length: 2_000 }, (_, n) => known.look(newSearch({ types: [`${n}`] })));
  expect(types.filter(({ pairs }) => pairs).length).toBeLessThanOrEqual(500);
});

test("each lane is taken to have tasks that run, where these are asked for", () => {
  const all = newSearch();
  known.look(all).saw([pair(1, 3), pair(2, 4)]);
  expect(known.look(all).saw([pair(1, 2), pair(2, 2)]).areKnown).toBe(true);
  expect(known.look(all).pairs).toHaveLength(4);
  known.look(search).saw([pair(1, 3)]);
  expect(known.look(search).pairs).toHaveLength(1);
});
