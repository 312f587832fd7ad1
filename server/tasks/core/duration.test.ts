import { expect, test } from "vitest";
import fc from "../../../tests/support/fast-check.ts";
import { durationMaxMs, formatDuration, parseDuration } from "./duration.ts";

test("units, compounds and decimals are read", () => {
  const readings = {
    "500ms": 500,
    "30s": 30_000,
    "5m": 300_000,
    "2h": 7_200_000,
    "7d": 604_800_000,
    "2w": 1_209_600_000,
    "1h30m": 5_400_000,
    "1h 30m": 5_400_000,
    "1.5h": 5_400_000,
    "0s": 0,
    "1d2h3m4s5ms": 93_784_005,
    "0.1ms": 0,
  };
  for (const [text, ms] of Object.entries(readings)) expect(parseDuration(text, "delay"), text).toBe(ms);
});

test("numbers are milliseconds, rounded", () => {
  expect(parseDuration(1500, "delay")).toBe(1500);
  expect(parseDuration(1.6, "delay")).toBe(2);
  expect(parseDuration(0, "delay")).toBe(0);
});

const bad = [
  "",
  " ",
  "5",
  "s",
  "5 s",
  "5M",
  "5S",
  "-5s",
  "+5s",
  "1e3s",
  ".5s",
  "5.s",
  "5m1h",
  "1h1h",
  "1h30",
  "5 minutes",
  "1s\n",
  "1ms2ms",
  "1y",
  "٣s",
  "1s".repeat(100),
  -1,
  Number.NaN,
  Number.POSITIVE_INFINITY,
  null,
  undefined,
  5n,
  {},
  [],
  [5],
  new Date(),
  () => 1,
  Symbol("x"),
];

test("everything else is refused, naming the option and the value", () => {
  for (const value of bad) {
    expect(() => parseDuration(value, "delay"), String(value)).toThrow(
      expect.objectContaining({
        code: "INVALID_OPTION",
        message: expect.stringMatching(/^delay is .*'30s'/s),
      }),
    );
  }
});

test("the range is kept, both ends included; 100 years unless set", () => {
  expect(parseDuration("1s", "delay", { minMs: 1000, maxMs: 1000 })).toBe(1000);
  expect(() => parseDuration("999ms", "delay", { minMs: 1000 })).toThrow(
    /delay is "999ms"; it must be 1s to/,
  );
  expect(() => parseDuration("2s", "delay", { maxMs: 1000 })).toThrow(/0ms to 1s/);
  expect(parseDuration(durationMaxMs, "delay")).toBe(durationMaxMs);
  expect(() => parseDuration("36526d", "delay")).toThrow(/36525d/);
});

test("durations are shown in at most two units", () => {
  const shown: [number, string][] = [
    [0, "0ms"],
    [250, "250ms"],
    [999.9, "999ms"],
    [1000, "1s"],
    [1234, "1.2s"],
    [59_999, "59.9s"],
    [60_000, "1m"],
    [185_000, "3m 5s"],
    [3_599_999, "59m 59s"],
    [7_500_000, "2h 5m"],
    [187_200_000, "2d 4h"],
    [-1500, "-1.5s"],
    [Number.NaN, "NaN"],
  ];
  for (const [ms, text] of shown) expect(formatDuration(ms)).toBe(text);
});

test("property: any text is read as a whole number or refused, and what is shown can be read back", () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.stringMatching(/^[0-9.hmsdw ]{1,12}$/)), (text) => {
      try {
        expect(Number.isSafeInteger(parseDuration(text, "delay"))).toBe(true);
      } catch (error) {
        expect((error as { code: string }).code).toBe("INVALID_OPTION");
      }
    }),
  );
  fc.assert(
    fc.property(fc.nat(2 ** 31 - 1), (ms) => {
      const back = parseDuration(formatDuration(ms), "delay");
      expect(back <= ms && ms - back < 3_600_000).toBe(true);
    }),
  );
});
