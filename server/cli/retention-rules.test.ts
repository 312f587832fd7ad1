import { expect, test } from "vitest";
import type { Context } from "./context.ts";
import { parseRetention, refuseUnknownTypes } from "./retention-rules.ts";
import { parseSize } from "./sizes.ts";
import { Working } from "./working.ts";

const dayMs = 86_400_000;

test("rules by status, type and all, with limits in any order", () => {
  expect(parseRetention([])).toEqual({});
  expect(parseRetention(["failed=90d"])).toEqual({ failed: { age: 90 * dayMs } });
  expect(parseRetention(["Failed=2GB, 30d ,1000", "completed=forever"])).toEqual({
    failed: { age: 30 * dayMs, count: 1_000, sizeBytes: 2e9 },
    completed: { age: false },
  });
  const two = { count: 2 };
  expect(parseRetention(["failed=5", "all=2"])).toEqual({
    completed: two,
    failed: { count: 5 },
    cancelled: two,
  });
  expect(
    parseRetention(["report-*:all=0", "a:b:failed=1", "a:b:cancelled=1MiB", "__proto__:failed=1"]),
  ).toEqual({
    types: Object.fromEntries([
      ["report-*", { completed: { count: 0 }, failed: { count: 0 }, cancelled: { count: 0 } }],
      ["a:b", { failed: { count: 1 }, cancelled: { sizeBytes: 2 ** 20 } }],
      ["__proto__", { failed: { count: 1 } }],
    ]),
  });
});

test.each([
  ["failed", "must be [type:]status=limits"],
  ["=30d", "must be [type:]status=limits"],
  ["faild=30d", 'Did you mean "failed"?'],
  ["report-*=30d", "must be one of all, completed, failed, cancelled"],
  ["failed=30", undefined],
  ["failed=30days", '"30days" is no limit'],
  ["failed=forevr", 'Did you mean "forever"?'],
  ["failed=30d,", '"" is no limit'],
  ["failed=30d,forever", "two durations"],
  ["failed=1,2", "two numbers of tasks"],
  ["failed=1kB,2MB", "two sizes"],
  ["failed=99999999999", "up to a thousand million"],
])("%s", (rule, words) => {
  if (words === undefined) expect(parseRetention([rule])).toEqual({ failed: { count: 30 } });
  else expect(() => parseRetention([rule])).toThrow(words);
});

test("a rule for a type that is not there is refused with the nearest", () => {
  const known = new Set(["report-day", "send-receipt"]);
  const check = (rule: string) => refuseUnknownTypes(parseRetention([rule]), known);
  check("report-*:all=1");
  check("*:all=1");
  check("send-receipt:failed=1");
  check("failed=1");
  expect(() => check("send-reciept:failed=1")).toThrow('Did you mean "send-receipt"?');
  expect(() => check("reprot-*:failed=1")).toThrow("no task of such a type");
});

test("sizes by thousands and by 1,024", () => {
  const sizes = {
    "0B": 0,
    "1.5 kB": 1_500,
    "500mb": 5e8,
    "2GB": 2e9,
    "1TB": 1e12,
    "3KiB": 3_072,
    "2gib": 2 ** 31,
  };
  for (const [text, bytes] of Object.entries(sizes)) expect(parseSize(text, "--max-size")).toBe(bytes);
  for (const text of ["", "GB", "2", "-1GB", "2 Gigs", "1e3MB", "9999999TB"])
    expect(() => parseSize(text, "--max-size"), text).toThrow("which is no size");
  expect(() => parseSize("2G", "--max-size")).toThrow("such as 2MB");
});

test("a worker is given its rules and its archive", () => {
  const opened: unknown[] = [];
  const context = { openOrCreate: (options: unknown) => opened.push(options) } as unknown as Context;
  new Working(context, { retention: ["failed=1", "mail:all=2GB"], archiveTo: "old" });
  new Working(context, {});
  const size = { sizeBytes: 2e9 };
  expect(opened).toMatchObject([
    {
      retention: {
        failed: { count: 1 },
        types: { mail: { completed: size, failed: size, cancelled: size } },
        archiveTo: "old",
      },
    },
    { retention: {} },
  ]);
});
