import { expect, test } from "vitest";
import { seeded } from "../../../../../tests/support/seeded.ts";
import { eachPacked, packCounts } from "./packed-counts.ts";

test("what was packed is read again, whole or in parts", () => {
  const random = seeded(4);
  const largest = [0, 1, 127, 128, 16_383, 16_384, 2 ** 31, 2 ** 45];
  for (let round = 0; round < 50; round += 1) {
    const parts = Array.from({ length: 1 + Math.floor(random() * 60) }, () => {
      const pairs = Array.from({ length: Math.floor(random() * 200) }, () =>
        Math.floor(random() ** 4 * 2 ** 34),
      );
      return new Map(pairs.map((pair) => [pair, largest[Math.floor(random() * largest.length)]!]));
    });
    const { bytes, places } = packCounts(parts);
    expect(places).toHaveLength(parts.length + 1);
    const from = Math.floor(random() * parts.length);
    const to = from + 1 + Math.floor(random() * (parts.length - from));
    const found: [number, number, number][] = [];
    eachPacked(bytes.subarray(places[from]! - 1, places[to]! - 1), (...count) => found.push(count));
    const wanted = parts.slice(from, to).flatMap((part, place) =>
      [...part]
        .filter(([, tasks]) => tasks > 0)
        .sort(([a], [b]) => a - b)
        .map(([pair, tasks]) => [place, pair, tasks]),
    );
    expect(found).toEqual(wanted);
  }
});
