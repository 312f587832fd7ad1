import { expect, test } from "vitest";
import { type Condition, foldText } from "../../../core/filters/condition.ts";
import { foldless, type MayMeet, mayMeetOf } from "./may-meet.ts";

const error = (text: string): Condition => ({ kind: "contains", field: { of: "task", name: "error" }, text });
const from = { value: 5, isIncluded: true };
const attempts: Condition = { kind: "range", field: { of: "task", name: "attempts" }, from };

test("a condition tells what the error of all that meet it contains, else what else their rows have", () => {
  const bounds: MayMeet = { of: "task", name: "attempts", from: 5, to: Number.MAX_SAFE_INTEGER };
  const expected: [Condition, MayMeet | undefined][] = [
    [error("timeout of 3 s"), { of: "error", text: "timeout of 3 s" }],
    [
      { kind: "and", parts: [attempts, error("größe")] },
      { of: "error", text: "größe" },
    ],
    [{ kind: "and", parts: [attempts, error("a\0b")] }, bounds],
    [error("a\0b"), undefined],
    [{ kind: "not", part: error("a") }, undefined],
    [{ kind: "or", parts: [error("a"), attempts] }, undefined],
    [{ kind: "contains", field: { of: "task", name: "description" }, text: "a" }, undefined],
  ];
  for (const [where, filter] of expected)
    expect({ where, filter: mayMeetOf(where) }).toEqual({ where, filter });
});

test("characters that are said to be what they are when they are folded are, and none of them changes what stands before it", () => {
  const is = new RegExp(`^[${foldless}]$`, "u");
  let count = 0;
  for (let code = 1; code <= 0xffff; code += 1) {
    const character = String.fromCharCode(code);
    if (!is.test(character)) continue;
    count += 1;
    for (const before of ["", "a", "가", "か", "ア"])
      if (foldText(before + character) !== before + character) expect.fail(`${before}${character}`);
  }
  expect(count).toBeGreaterThan(30_000);
});
