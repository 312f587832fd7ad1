import { expect, test } from "vitest";
import { knownMax, knownMs, TrigramShares } from "./trigram-shares.ts";

test("a share is looked for once a minute", () => {
  let now = 0;
  let looks = 0;
  const shares = new TrigramShares(() => now);
  const look = () => {
    looks += 1;
    return looks / 10;
  };
  expect(shares.of("etc", look)).toBe(0.1);
  now = knownMs - 1;
  expect(shares.of("etc", look)).toBe(0.1);
  expect(shares.of("abc", look)).toBe(0.2);
  now = knownMs;
  expect(shares.of("etc", look)).toBe(0.3);
  expect(looks).toBe(3);
});

test("of many trigrams those looked at longest ago are forgotten", () => {
  const shares = new TrigramShares(() => 0);
  let looks = 0;
  const look = () => {
    looks += 1;
    return 0;
  };
  for (let n = 0; n <= knownMax; n += 1) shares.of(`${n}`, look);
  shares.of("1", look);
  shares.of(`${knownMax}`, look);
  expect(looks).toBe(knownMax + 1);
  shares.of("0", look);
  expect(looks).toBe(knownMax + 2);
});
