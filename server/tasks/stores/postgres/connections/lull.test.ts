import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { Statement } from "../statement.ts";
import { Lull } from "./lull.ts";

beforeEach(() => void vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] }));
afterEach(() => void vi.useRealTimers());

const turn = () => new Promise<void>((resolve) => void setImmediate(resolve));
const turns = async () => {
  for (let n = 0; n < 5; n += 1) await turn();
};

/** What was sent, in order, and work that a task waits for and the test ends. */
function begin() {
  const sent: string[] = [];
  const query = async ({ name }: Statement) => {
    sent.push(name);
    return [];
  };
  const lull = new Lull({ query, read: query });
  const work = () => {
    let end!: () => void;
    const over = lull.during(() => new Promise<void>((resolve) => (end = resolve)));
    return { end, over };
  };
  const derive = (name: string) => void lull.query({ name, text: "" });
  return { sent, lull, work, derive };
}

test("derived work is sent at once where no task waits for a statement", async () => {
  const { sent, derive } = begin();
  derive("fold");
  await turns();
  expect(sent).toEqual(["fold"]);
});

test("derived work waits until nothing is under way that a task waits for, and keeps its order", async () => {
  const { sent, work, derive } = begin();
  const [first, second] = [work(), work()];
  derive("fold");
  derive("index");
  first.end();
  await turns();
  expect(sent).toEqual([]);
  second.end();
  await turns();
  expect(sent).toEqual(["fold", "index"]);
});

test("what follows at once on an answer goes first", async () => {
  const { sent, work, derive } = begin();
  const claim = work();
  derive("fold");
  claim.end();
  await claim.over;
  await turn();
  const settlement = work();
  await turns();
  expect(sent).toEqual([]);
  settlement.end();
  await turns();
  expect(sent).toEqual(["fold"]);
});

test("work that fails is no longer under way", async () => {
  const { sent, lull, derive } = begin();
  const broken = lull.during(() => Promise.reject(new Error("broken")));
  derive("fold");
  await expect(broken).rejects.toThrow("broken");
  await turns();
  expect(sent).toEqual(["fold"]);
});

test("without a lull derived work goes ahead, and does not wait for one until later", async () => {
  const { sent, lull, work, derive } = begin();
  work();
  derive("fold");
  await vi.advanceTimersByTimeAsync(10);
  expect(sent).toEqual(["fold"]);
  expect(lull.isInVain).toBe(true);
  derive("index");
  await turns();
  expect(sent).toEqual(["fold", "index"]);
  vi.advanceTimersByTime(200);
  derive("tell");
  await turns();
  expect(sent).toEqual(["fold", "index"]);
});
