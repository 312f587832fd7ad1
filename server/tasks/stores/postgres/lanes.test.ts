import { afterEach, expect, test, vi } from "vitest";
import { Lanes } from "./lanes.ts";
import type { Statement } from "./statement.ts";

afterEach(() => vi.restoreAllMocks());

function lanesOf(rows: unknown[][]): { lanes: Lanes; asked: string[]; answer: () => Promise<void> } {
  const asked: string[] = [];
  const waiting: (() => void)[] = [];
  const query = async ({ name }: Statement) => {
    asked.push(name);
    await new Promise<void>((resolve) => waiting.push(resolve));
    return rows;
  };
  const answer = async () => {
    for (const resolve of waiting.splice(0)) resolve();
    await new Promise(setImmediate);
  };
  return { lanes: new Lanes({ query }), asked, answer };
}

test("who cannot wait gets the description that is known, and has it read anew behind", async () => {
  const rows = [[1, "resize-image", "default", false, "before"]];
  const { lanes, asked, answer } = lanesOf(rows);
  const first = lanes.namedAtOnce([1]);
  await answer();
  expect((await first).get(1)?.description).toBe("before");
  rows[0]![4] = "after";
  vi.spyOn(performance, "now").mockReturnValue(performance.now() + 31_000);
  expect((await lanes.namedAtOnce([1])).get(1)?.description).toBe("before");
  await lanes.namedAtOnce([1]);
  expect(asked).toHaveLength(2);
  await answer();
  expect((await lanes.namedAtOnce([1])).get(1)?.description).toBe("after");
  expect(asked).toHaveLength(2);
});

test("lanes that are not known, or may be another server's, are waited for", async () => {
  const { lanes, asked, answer } = lanesOf([[1, "resize-image", "default", false, null]]);
  for (const forget of [() => undefined, () => lanes.forget()]) {
    forget();
    const found = lanes.namedAtOnce([1]);
    await answer();
    expect((await found).get(1)?.type).toBe("resize-image");
  }
  expect(asked).toHaveLength(2);
});
