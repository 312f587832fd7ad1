import { expect, test } from "vitest";
import { IdMap } from "./id-map.ts";

test("an entry is there from its set to its delete, under any id", () => {
  for (const id of ["a", "42", "__proto__", "constructor", "리포트"]) {
    const map = new IdMap<number>();
    expect(map.get(id)).toBeUndefined();
    expect(map.delete(id)).toBe(false);
    map.set(id, 1);
    map.set(id, 2);
    expect([map.get(id), map.size, map.values()]).toEqual([2, 1, [2]]);
    expect(map.delete(id)).toBe(true);
    expect([map.get(id), map.size, map.values()]).toEqual([undefined, 0, []]);
  }
});
