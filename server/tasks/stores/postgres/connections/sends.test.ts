import { setImmediate as nextTurn } from "node:timers/promises";
import { expect, test } from "vitest";
import { Sends } from "./sends.ts";

/** In which turns of the event loop they send that ask in the same one. */
async function sentIn(sends: Sends, count: number): Promise<[place: number, turn: number][]> {
  const sent: [number, number][] = [];
  let turn = 0;
  const counting = (async () => {
    while (turn < count + 2) {
      await nextTurn();
      turn += 1;
    }
  })();
  for (let place = 0; place < count; place += 1) void sends.turn().then(() => sent.push([place, turn]));
  await counting;
  return sent;
}

test("in a drain what is sent in one turn leaves in turns of its own, in the order it came", async () => {
  const sent = await sentIn(new Sends({ isOn: true }), 4);
  expect(sent.map(([place]) => place)).toEqual([0, 1, 2, 3]);
  const turns = sent.map(([, turn]) => turn);
  expect(new Set(turns).size).toBe(4);
  expect(turns[0]).toBe(0);
});

test("who sends alone waits for no turn, time and again", async () => {
  const sends = new Sends({ isOn: true });
  for (let round = 0; round < 3; round += 1) expect(await sentIn(sends, 1)).toEqual([[0, 0]]);
});

test("at other times nobody waits", async () => {
  const sent = await sentIn(new Sends({ isOn: false }), 3);
  expect(sent.map(([, turn]) => turn)).toEqual([0, 0, 0]);
});
