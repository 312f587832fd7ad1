import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { GivingWay } from "./giving-way.ts";

beforeEach(() => void vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] }));
afterEach(() => void vi.useRealTimers());

/** Reads that take so many milliseconds each, and which of them are under way. */
function begin(tookMs: number) {
  const lull = { isLacking: true };
  const underWay = new Set<string>();
  const read = async ({ name }: { name: string }) => {
    underWay.add(name);
    await new Promise((resolve) => setTimeout(resolve, tookMs));
    underWay.delete(name);
    return [];
  };
  const searching = new GivingWay({ read } as never, lull as never);
  const ask = (...names: string[]) => {
    for (const name of names) void searching.read({ name, text: "" });
  };
  const after = async (ms: number) => {
    await vi.advanceTimersByTimeAsync(ms);
    return [...underWay];
  };
  return { lull, ask, after };
}

test("reads of searches are sent at once where there are lulls", async () => {
  const { lull, ask, after } = begin(20);
  lull.isLacking = false;
  ask("first", "second", "third");
  expect(await after(0)).toEqual(["first", "second", "third"]);
});

test("without lulls they take turns, and rest after each for as long as it took", async () => {
  const { ask, after } = begin(20);
  ask("first", "second", "third");
  expect(await after(19)).toEqual(["first"]);
  expect(await after(20)).toEqual([]);
  expect(await after(1)).toEqual(["second"]);
  expect(await after(39)).toEqual([]);
  expect(await after(1)).toEqual(["third"]);
});

test("where nobody waited meanwhile the next one is sent after the rest, too", async () => {
  const { ask, after } = begin(20);
  ask("first");
  await after(30);
  ask("second");
  expect(await after(9)).toEqual([]);
  expect(await after(1)).toEqual(["second"]);
});

test("those that wait are sent together when there are lulls again", async () => {
  const { lull, ask, after } = begin(20);
  ask("first", "second", "third");
  await after(39);
  lull.isLacking = false;
  expect(await after(1)).toEqual(["second", "third"]);
});

test("one that has waited for half a second is sent whatever happens, and takes nobody's turn", async () => {
  const { ask, after } = begin(2_000);
  ask("endless", "second", "third");
  expect(await after(499)).toEqual(["endless"]);
  expect(await after(1)).toEqual(["endless", "second", "third"]);
  ask("fourth");
  expect(await after(0)).toEqual(["endless", "second", "third"]);
});

test("a read that fails gives its turn away", async () => {
  const lull = { isLacking: true };
  const asked: string[] = [];
  const read = async ({ name }: { name: string }) => {
    asked.push(name);
    throw new Error("broken");
  };
  const searching = new GivingWay({ read } as never, lull as never);
  const all = ["first", "second"].map((name) => searching.read({ name, text: "" }).catch(String));
  await vi.advanceTimersByTimeAsync(0);
  expect(await Promise.all(all)).toEqual(["Error: broken", "Error: broken"]);
  expect(asked).toEqual(["first", "second"]);
});
