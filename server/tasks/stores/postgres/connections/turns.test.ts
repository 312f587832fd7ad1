import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { Turns } from "./turns.ts";

const late = () => new Error("late");

test("at most so many at once, in the order they came, and all of them in the end", async () => {
  const turns = new Turns(2);
  const started: number[] = [];
  let running = 0;
  await Promise.all(
    [0, 1, 2, 3, 4].map((place) =>
      turns.while(
        async () => {
          started.push(place);
          running += 1;
          expect(running).toBeLessThanOrEqual(2);
          await sleep(2);
          running -= 1;
        },
        1_000,
        late,
      ),
    ),
  );
  expect(started).toEqual([0, 1, 2, 3, 4]);
});

test("an error gives the turn back", async () => {
  const turns = new Turns(1);
  const broken = () => Promise.reject(new Error("broken"));
  await expect(turns.while(broken, 1_000, late)).rejects.toThrow("broken");
  expect(await turns.while(async () => "done", 1_000, late)).toBe("done");
});

test("who waits too long is told so, and the turn goes to the next", async () => {
  const turns = new Turns(1);
  const first = turns.while(() => sleep(30), 1_000, late);
  await expect(turns.while(async () => "never", 5, late)).rejects.toThrow("late");
  expect(await turns.while(async () => "next", 1_000, late)).toBe("next");
  await first;
});
