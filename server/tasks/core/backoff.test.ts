import { expect, test } from "vitest";
import fc from "../../../tests/support/fast-check.ts";
import { type BackoffPolicy, backoffMs, defaultBackoff, resolveBackoff } from "./backoff.ts";

const none = () => 0;

function waits(policy: BackoffPolicy, count: number): number[] {
  return Array.from({ length: count }, (_, index) => backoffMs(policy, index + 1, none));
}

test("the default doubles from 1 s to 1 h with full jitter", () => {
  expect(resolveBackoff({})).toEqual(defaultBackoff);
  expect(resolveBackoff()).toEqual(defaultBackoff);
  expect(waits({ ...defaultBackoff, jitter: "none" }, 13).slice(-3)).toEqual([
    1_024_000, 2_048_000, 3_600_000,
  ]);
});

test("factor 1 is constant, linear growth adds, exponential growth multiplies", () => {
  expect(waits(resolveBackoff({ first: "5s", factor: 1, jitter: "none" }), 3)).toEqual([5000, 5000, 5000]);
  expect(waits(resolveBackoff({ first: "5s", growth: "linear", jitter: "none" }), 3)).toEqual([
    5000, 10_000, 15_000,
  ]);
  expect(waits(resolveBackoff({ first: "1s", factor: 3, max: "5s", jitter: "none" }), 3)).toEqual([
    1000, 3000, 5000,
  ]);
});

test("a policy stored without growth is exponential", () => {
  expect(waits({ firstMs: 10, factor: 2, maxMs: 1000, jitter: "none" }, 3)).toEqual([10, 20, 40]);
});

test("a first wait longer than the default limit raises the limit", () => {
  expect(resolveBackoff({ first: "2h" }).maxMs).toBe(7_200_000);
});

test("all problems are reported together", () => {
  const option = { first: "soon", factor: 0, jitter: "some", mx: "1h", growth: "quadratic" };
  try {
    resolveBackoff(option as never);
    expect.unreachable();
  } catch (error) {
    const { code, details } = error as { code: string; details: { problems: string[] } };
    expect(code).toBe("INVALID_OPTION");
    expect(details.problems).toHaveLength(5);
    expect(details.problems.join()).toContain('Did you mean "max"');
  }
});

test("first may not be longer than max; factor is a number from 1 to 1000", () => {
  expect(() => resolveBackoff({ first: "2s", max: "1s" })).toThrow(/first \(2s\) is longer than max \(1s\)/);
  for (const factor of [0.5, 1001, Number.NaN, "2", null]) {
    expect(() => resolveBackoff({ factor: factor as number })).toThrow(/factor/);
  }
});

test("property: a whole number within (0, max] after up to 1,000 attempts, whatever the policy", () => {
  const policy = fc.record({
    firstMs: fc.integer({ min: 1, max: 3_000_000 }),
    factor: fc.double({ min: 1, max: 1000, noNaN: true }),
    maxMs: fc.integer({ min: 3_000_000, max: 1e12 }),
    jitter: fc.constantFrom("full" as const, "none" as const),
    growth: fc.constantFrom("exponential" as const, "linear" as const),
  });
  fc.assert(
    fc.property(
      policy,
      fc.integer({ min: 1, max: 1000 }),
      fc.double({ min: 0, max: 1 - 2 ** -53, noNaN: true }),
      (p, n, r) => {
        const ms = backoffMs(p, n, () => r);
        expect(Number.isSafeInteger(ms)).toBe(true);
        expect(ms > 0 && ms <= p.maxMs).toBe(true);
      },
    ),
    { numRuns: 2000 },
  );
});

test("a first wait of 0 stays 0, also after many attempts", () => {
  expect(waits(resolveBackoff({ first: 0 }), 3)).toEqual([0, 0, 0]);
  expect(backoffMs(resolveBackoff({ first: 0, factor: 1000 }), 1000, none)).toBe(0);
});

test("full jitter takes an even share", () => {
  const policy = { ...defaultBackoff, firstMs: 1000 };
  expect(backoffMs(policy, 1, () => 0)).toBe(1000);
  expect(backoffMs(policy, 1, () => 0.5)).toBe(500);
  expect(backoffMs(policy, 1, () => 0.9999)).toBe(1);
});
