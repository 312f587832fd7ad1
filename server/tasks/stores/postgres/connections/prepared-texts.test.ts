import { expect, test } from "vitest";
import { onceOnly, shape, statement } from "../statement.ts";
import { PreparedTexts } from "./prepared-texts.ts";

const shapes = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, place) => shape("search", `SELECT ${from + place}`));

test("a fixed text is prepared, one that is made for a single call is not", () => {
  const texts = new PreparedTexts("dure");
  expect(texts.isWorthIt(statement("fixed", "SELECT 1"))).toBe(true);
  expect(texts.isWorthIt(onceOnly("single", "SELECT 2"))).toBe(false);
});

test("the first two hundred shapes are prepared at once, two hundred others when they come again, and no more", () => {
  const texts = new PreparedTexts("dure");
  const areWorthIt = (some: ReturnType<typeof shapes>) => [
    ...new Set(some.map((one) => texts.isWorthIt(one))),
  ];
  expect(areWorthIt(shapes(0, 200))).toEqual([true]);
  expect(areWorthIt(shapes(200, 500))).toEqual([false]);
  expect(areWorthIt(shapes(200, 400))).toEqual([true]);
  expect(areWorthIt(shapes(400, 500))).toEqual([false]);
  expect(areWorthIt(shapes(0, 400))).toEqual([true]);
});

test("what came once is forgotten behind four hundred others", () => {
  const texts = new PreparedTexts("dure");
  for (const one of shapes(0, 601)) texts.isWorthIt(one);
  expect(shapes(200, 201).map((one) => texts.isWorthIt(one))).toEqual([false]);
  expect(shapes(600, 601).map((one) => texts.isWorthIt(one))).toEqual([true]);
});

test("a shape that came again is named once, until everything gets a plan of its own", () => {
  const texts = new PreparedTexts("dure");
  const [one] = shapes(0, 1) as [ReturnType<typeof shape>];
  const first = texts.of(one);
  texts.isWorthIt(one);
  const again = texts.of({ ...one });
  expect(again).toEqual(first);
  expect(texts.of({ ...one })).toBe(again);
  texts.startOver();
  expect(texts.of({ ...one }).name).not.toBe(first.name);
});
