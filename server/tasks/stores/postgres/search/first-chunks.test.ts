import { expect, test } from "vitest";
import type { Chunk } from "./chunks.ts";
import { FirstChunks } from "./first-chunks.ts";

async function* chunks(count: number): AsyncGenerator<Chunk> {
  for (let n = 0; n < count; n += 1) yield { met: [], seen: 200, last: { value: n, id: "" } };
}

/** Takes as many as are wanted. */
async function taken(first: FirstChunks, wanted: number): Promise<number> {
  let count = 0;
  for await (const _chunk of first.chunks()) {
    count += 1;
    if (count === wanted) break;
  }
  return count;
}

test.each([
  ["all that there are", 3, 9, 3, false],
  ["as many as are wanted, the last that may be looked at too", 9, 5, 5, false],
  ["no more than may be looked at", 9, 6, 5, true],
])("chunks: %s", async (_which, there, wanted, count, areShort) => {
  const first = new FirstChunks(chunks(there), 1_000);
  expect(await taken(first, wanted)).toBe(count);
  expect(first.areShort).toBe(areShort);
});
