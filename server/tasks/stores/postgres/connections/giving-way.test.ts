import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Drain } from "./drain.ts";
import { GivingWay } from "./giving-way.ts";

beforeEach(() => void vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] }));
afterEach(() => void vi.useRealTimers());

/** Reads that take so many milliseconds each and may fail, and which of them are under way. */
function begin(tookMs: number) {
  const underWay = new Set<string>();
  const read = async ({ name }: { name: string }) => {
    underWay.add(name);
    await new Promise((resolve) => setTimeout(resolve, tookMs));
    underWay.delete(name);
    if (name === "broken") throw new Error("broken");
    return [];
  };
  const searching = new GivingWay({ read, drain: new Drain() } as never);
  let isDrained = false;
  /** Until it is drained, 2,000 tasks end each second. */
  const drain = () => {
    if (isDrained) return;
    searching.settling(100);
    setTimeout(drain, 50);
  };
  const drained = () => {
    isDrained = true;
  };
  const ask = (...names: string[]) => {
    for (const name of names) searching.read({ name, text: "" }).catch(() => undefined);
  };
  const after = async (ms: number) => {
    await vi.advanceTimersByTimeAsync(ms);
    return [...underWay];
  };
  const beginDrain = async () => {
    drain();
    await after(50);
  };
  return { searching, ask, after, beginDrain, drained };
}

test("reads of searches are sent at once where few tasks end", async () => {
  const { searching, ask, after } = begin(20);
  searching.settling(100);
  await after(101);
  searching.settling(199);
  ask("first", "second", "third");
  expect(await after(0)).toEqual(["first", "second", "third"]);
});

test("in a drain they take turns, and rest after each for as long as it took", async () => {
  const { ask, after, beginDrain } = begin(20);
  await beginDrain();
  ask("first", "second", "third");
  expect(await after(19)).toEqual(["first"]);
  expect(await after(20)).toEqual([]);
  expect(await after(1)).toEqual(["second"]);
  expect(await after(39)).toEqual([]);
  expect(await after(1)).toEqual(["third"]);
});

test("where nobody waited meanwhile the next one is sent after the rest, too", async () => {
  const { ask, after, beginDrain } = begin(20);
  await beginDrain();
  ask("first");
  await after(30);
  ask("second");
  expect(await after(9)).toEqual([]);
  expect(await after(1)).toEqual(["second"]);
});

test("those that wait are sent together when the drain is over", async () => {
  const { ask, after, beginDrain, drained } = begin(200);
  await beginDrain();
  ask("first", "second", "third");
  drained();
  expect(await after(299)).toEqual([]);
  expect(await after(1)).toEqual(["second", "third"]);
});

test("one that has waited for half a second is sent whatever happens, and takes nobody's turn", async () => {
  const { ask, after, beginDrain } = begin(2_000);
  await beginDrain();
  ask("endless", "second", "third");
  expect(await after(499)).toEqual(["endless"]);
  expect(await after(1)).toEqual(["endless", "second", "third"]);
  ask("fourth");
  expect(await after(0)).toEqual(["endless", "second", "third"]);
});

test("a read that fails gives its turn away", async () => {
  const { ask, after, beginDrain } = begin(20);
  await beginDrain();
  ask("broken", "second");
  expect(await after(40)).toEqual(["second"]);
});
