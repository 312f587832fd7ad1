import { expect, test } from "vitest";
import { bucketOf, bucketsMax, DurationSum, middleOf, percentilesOf } from "./duration-counts.ts";

test("durations below 16 ms are told apart exactly", () => {
  for (let ms = 0; ms < 16; ms += 1) expect(middleOf(bucketOf(ms))).toBe(ms);
});

test("a longer duration counts as one that is at most a sixteenth off, and buckets follow each other", () => {
  let last = 0;
  for (let ms = 1; ms < 2 ** 43; ms = Math.ceil(ms * 1.003)) {
    const bucket = bucketOf(ms);
    expect(bucket - last, `${ms} ms`).toBeGreaterThanOrEqual(0);
    expect(bucket - last, `${ms} ms`).toBeLessThanOrEqual(1);
    expect(Math.abs(middleOf(bucket) - ms) / ms, `${ms} ms`).toBeLessThanOrEqual(1 / 16);
    last = bucket;
  }
});

test.each([2 ** 31 - 1, 2 ** 31, 2 ** 31 + 2 ** 28, 2 ** 32 - 1, 2 ** 40])(
  "%d ms, around the step to long ones",
  (ms) => {
    expect(Math.abs(middleOf(bucketOf(ms)) - ms) / ms).toBeLessThanOrEqual(1 / 16);
  },
);

test("what is no length of time counts as the nearest", () => {
  expect(bucketOf(-5)).toBe(0);
  expect(bucketOf(0.7)).toBe(0);
  expect(bucketOf(Number.NaN)).toBe(0);
  expect(bucketOf(Number.POSITIVE_INFINITY)).toBe(bucketsMax - 1);
});

test("percentiles of a sum are within a sixteenth of those of all the durations", () => {
  const sum = new DurationSum();
  const all: number[] = [];
  for (let part = 0; part < 20; part += 1) {
    const durations = Array.from(
      { length: 137 },
      (_, n) => ((n * 7919 + part * 104_729) % 10_007) ** 2 / 1_000,
    );
    all.push(...durations.map(Math.floor));
    const counts: Record<number, number> = {};
    for (const ms of durations) counts[bucketOf(ms)] = (counts[bucketOf(ms)] ?? 0) + 1;
    sum.add({ counts, max: Math.max(...durations.map(Math.floor)) });
  }
  all.sort((a, b) => a - b);
  const naive = (share: number) => all[Math.ceil(share * all.length) - 1]!;
  const { p50, p95, p99, max } = percentilesOf(sum)!;
  expect(max).toBe(all.at(-1));
  for (const [found, share] of [
    [p50, 0.5],
    [p95, 0.95],
    [p99, 0.99],
  ] as const) {
    expect(Math.abs(found - naive(share)) / naive(share), `${share}`).toBeLessThanOrEqual(1 / 16);
  }
});

test("no durations have no percentiles, and none is longer than the longest", () => {
  expect(percentilesOf(new DurationSum())).toBeUndefined();
  expect(percentilesOf({ counts: { [bucketOf(1_001)]: 1 }, max: 1_001 })).toEqual({
    p50: 991,
    p95: 991,
    p99: 991,
    max: 1_001,
  });
});
