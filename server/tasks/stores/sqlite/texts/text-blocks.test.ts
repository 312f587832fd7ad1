import { expect, test } from "vitest";
import { newSearch } from "../../../../../tests/support/builders.ts";
import { SqliteBench } from "../../../../../tests/support/sqlite-context.ts";
import type { StoreSearch } from "../../../core/store.ts";
import { TextBlocks } from "./text-blocks.ts";

/** Each begins and ends where it likes; the fourth is missing, and the sixth reaches far back. */
const blocks = [
  [0, 100, 200],
  [1, 150, 900],
  [2, 300, 400],
  [3, 380, 500],
  [5, 450, 600],
  [6, 50, 700],
  [7, 650, 800],
  [8, 790, 990],
] as const;

test("what is still to be read begins at the foremost instant of its blocks, asked for once or often", () => {
  const bench = new SqliteBench();
  const insert = bench.connection.prepare(
    "INSERT INTO text_blocks (block, first_at, last_at) VALUES (?, ?, ?)",
  );
  for (const block of blocks) insert.run(...block);
  const ranges: StoreSearch["created"][] = [
    undefined,
    { start: 550 },
    { end: 300 },
    { start: 420, end: 460 },
    { start: 5_000 },
  ];
  for (const created of ranges) {
    const { start = 0, end = 10_000 } = created ?? {};
    const wanted = blocks.filter(([, first, last]) => last >= start && first < end);
    for (const descending of [true, false]) {
      const read = new TextBlocks(bench.connection, newSearch({ ...(created && { created }), descending }));
      expect(read.newest).toBe(9 * 1_024 - 1);
      const ends = wanted.length > 0 ? [wanted[0]![0], wanted.at(-1)![0]] : [-1, -1];
      expect(read.range).toEqual({ first: ends[0]! * 1_024, last: (ends[1]! + 1) * 1_024 - 1 });
      const order = [0, 1, 2, 3, 4, 5, 6, 7, 8];
      for (const block of descending ? order.reverse() : order) {
        const rest = wanted.filter(([other]) => (descending ? other <= block : other >= block));
        const instants = rest.map(([, first, last]) => (descending ? last : first));
        const foremost = instants.length === 0 ? undefined : (descending ? Math.max : Math.min)(...instants);
        expect({ created, descending, block, at: read.foremostFrom(block) }).toEqual({
          ...{ created, descending, block },
          at: foremost,
        });
      }
    }
  }
  bench.close();
});
