import { afterEach, expect, test, vi } from "vitest";
import { shape } from "../statement.ts";
import { planning } from "./planning.ts";
import { Rehearsal, type Rehearsed, type Stage } from "./rehearsal.ts";

const usual = [1, 2, 3].map(
  (n): Rehearsed => ({ statement: shape("page", `SELECT ${n}`), values: [], planning }),
);

/** Notes what is asked. */
function stage({
  wants = () => true,
  goesOn = () => true,
  ask = () => Promise.resolve(),
}: Partial<{
  wants(): boolean;
  goesOn(): boolean;
  ask(): Promise<void>;
}> = {}) {
  const asked: string[] = [];
  const ends: boolean[] = [];
  const open: Stage["open"] = async (work) => {
    ends.push(
      await work(async ({ statement }) => {
        asked.push(statement.text);
        await ask();
      }, goesOn),
    );
  };
  const rehearsal = new Rehearsal({ isWanted: wants, open });
  const search = async (times: number) => {
    for (let time = 0; time < times; time += 1) rehearsal.asked(() => usual);
    await rehearsal.over();
  };
  return { asked, ends, search };
}

const all = usual.map(({ statement }) => statement.text);

test("the usual texts are asked once there were ten searches, each once", async () => {
  const { asked, ends, search } = stage();
  await search(9);
  expect(asked).toEqual([]);
  await search(1);
  expect(asked).toEqual(all);
  expect(ends).toEqual([true]);
});

afterEach(() => {
  vi.useRealTimers();
});

test("searches that come seldom do not count together", async () => {
  vi.useFakeTimers({ toFake: ["performance"] });
  const { asked, search } = stage();
  await search(9);
  vi.advanceTimersByTime(60_001);
  await search(9);
  expect(asked).toEqual([]);
  vi.useRealTimers();
});

test("while it is not wanted no search counts", async () => {
  let isWanted = false;
  const { asked, search } = stage({ wants: () => isWanted });
  await search(50);
  isWanted = true;
  await search(9);
  expect(asked).toEqual([]);
});

test("it is given up where others may need the connection, and begun again ten searches later", async () => {
  let left = 2;
  const { asked, ends, search } = stage({ goesOn: () => left-- > 0 });
  await search(10);
  expect([asked, ends]).toEqual([all.slice(0, 2), [false]]);
  left = 10;
  await search(10);
  expect([asked, ends]).toEqual([
    [...all.slice(0, 2), ...all],
    [false, true],
  ]);
});

test("what goes wrong in it nobody is told", async () => {
  const { asked, search } = stage({ ask: () => Promise.reject(new Error("The connection was lost.")) });
  await search(10);
  expect(asked).toHaveLength(1);
});
