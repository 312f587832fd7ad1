import { expect, test } from "vitest";
import fc from "../../../../tests/support/fast-check.ts";
import type { StoredError } from "../attempt.ts";
import { toStoredError } from "./stored-error.ts";

function sizeBytes(stored: StoredError): number {
  return Buffer.byteLength(JSON.stringify(stored));
}

test("name, message, stack, code and cause are kept", () => {
  const cause = Object.assign(new TypeError("no route"), { code: "EHOSTUNREACH" });
  const error = new Error("send failed", { cause });
  expect(toStoredError(error)).toEqual({
    name: "Error",
    message: "send failed",
    stack: error.stack,
    cause: { name: "TypeError", message: "no route", stack: cause.stack, code: "EHOSTUNREACH" },
  });
});

test("what is no Error gets words of its own", () => {
  expect(toStoredError("boom")).toEqual({ name: "Error", message: "boom" });
  expect(toStoredError(undefined).message).toBe("undefined was thrown.");
  expect(toStoredError(null).message).toBe("null was thrown.");
  expect(toStoredError(Symbol("s")).message).toBe("Symbol(s) was thrown.");
  expect(toStoredError({ status: 500 }).message).toBe(
    'Something that is no Error was thrown: an object with "status".',
  );
  expect(toStoredError({ name: "Http", message: "gone", code: 410 })).toEqual({
    name: "Http",
    message: "gone",
    code: "410",
  });
  expect(toStoredError(() => 1).name).toBe("Error");
});

test("causes are followed five deep, and not in circles", () => {
  const circle = new Error("a");
  circle.cause = new Error("b", { cause: circle });
  expect(toStoredError(circle).cause?.cause).toBeUndefined();
  let chain: unknown = "end";
  for (let depth = 0; depth < 20; depth++) chain = new Error(`level ${depth}`, { cause: chain });
  let depth = 0;
  for (let at = toStoredError(chain).cause; at; at = at.cause) depth++;
  expect(depth).toBe(5);
});

test("an AggregateError names its first members and how many more there are", () => {
  const error = new AggregateError(
    Array.from({ length: 10_000 }, (_, n) => new Error(`no. ${n}`)),
    "all failed",
  );
  const stored = toStoredError(error);
  expect(stored.message).toMatch(/^all failed\n\[0\] no\. 0\n(.*\n)+… and 9995 more$/);
  expect(stored.cause?.message).toBe("no. 0");
});

test("a message of 50 MB is cut, says so, and leaves room for the places in the stack", () => {
  const error = new Error(`${"é".repeat(25_000_000)}end`);
  const stored = toStoredError(error);
  expect(stored.message).toMatch(/… \(cut; 25000003 characters in all\)$/);
  expect(stored.stack).toContain("stored-error.test.ts");
  expect(sizeBytes(stored)).toBeLessThanOrEqual(64 * 1024);
});

test("texts are made well-formed", () => {
  const stored = toStoredError(new Error("a\ud800b\u0000c"));
  expect(stored.message).toBe("a\ufffdb\\u0000c");
});

const nasty: Record<string, () => unknown> = {
  "a proxy that throws": () =>
    new Proxy(
      {},
      new Proxy(
        {},
        {
          get: () => () => {
            throw new Error("no");
          },
        },
      ),
    ),
  "a revoked proxy": () => {
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    return proxy;
  },
  "a frozen error": () => Object.freeze(new Error("cold")),
  "getters that throw": () => ({
    get name() {
      throw new Error("no");
    },
    get message() {
      throw new Error("no");
    },
    get cause() {
      throw new Error("no");
    },
  }),
  "toString that throws": () => ({
    toString() {
      throw new Error("no");
    },
  }),
  "fields of wrong types": () => Object.assign(new Error(), { name: 1, message: {}, stack: [], code: {} }),
  "no prototype": () => Object.create(null),
  "errors that is no list": () => Object.defineProperty(new AggregateError([]), "errors", { value: 7 }),
  "a cause that is itself": () => Object.assign(new Error("me"), { cause: Symbol("x") }),
};

for (const [name, make] of Object.entries(nasty)) {
  test(`anything can be thrown: ${name}`, () => {
    const stored = toStoredError(make());
    expect(stored.name).toBeTypeOf("string");
    expect(stored.message).toBeTypeOf("string");
  });
}

test("every text at its worst stays within 64 KiB", () => {
  for (const unit of ["x", '"', "\u0001", "\u0000", "é", "漢", "😀", "\ud800", "\\"]) {
    let error: unknown;
    for (let depth = 0; depth < 8; depth++) {
      const text = unit.repeat(100_000);
      error = Object.assign(new Error(text, { cause: error }), { name: text, code: text, stack: text });
    }
    expect(sizeBytes(toStoredError(error))).toBeLessThanOrEqual(64 * 1024);
    const list = Array.from({ length: 9 }, () => error);
    expect(sizeBytes(toStoredError(new AggregateError(list, unit.repeat(9e4))))).toBeLessThanOrEqual(
      64 * 1024,
    );
  }
});

test("property: never throws, at most 64 KiB, storable texts", () => {
  const long = fc
    .tuple(fc.string({ unit: "binary", minLength: 1 }), fc.nat(20_000))
    .map(([text, times]) => text.repeat(times).slice(0, 200_000));
  const thrown = fc.letrec<{ thrown: unknown }>((tie) => ({
    thrown: fc.oneof(
      { maxDepth: 7 },
      fc.anything(),
      long,
      fc.record(
        { name: long, message: long, stack: long, code: long, cause: tie("thrown") },
        { requiredKeys: [] },
      ),
      fc.tuple(long, tie("thrown")).map(([message, cause]) => new Error(message, { cause })),
      fc
        .tuple(long, fc.array(tie("thrown"), { maxLength: 9 }))
        .map(([text, list]) => new AggregateError(list, text)),
    ),
  })).thrown;
  fc.assert(
    fc.property(thrown, (value) => {
      const stored = toStoredError(value);
      expect(sizeBytes(stored)).toBeLessThanOrEqual(64 * 1024);
      const text = JSON.stringify(stored);
      expect(text).not.toMatch(/(?<!\\)(\\\\)*\\u(0000|d[89a-f])/);
    }),
    { numRuns: 500 },
  );
});
