import { expect, test } from "vitest";
import fc from "../../../../tests/support/fast-check.ts";
import { showValue } from "./show.ts";

test("values are shown in a few words", () => {
  expect(showValue("a\nb")).toBe('"a\\nb"');
  expect(showValue("x".repeat(100), 5)).toBe('"xxxxx"… (100 characters)');
  expect([1, -0, 5n, true, null, undefined, Symbol("s")].map((value) => showValue(value))).toEqual([
    "1",
    "-0",
    "5n",
    "true",
    "null",
    "undefined",
    "Symbol(s)",
  ]);
  expect(showValue(() => 1)).toBe("a function");
  expect(showValue([1, 2])).toBe("an array of 2");
  expect(showValue({ a: 1, b: 2 })).toBe('an object with "a", "b"');
  expect(showValue(Object.create(null))).toBe("an empty object");
  expect(showValue(new Map())).toBe("an instance of Map");
  expect(showValue(new Date(Number.NaN))).toBe("an invalid Date");
});

test("anything is shown, and shortly", () => {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  expect(showValue(proxy)).toBe("a value that cannot be read");
  expect(showValue(1n << 10_000_000n)).toBe("a very large bigint");
  fc.assert(
    fc.property(fc.anything(), (value) => {
      expect(showValue(value).length).toBeLessThan(600);
    }),
  );
});
