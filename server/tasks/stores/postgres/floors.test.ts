import { expect, test } from "vitest";
import { Floors } from "./floors.ts";

const at = 1_000_000;

test("a claim looks at everything as long as that is quick", () => {
  const floors = new Floors();
  floors.claimed(1, 0, at - 60_000, 7, at);
  floors.saw(0, true, 0.3);
  expect(floors.at(1)).toEqual([]);
});

test("after a slow one the next begin where it ended, and one in a while looks at everything again", () => {
  const floors = new Floors();
  floors.claimed(1, 0, at - 60_000, 7, at);
  floors.saw(0, true, 10);
  expect(floors.at(199)).toEqual([{ lane: 1, priority: 0, dueAt: at - 60_000, seq: 7 }]);
  expect(floors.at(200)).toEqual([]);
});

test("looking at everything takes a twentieth of the time at most", () => {
  const floors = new Floors();
  floors.claimed(1, 0, at - 60_000, 7, at);
  floors.saw(0, true, 400);
  expect(floors.at(7_999)).toHaveLength(1);
  expect(floors.at(8_000)).toHaveLength(0);
});

test("one claim at a time looks at everything, also where it fails to tell what it saw", () => {
  const floors = new Floors();
  floors.claimed(1, 0, at - 60_000, 7, at);
  floors.saw(0, true, 10);
  expect(floors.at(200)).toHaveLength(0);
  expect(floors.at(201)).toHaveLength(1);
  expect(floors.at(10_200)).toHaveLength(0);
});

test("a claim with floors says nothing of what is before them", () => {
  const floors = new Floors();
  floors.claimed(1, 0, at - 60_000, 7, at);
  floors.saw(0, true, 10);
  floors.saw(1, false, 0.1);
  expect(floors.at(2)).toHaveLength(1);
});

test("a floor only rises, by due time and then by place, and stays two seconds behind", () => {
  const floors = new Floors();
  floors.saw(0, true, 10);
  const floor = () => floors.at(1)[0];
  floors.claimed(1, 5, at - 9_000, 7, at);
  floors.claimed(1, 5, at - 9_000, 6, at);
  expect(floor()).toMatchObject({ dueAt: at - 9_000, seq: 7 });
  floors.claimed(1, 5, at - 9_000, 8, at);
  expect(floor()).toMatchObject({ seq: 8 });
  floors.claimed(1, 5, at - 10, 9, at);
  expect(floor()).toMatchObject({ dueAt: at - 2_000, seq: 0 });
});
