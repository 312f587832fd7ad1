import { expect, test } from "vitest";
import fc from "../../../../tests/support/fast-check.ts";
import { DureError } from "../errors.ts";
import { decodeValue, type EncodedValue, encodedDocument, encodeValue } from "./value.ts";

function roundTrip(value: unknown): unknown {
  return decodeValue(encodeValue(value, "payload"));
}

function refusal(value: unknown, sizeMaxBytes?: number): DureError {
  try {
    encodeValue(value, "payload", sizeMaxBytes);
  } catch (error) {
    expect(error).toBeInstanceOf(DureError);
    return error as DureError;
  }
  throw new Error("The value was taken.");
}

function nested(depth: number): unknown {
  let value: unknown = 1;
  for (let level = 0; level < depth; level++) value = level % 2 === 0 ? [value] : { child: value };
  return value;
}

test("plain JSON is stored as it is, without types", () => {
  const payload = { url: "https://example.org/a.png", widthPx: 640, tags: ["a", null, true, { deep: 1.5 }] };
  expect(encodeValue(payload, "payload")).toEqual({ json: JSON.stringify(payload) });
  for (const value of ["text", "", 1, 0, false, null, [], {}]) {
    expect(encodeValue(value, "result")).toEqual({ json: JSON.stringify(value) });
  }
});

test("objects without prototype count as plain", () => {
  const value = Object.assign(Object.create(null), { a: { b: 1 } });
  expect(encodeValue(value, "payload")).toEqual({ json: '{"a":{"b":1}}' });
  expect(roundTrip(Object.assign(Object.create(null), { at: new Date(5) }))).toEqual({ at: new Date(5) });
});

const kept: Record<string, unknown> = {
  undefined: undefined,
  "undefined inside": { a: undefined, b: [undefined, 1] },
  Date: new Date(1_700_000_000_123),
  "a Date far away": new Date(8.64e15),
  bigint: -(2n ** 200n),
  Map: new Map<unknown, unknown>([
    ["a", new Date(1)],
    [{ key: 1 }, new Set([1n, "x"])],
    [undefined, new Map([[1, 2]])],
  ]),
  Set: new Set<unknown>([1, "1", new Date(3), { a: new Date(4) }, [undefined]]),
  URL: new URL("https://example.org/a?b=c#d"),
  RegExp: /a\/b[\]/]"\n/giu,
  NaN: Number.NaN,
  Infinity: [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY],
  "-0": { zero: -0 },
  Uint8Array: new Uint8Array([0, 1, 255]),
  Int32Array: new Int32Array([-(2 ** 31), 7]),
  Float32Array: new Float32Array([0.1, Number.NaN, Number.NEGATIVE_INFINITY, -0]),
  Float64Array: new Float64Array([Number.MIN_VALUE, Number.NaN, -0]),
  BigInt64Array: new BigInt64Array([-(2n ** 63n), 1n]),
  BigUint64Array: new BigUint64Array([2n ** 64n - 1n]),
  "odd keys": { "": new Date(1), "a.b": { "c\\d": new Date(2) }, "0": [{ "x y": 1n }] },
};

for (const [name, value] of Object.entries(kept)) {
  test(`${name} comes back as it was`, () => {
    const encoded = encodeValue(value, "payload");
    expect(encoded.types).toBeTypeOf("string");
    expect(decodeValue(encoded)).toStrictEqual(value);
  });
}

test("-0, NaN and ±Infinity keep their identity", () => {
  const values = [-0, Number.NaN, Number.POSITIVE_INFINITY];
  for (const value of values) expect(Object.is(roundTrip(value), value)).toBe(true);
});

test("-0 is a number in the stored text, where databases find it as 0", () => {
  const value = { "a.b": -0, items: [-0, new Map([[["custom", "-0"], -0]])], 'x["custom","-0"]': -0 };
  const encoded = encodeValue(value, "payload");
  expect(encoded.json).toBe('{"a.b":-0,"items":[-0,[[["custom","-0"],-0]]],"x[\\"custom\\",\\"-0\\"]":-0}');
  expect(decodeValue(encoded)).toStrictEqual(value);
});

test("-0 comes back from what was stored as a text, and from a document that was written anew", () => {
  expect(decodeValue({ json: '{"x":"-0"}', types: '{"values":{"x":["number"]},"v":1}' })).toStrictEqual({
    x: -0,
  });
  const { value, types } = encodedDocument(encodeValue({ x: [-0, "-0", 0] }, "payload"));
  const again = { json: JSON.stringify(value), types: JSON.stringify(types) };
  expect(decodeValue(again)).toStrictEqual({ x: [-0, "-0", 0] });
});

test("an Error keeps name, message, stack and cause", () => {
  class PaymentError extends Error {
    override name = "PaymentError";
  }
  const error = new PaymentError("declined", { cause: { at: new Date(7) } });
  const back = roundTrip({ error }) as { error: Error };
  expect(back.error).toBeInstanceOf(Error);
  expect(back.error.name).toBe("PaymentError");
  expect(back.error.message).toBe("declined");
  expect(back.error.stack).toBe(error.stack);
  expect(back.error.cause).toEqual({ at: new Date(7) });
});

test("a Buffer comes back as Uint8Array", () => {
  expect(roundTrip(Buffer.from("abc"))).toStrictEqual(new Uint8Array([97, 98, 99]));
});

test("holes of arrays become undefined", () => {
  const list: unknown[] = [1];
  list[3] = 2;
  expect(roundTrip({ list })).toStrictEqual({ list: [1, undefined, undefined, 2] });
});

test("a reference met twice comes back as two equal values, in order, in sets and maps too", () => {
  const a = { n: 1 };
  const b = { n: 2 };
  const at = new Date(1);
  const value = { a, b, again: [a, b, a], set: new Set([a, b]), map: new Map([[a, b]]), at, at2: at };
  expect(roundTrip(value)).toStrictEqual(structuredClone(value));
  expect(roundTrip([a, a])).toEqual([a, a]);
});

test("strings keep lone surrogates and U+0000", () => {
  for (const text of ["\ud800", "a\udfffb", "\u0000", "😀\u0000\ud83d"]) {
    expect(roundTrip(text)).toBe(text);
    expect(roundTrip({ [text]: new Date(1) })).toEqual({ [text]: new Date(1) });
  }
});

test("__proto__, constructor and prototype are data in plain JSON", () => {
  const value = JSON.parse('{"__proto__":{"polluted":true},"constructor":{"prototype":{"polluted":true}}}');
  const back = roundTrip(value) as object;
  expect(JSON.stringify(back)).toBe(JSON.stringify(value));
  expect(Object.keys(back)).toEqual(["__proto__", "constructor"]);
  expect(Object.getPrototypeOf(back)).toBe(Object.prototype);
  expect(({} as Record<string, unknown>).polluted).toBeUndefined();
});

test("reserved keys beside typed values are refused with their path", () => {
  for (const key of ["__proto__", "constructor", "prototype"]) {
    const value = JSON.parse(`{"list":[{"${key}":1}]}`);
    value.at = new Date();
    const error = refusal(value);
    expect(error.code).toBe("VALUE_NOT_STORABLE");
    expect(error.details.path).toBe(`payload.list[0].${key}`);
  }
});

class Receipt {
  total = 1;
}
const cycle: Record<string, unknown> = { list: [] };
(cycle.list as unknown[]).push({ back: cycle });
const viaError = new Error("loop");
viaError.cause = { viaError };

const refused: [name: string, value: unknown, path: string, found: RegExp][] = [
  ["a function", { user: { tags: [1, 2, 3, () => 1] } }, "payload.user.tags[3]", /function/],
  ["a function at the top", () => 1, "payload", /function/],
  ["a symbol", { a: Symbol("x") }, "payload.a", /symbol/],
  ["a symbol key", { a: { [Symbol("x")]: 1 } }, "payload.a", /Symbol\(x\)/],
  ["a class instance", [new Receipt()], "payload[0]", /Receipt/],
  ["a boxed number", { a: Object(1) }, "payload.a", /Number/],
  ["a boxed string", { a: Object("x") }, "payload.a", /String/],
  ["a WeakMap", { a: new WeakMap() }, "payload.a", /WeakMap/],
  ["a Promise", { a: Promise.resolve() }, "payload.a", /Promise/],
  ["an ArrayBuffer", { a: new ArrayBuffer(1) }, "payload.a", /ArrayBuffer/],
  ["a DataView", { a: new DataView(new ArrayBuffer(1)) }, "payload.a", /DataView/],
  ["an invalid Date", { a: new Date(Number.NaN) }, "payload.a", /invalid Date/],
  ["something that pretends to be a Date", { a: Object.create(Date.prototype) }, "payload.a", /throws/],
  ["a subclass of Map", { a: new (class Index extends Map {})() }, "payload.a", /Index/],
  ["a subclass of Array", { a: new (class List extends Array {})() }, "payload.a", /Array/],
  ["a toJSON function", { a: { toJSON: () => 1 } }, "payload.a", /toJSON/],
  ["a cycle", cycle, "payload.list[0].back", /contains it/],
  ["a cycle through a cause", { viaError }, "payload.viaError.cause.viaError", /contains it/],
  ["a function in a Map", { a: new Map([["k", () => 1]]) }, 'payload.a.get("k")', /function/],
  ["a function as a key of a Map", new Map([[() => 1, 1]]), "payload.keys[0]", /function/],
  ["a function in a Set", new Set([1, () => 1]), "payload.values[1]", /function/],
  ["an odd key", { "a b": { "": () => 1 } }, 'payload["a b"][""]', /function/],
];

for (const [name, value, path, found] of refused) {
  test(`refused with its path: ${name}`, () => {
    const error = refusal(value);
    expect(error.code).toBe("VALUE_NOT_STORABLE");
    expect(error.details.path).toBe(path);
    expect(error.details.found).toMatch(found);
    expect(error.message).toContain(path);
  });
}

test("a getter that throws is refused with its path, the error as cause", () => {
  const cause = new Error("no");
  const value = {
    user: {
      get name() {
        throw cause;
      },
    },
  };
  const error = refusal(value);
  expect(error.details.path).toBe("payload.user.name");
  expect(error.cause).toBe(cause);
});

test("a proxy that throws at everything is refused", () => {
  const handler = new Proxy(
    {},
    {
      get: () => () => {
        throw new Error("no");
      },
    },
  );
  expect(refusal({ a: new Proxy({}, handler) }).code).toBe("VALUE_NOT_STORABLE");
  expect(refusal({ a: new Proxy([], handler) }).code).toBe("VALUE_NOT_STORABLE");
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  expect(refusal(proxy).code).toBe("VALUE_NOT_STORABLE");
});

test("a getter that changes its mind is refused, never thrown as it is", () => {
  let reads = 0;
  const value = {
    get a() {
      return reads++ === 0 ? 1 : 1n;
    },
  };
  expect(refusal(value).code).toBe("VALUE_NOT_STORABLE");
});

test("values may be nested 100 deep", () => {
  expect(roundTrip(nested(100))).toEqual(nested(100));
  expect(roundTrip([new Date(1), nested(99)])).toEqual([new Date(1), nested(99)]);
  expect(refusal(nested(101)).details.found).toMatch(/100 deep/);
  expect(refusal([new Date(1), nested(100)]).details.found).toMatch(/100 deep/);
  expect(refusal(nested(100_000)).code).toBe("VALUE_NOT_STORABLE");
});

test("the size is counted in bytes of UTF-8, types included", () => {
  expect(encodeValue("é".repeat(4), "payload", 10).json).toBe('"éééé"');
  const error = refusal("é".repeat(5), 11);
  expect(error.code).toBe("VALUE_TOO_LARGE");
  expect(error.details).toEqual({ what: "payload", sizeBytes: 12, sizeMaxBytes: 11 });
  const { json, types } = encodeValue([new Date(1)], "payload");
  const size = json.length + types!.length;
  expect(encodeValue([new Date(1)], "payload", size).types).toBe(types);
  expect(refusal([new Date(1)], size - 1).details.sizeBytes).toBe(size);
});

test("the default limit is 1 MiB", () => {
  expect(encodeValue("x".repeat(1024 * 1024 - 2), "payload").json).toHaveLength(1024 * 1024);
  expect(refusal("x".repeat(1024 * 1024 - 1)).code).toBe("VALUE_TOO_LARGE");
});

test("many typed parts come back, however many", () => {
  const list = Array.from({ length: 200_000 }, () => undefined);
  const encoded = encodeValue(list, "payload", 100_000_000);
  expect((decodeValue(encoded) as unknown[]).length).toBe(200_000);
  expect(Object.hasOwn(decodeValue(encoded) as unknown[], 199_999)).toBe(true);
});

test("a few shared references cannot grow into gigabytes", () => {
  let value: unknown = [1];
  for (let level = 0; level < 60; level++) value = [value, value];
  expect(refusal(value).code).toBe("VALUE_TOO_LARGE");
  expect(refusal([new Date(), value]).code).toBe("VALUE_TOO_LARGE");
  expect(refusal(new Array(2 ** 32 - 1)).code).toBe("VALUE_TOO_LARGE");
  expect(refusal(1n << 100_000_000n).code).toBe("VALUE_TOO_LARGE");
});

test("what has more keys or items than fit is refused before one of them is looked at (F107)", () => {
  const never = {
    get: (target: unknown[], key: string | symbol) => {
      if (key === "length") return target.length;
      throw new Error("was looked at");
    },
  };
  expect(refusal(new Proxy(new Array(10_000_000), never)).code).toBe("VALUE_TOO_LARGE");
  const wide = {};
  const each = { enumerable: true, get: () => never.get([], "") };
  for (let key = 0; key < 120_000; key++) Object.defineProperty(wide, `key${key}`, each);
  expect(refusal(wide).code).toBe("VALUE_TOO_LARGE");
});

const damaged: Record<string, EncodedValue> = {
  "no JSON": { json: "{" },
  "empty text": { json: "" },
  "types that are no JSON": { json: "1", types: "{" },
  "types that are null": { json: "1", types: "null" },
  "an unknown type": { json: '"x"', types: '{"values":["wat"],"v":1}' },
  "an inherited name as type": { json: '"x"', types: '{"values":["toString"],"v":1}' },
  "an unknown custom type": { json: '"x"', types: '{"values":[["custom","toString"]],"v":1}' },
  "a class": { json: "{}", types: '{"values":[["class","Object"]],"v":1}' },
  "superjson's own typed arrays": { json: "8e9", types: '{"values":[["typed-array","Uint8Array"]],"v":1}' },
  "a typed array without items": { json: "8e9", types: '{"values":[["custom","Uint8Array"]],"v":1}' },
  "a bad date": { json: '["never"]', types: '{"values":{"0":["Date"]},"v":1}' },
  "a bad bigint": { json: '["x"]', types: '{"values":{"0":["bigint"]},"v":1}' },
  "a bad URL": { json: '["x"]', types: '{"values":{"0":["URL"]},"v":1}' },
  "a bad RegExp": { json: '["/(/"]', types: '{"values":{"0":["regexp"]},"v":1}' },
  "a huge index": { json: "[1]", types: '{"values":{"4000000000":["undefined"]},"v":1}' },
  "a prototype in a path": { json: "{}", types: '{"values":{"__proto__.polluted":["undefined"]},"v":1}' },
  "a constructor in a path": { json: "{}", types: '{"values":{"constructor.prototype.x":["number"]},"v":1}' },
  "references to share": { json: "[1,2]", types: '{"referentialEqualities":{"0":["1"]},"v":1}' },
  "another version": { json: "[1,2]", types: '{"values":{"0":["number"]},"v":0}' },
};

for (const [name, encoded] of Object.entries(damaged)) {
  test(`a damaged row is unreadable: ${name}`, () => {
    expect(() => decodeValue(encoded)).toThrow(expect.objectContaining({ code: "VALUE_UNREADABLE" }));
    expect(({} as Record<string, unknown>).polluted).toBeUndefined();
  });
}

test("types nested without end are unreadable, not a crash", () => {
  const types = `{"values":${'["set",{"0":'.repeat(50_000)}["set"]${"}]".repeat(50_000)},"v":1}`;
  expect(() => decodeValue({ json: "[]", types })).toThrow(
    expect.objectContaining({ code: "VALUE_UNREADABLE" }),
  );
});

const anyStorable = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    fc.string({ unit: "binary" }),
    fc.double(),
    fc.boolean(),
    fc.constantFrom(null, undefined, -0, Number.NaN),
    fc.bigInt(),
    fc.date({ noInvalidDate: true }),
    fc.webUrl().map((url) => new URL(url)),
    fc.uint8Array(),
    fc.float64Array(),
    fc.bigInt64Array(),
    fc.array(tie("value")),
    fc.array(tie("value")).map((items) => new Set(items)),
    fc.array(fc.tuple(tie("value"), tie("value"))).map((entries) => new Map(entries)),
    fc.dictionary(
      fc.string({ unit: "binary" }).filter((key) => !reserved.has(key)),
      tie("value"),
      {
        noNullPrototype: true,
      },
    ),
  ),
})).value;
const reserved = new Set(["__proto__", "constructor", "prototype"]);

test("property: what is storable comes back equal", () => {
  fc.assert(
    fc.property(anyStorable, (value) => {
      expect(roundTrip(value)).toStrictEqual(value);
    }),
    { numRuns: 2000 },
  );
});

test("property: JSON comes back equal, and without types unless it holds -0", () => {
  fc.assert(
    fc.property(fc.json(), (text) => {
      const value = JSON.parse(text);
      const encoded = encodeValue(value, "payload");
      if (encoded.types === undefined) expect(encoded.json).toBe(JSON.stringify(value));
      else expect(text).toMatch(/-0/);
      expect(decodeValue(encoded)).toStrictEqual(value);
    }),
    { numRuns: 2000 },
  );
});

test("property: anything is either encoded or refused by a DureError", () => {
  const anything = fc.anything({
    withBigInt: true,
    withBoxedValues: true,
    withDate: true,
    withMap: true,
    withSet: true,
    withSparseArray: true,
    withTypedArray: true,
    withNullPrototype: true,
    withObjectString: true,
    withUnicodeString: true,
  });
  fc.assert(
    fc.property(anything, (value) => {
      let encoded: EncodedValue;
      try {
        encoded = encodeValue(value, "payload");
      } catch (error) {
        expect((error as DureError).code).toMatch(/^VALUE_/);
        return;
      }
      expect(encodeValue(decodeValue(encoded), "payload")).toEqual(encoded);
    }),
    { numRuns: 3000 },
  );
});

test("property: a damaged row is read or VALUE_UNREADABLE, and prototypes stay clean", () => {
  const names = Object.getOwnPropertyNames(Object.prototype).join();
  const path = fc
    .array(
      fc.constantFrom(
        "0",
        "1",
        "a",
        "b",
        "",
        "__proto__",
        "constructor",
        "prototype",
        "toString",
        "99999999999",
        "\\",
        "length",
      ),
    )
    .map((keys) => keys.join("."));
  const type = fc.constantFrom<unknown>(
    "undefined",
    "bigint",
    "Date",
    "Error",
    "regexp",
    "set",
    "map",
    "number",
    "URL",
    "__proto__",
    "constructor",
    ["custom", "Uint8Array"],
    ["custom", "BigInt64Array"],
    ["custom", "__proto__"],
    ["typed-array", "Uint8Array"],
    ["class", "Object"],
    ["symbol", "x"],
    [],
    {},
    1,
    null,
  );
  const { tree } = fc.letrec<{ tree: unknown }>((tie) => ({
    tree: fc.oneof(
      { maxDepth: 3 },
      fc.tuple(type),
      fc.tuple(type, fc.dictionary(path, tie("tree"), { maxKeys: 3 })),
      fc.dictionary(path, tie("tree"), { maxKeys: 3 }),
      fc.jsonValue(),
    ),
  }));
  const json = fc.oneof(
    fc.json(),
    fc.string(),
    fc.constantFrom(
      '{"a":{"b":"1"},"b":[["a",1],["b","2020-01-01"]]}',
      '[["/x/g",{"a":"https://a.b"}],[1,2,3]]',
    ),
  );
  const types = fc.oneof(
    fc.string(),
    tree.map((values) => JSON.stringify({ values, v: 1 })),
    fc.jsonValue().map((meta) => JSON.stringify(meta)),
  );
  fc.assert(
    fc.property(json, fc.option(types, { nil: undefined }), (json, types) => {
      try {
        decodeValue(types === undefined ? { json } : { json, types });
      } catch (error) {
        expect((error as DureError).code).toBe("VALUE_UNREADABLE");
      }
      expect(({} as Record<string, unknown>).a ?? ({} as Record<string, unknown>)["0"]).toBeUndefined();
    }),
    { numRuns: 8000 },
  );
  expect(Object.getOwnPropertyNames(Object.prototype).join()).toBe(names);
});
