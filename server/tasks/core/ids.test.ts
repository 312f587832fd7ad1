import { randomBytes } from "node:crypto";
import { expect, test } from "vitest";
import { createIds, ulidTime } from "./ids.ts";

const canonical = /^[0-7][0-9A-HJKMNP-TV-Z]{25}$/;

test("a million ids of one millisecond are canonical, unique and growing", () => {
  const ids = createIds(() => 1_700_000_000_000, randomBytes);
  let last = "";
  let wrong = 0;
  for (let n = 0; n < 1_000_000; n++) {
    const id = ids.taskId();
    if (id <= last || !canonical.test(id)) wrong++;
    last = id;
  }
  expect(wrong).toBe(0);
});

test("ids grow when the clock goes back", () => {
  let now = 1_700_000_000_000;
  const ids = createIds(() => now, randomBytes);
  let last = ids.taskId();
  for (const step of [-1, -3_600_000, 1, 5, -1e12, 0, 3_700_000]) {
    now += step;
    const id = ids.taskId();
    expect(id > last).toBe(true);
    last = id;
  }
});

test("eight generators in one millisecond make no id twice", () => {
  const generators = Array.from({ length: 8 }, () => createIds(() => 5, randomBytes));
  const all = new Set(generators.flatMap((ids) => Array.from({ length: 20_000 }, () => ids.taskId())));
  expect(all.size).toBe(160_000);
});

test("an id tells when it was made", () => {
  for (const ms of [0, 1, 1_700_000_000_123, 2 ** 48 - 1]) {
    const id = createIds(() => ms, randomBytes).taskId();
    expect(id).toMatch(canonical);
    expect(ulidTime(id)).toBe(ms);
  }
  expect(ulidTime("01ARZ3NDEKTSV4RRFFQ69G5FAV")).toBe(1_469_922_850_259);
});

test("what is no canonical ULID tells nothing", () => {
  for (const id of [
    "",
    "report-1",
    "01arz3ndektsv4rrffq69g5fav",
    "81ARZ3NDEKTSV4RRFFQ69G5FAV",
    "01ARZ3NDEKTSV4RRFFQ69G5FAI",
    "01ARZ3NDEKTSV4RRFFQ69G5FAV\n",
  ]) {
    expect(ulidTime(id)).toBeUndefined();
  }
});

test("chance that runs out carries over, at last into the next millisecond", () => {
  const full = createIds(
    () => 7,
    (n) => new Uint8Array(n).fill(255),
  );
  const first = full.taskId();
  expect(first.slice(10)).toBe("ZZZZZZZZZZZZZZZZ");
  const second = full.taskId();
  expect(ulidTime(second)).toBe(8);
  expect(second > first).toBe(true);

  // High and low start at 0 and 2^40 - 1; the first step is 1.
  const words = [0, 0, 2 ** 32 - 1, 255, 0, 0];
  const bytes = words.flatMap((word) => [word >>> 24, (word >>> 16) & 255, (word >>> 8) & 255, word & 255]);
  const carrying = createIds(
    () => 7,
    (n) => Uint8Array.from({ length: n }, (_, index) => bytes[index] ?? 0),
  );
  expect(carrying.taskId().slice(10)).toBe("00000000ZZZZZZZZ");
  expect(carrying.taskId().slice(10)).toBe("0000000100000000");
  expect(carrying.taskId().slice(10)).toBe("0000000100000001");
});

test("a clock out of range is held to it", () => {
  for (const ms of [-5, Number.NEGATIVE_INFINITY])
    expect(ulidTime(createIds(() => ms, randomBytes).taskId())).toBe(0);
  expect(ulidTime(createIds(() => 2 ** 60, randomBytes).taskId())).toBe(2 ** 48 - 1);
});

test("an incarnation is 32 hexadecimal digits", () => {
  const ids = createIds(() => 0, randomBytes);
  expect(ids.incarnation()).toMatch(/^[0-9a-f]{32}$/);
  expect(ids.incarnation()).not.toBe(ids.incarnation());
});
