import { execFileSync } from "node:child_process";
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

test("bytes that end too early are told", () => {
  const { bytes } = packCounts([new Map([[500, 300]]), new Map([[3, 1]])]);
  for (let length = 1; length < bytes.length; length += 1) {
    const cut = () => eachPacked(bytes.subarray(0, length), () => undefined);
    if (length === 5) cut();
    else expect(cut).toThrow("in the midst of part");
  }
});

/**
 * In a process of its own, which can be ended: where a function inside of the reading one moved the place, the optimized code read beyond the
 * end for ever. With this flag it is made in the midst of a loop at once, not whenever another thread is done.
 */
test("what is read time and again is the same each time, in optimized code too", () => {
  const program = `
    const { eachPacked, packCounts } = await import(${JSON.stringify(new URL("./packed-counts.ts", import.meta.url).href)});
    let last = 7;
    const random = () => (last = (last * 1_103_515_245 + 12_345) % 2 ** 31) / 2 ** 31;
    const part = () => new Map(Array.from({ length: 240 }, (_, n) => [2 * n, Math.floor(random() ** 8 * 1_000)]));
    const packed = Array.from({ length: 150 }, () => packCounts(Array.from({ length: 12 }, part)).bytes);
    const sumOf = (bytes) => {
      let sum = 0;
      eachPacked(bytes, (part, pair, tasks) => { sum += (part + 1) * (pair + 1) * tasks; });
      return sum;
    };
    const first = packed.map(sumOf).join();
    for (let round = 0; round < 12; round += 1) if (packed.map(sumOf).join() !== first) throw new Error("It differs.");
    console.log("read");`;
  const flags = ["--no-concurrent-osr", "--input-type=module", "--eval", program];
  const read = execFileSync(process.execPath, flags, { timeout: 30_000, encoding: "utf8" });
  expect(read.trim()).toBe("read");
});
