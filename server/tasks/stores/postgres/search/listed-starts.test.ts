import { expect, test } from "vitest";
import { newSearch } from "../../../../../tests/support/builders.ts";
import { listedStatement } from "./listed-starts.ts";
import { nearStatement } from "./near-statements.ts";
import type { Pair } from "./search-statements.ts";

const lanes = Array.from({ length: 40 }, (_, lane) => 7_770 + lane);
/** PENDING is stored as two numbers and counted as one. */
const waiting = lanes.flatMap((lane) => [0, 1].map((status): Pair => ({ ...bare(lane), status })));
const completed = lanes.map((lane): Pair => ({ ...bare(lane), status: 3 }));

function bare(lane: number): Omit<Pair, "status"> {
  return { lane, ownIds: false, tasks: 500 };
}

const search = newSearch({ sortBy: "startedAt", limit: 20 });

test("where nearly all tasks wait, the list of all tasks is not looked through for those that started", () => {
  const asked = { limit: 20, all: 40_000 };
  expect(listedStatement(search, waiting, asked)).toBeUndefined();
  expect(listedStatement(search, completed, asked)).toBeDefined();
});

test("by start and by duration what was never started is not counted to find whether few have the instants", () => {
  const [fresh] = waiting as [Pair];
  const pairs = [fresh, { ...bare(2_000), status: 3 }];
  const asked = { ...search, created: { start: 5 } };
  const reach = { limit: 20, depth: 20, isWaitingToo: true, fewMax: 200 };
  const has = (sortBy: "startedAt" | "dueAt" | "duration") =>
    nearStatement({ ...asked, sortBy }, sortBy, pairs, reach).values.some((value) =>
      String(value).includes(`${fresh.lane}`),
    );
  expect([has("startedAt"), has("duration"), has("dueAt")]).toEqual([false, false, true]);
});
