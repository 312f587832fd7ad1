/**
 * Payloads and results as text. Plain JSON is kept as it is, so that it can be read and searched in the database;
 * for anything else superjson notes the types beside it. What may be stored is storable.ts; this file is the two
 * ways of writing it and the one of reading it back.
 *
 * Identity is not kept: a reference met twice comes back as two equal values, in plain and in typed ones alike.
 */
import { SuperJSON } from "superjson";
import { DureError } from "../errors.ts";
import { takeSnapshot, valueDepthMax, valueTooLarge } from "./storable.ts";
import { isLongerThan, utf8Length } from "./utf8.ts";

/** A value as it is stored: JSON, and JSON that says which of its parts stand for something else, if any do. */
export interface EncodedValue {
  json: string;
  types?: string;
}

/** The default limit of a payload or result, both texts together. */
export const valueBytesMax = 1024 * 1024;

/**
 * Turns a payload or result into text. Kept: plain JSON, undefined, Date, BigInt, Map, Set, URL, RegExp, typed arrays
 * (a Buffer as Uint8Array), Error (name, message, stack, cause), NaN, ±Infinity and -0.
 *
 * @param sizeMaxBytes limit of json and types together, as UTF-8. Default 1 MiB.
 * @throws DureError VALUE_NOT_STORABLE with `details.path`, such as `payload.user.tags[3]`, and `details.found`;
 *   VALUE_TOO_LARGE
 */
export function encodeValue(
  value: unknown,
  what: "payload" | "result",
  sizeMaxBytes: number = valueBytesMax,
): EncodedValue {
  if (!isPlainJson(value, sizeMaxBytes)) return encodeTyped(value, what, sizeMaxBytes);
  const encoded = { json: stringify(value, what) };
  checkSize(encoded, what, sizeMaxBytes);
  return encoded;
}

/**
 * The same as a part of a document, which others may write anew: `-0` would come out of that as 0, so it is the text that its type
 * is of.
 */
export function encodedDocument({ json, types }: EncodedValue): { value: unknown; types?: unknown } {
  if (types === undefined) return { value: JSON.parse(json) };
  const value: unknown = JSON.parse(json, (_key, part) => (Object.is(part, -0) ? negativeZero : part));
  return { value, types: JSON.parse(types) };
}

/**
 * Reads a stored value back, as a fresh copy.
 *
 * @throws DureError VALUE_UNREADABLE when either text is damaged; never anything else.
 */
export function decodeValue(encoded: EncodedValue): unknown {
  try {
    const { json, types } = encoded;
    if (types === undefined || types === null) return JSON.parse(json);
    return decodeTyped(json, types);
  } catch (error) {
    throw new DureError(
      "VALUE_UNREADABLE",
      `A stored value cannot be read back: ${reasonOf(error)}. ` +
        "Either the row was changed by hand, or the database is damaged; `dure doctor` checks the latter.",
      { cause: error },
    );
  }
}

/**
 * Whether `JSON.stringify` alone keeps all of `root`. Says no, without a reason, as soon as anything is unusual, too
 * deep (so in every cycle) or too large: the reason is found by the slower walk. The path most payloads take, so it
 * allocates nothing for a flat one.
 */
function isPlainJson(root: unknown, sizeMaxBytes: number): boolean {
  try {
    if (typeof root === "object" && root !== null) return isPlainTree(root, sizeMaxBytes);
    const bytes = leafBytesMin(root);
    return bytes >= 0 && bytes <= sizeMaxBytes;
  } catch {
    return false;
  }
}

function isPlainTree(root: object, sizeMaxBytes: number): boolean {
  let bytesLeft = sizeMaxBytes;
  let container: object | undefined = root;
  let depth = 1;
  let waiting: object[] | undefined;
  let depths: number[] | undefined;
  while (container !== undefined) {
    const isList = Array.isArray(container);
    if (!isPlainContainer(container, isList)) return false;
    const keys: readonly string[] | undefined = isList ? undefined : Object.keys(container);
    const length = keys === undefined ? (container as unknown[]).length : keys.length;
    bytesLeft -= length * 2;
    for (let index = 0; index < length; index++) {
      if (bytesLeft < 0) return false;
      let child: unknown;
      if (keys === undefined) child = (container as unknown[])[index];
      else {
        const key = keys[index]!;
        bytesLeft -= key.length;
        child = (container as Record<string, unknown>)[key];
      }
      if (typeof child === "object" && child !== null) {
        if (depth >= valueDepthMax) return false;
        waiting ??= [];
        depths ??= [];
        waiting.push(child);
        depths.push(depth + 1);
      } else {
        const bytes = leafBytesMin(child);
        if (bytes < 0) return false;
        bytesLeft -= bytes;
      }
    }
    container = waiting?.pop();
    depth = depths?.pop() ?? 0;
  }
  return bytesLeft >= 0;
}

function isPlainContainer(container: object, isList: boolean): boolean {
  if (typeof (container as { toJSON?: unknown }).toJSON === "function") return false;
  const prototype = Object.getPrototypeOf(container);
  if (isList) return prototype === Array.prototype;
  if (prototype !== Object.prototype && prototype !== null) return false;
  return Object.getOwnPropertySymbols(container).length === 0;
}

/** The fewest bytes a value without children takes in JSON; -1 when JSON cannot keep it. */
function leafBytesMin(value: unknown): number {
  switch (typeof value) {
    case "string":
      return value.length;
    case "number":
      if (value === 0) return 1 / value > 0 ? 0 : -1;
      return value - value === 0 ? 0 : -1;
    case "boolean":
      return 0;
    default:
      return value === null ? 0 : -1;
  }
}

const typedJson = new SuperJSON();
typedJson.allowErrorProps("stack");
for (const name of [
  "Int8Array",
  "Uint8Array",
  "Uint8ClampedArray",
  "Int16Array",
  "Uint16Array",
  "Int32Array",
  "Uint32Array",
  "Float16Array",
  "Float32Array",
  "Float64Array",
  "BigInt64Array",
  "BigUint64Array",
]) {
  registerTypedArray(name);
}

/**
 * JSON has -0, which databases compare as 0, so that a search for 0 finds it; superjson's own rule makes a text of it. The text
 * of types stays superjson's: what it made is read, too.
 */
const negativeZero = "-0";
typedJson.registerCustom<number, number>(
  {
    isApplicable: (value): value is number => Object.is(value, -0),
    serialize: () => rawJson(negativeZero),
    deserialize: () => -0,
  },
  negativeZero,
);
const typeOfNegativeZero = JSON.stringify(["custom", negativeZero]);

/** Of the language since 2025; the compiler's library has no word of it. */
function rawJson(text: string): number {
  return (JSON as unknown as { rawJSON: (text: string) => number }).rawJSON(text);
}

type NumberArray = Float64Array | BigInt64Array;
type NumberArrayClass = new (items: readonly (number | bigint)[]) => NumberArray;

/** superjson's own rule for typed arrays loses NaN, ±Infinity, -0 and bigints, and does not know Float16Array. */
function registerTypedArray(name: string): void {
  const ArrayClass = (globalThis as unknown as Record<string, NumberArrayClass | undefined>)[name];
  if (ArrayClass === undefined) return;
  const toNumber: (item: number | string) => number | bigint = name.startsWith("Big") ? BigInt : Number;
  typedJson.registerCustom<NumberArray, (number | string)[]>(
    {
      isApplicable: (value): value is NumberArray => ArrayBuffer.isView(value) && tagOf(value) === name,
      serialize: (value) => Array.from<number | bigint, number | string>(value, writeNumber),
      deserialize: (items) => {
        if (!Array.isArray(items)) throw new TypeError(`${name} without a list of its items`);
        return new ArrayClass(items.map((item) => toNumber(item)));
      },
    },
    name,
  );
}

function tagOf(value: object): unknown {
  return (value as { [Symbol.toStringTag]?: unknown })[Symbol.toStringTag];
}

function writeNumber(value: number | bigint): number | string {
  if (typeof value === "bigint") return value.toString();
  if (Object.is(value, -0)) return "-0";
  return Number.isFinite(value) ? value : String(value);
}

function encodeTyped(value: unknown, what: string, sizeMaxBytes: number): EncodedValue {
  const { copy, isTyped } = takeSnapshot(value, what, sizeMaxBytes);
  const encoded = isTyped ? withTypes(copy, what) : { json: stringify(copy, what) };
  checkSize(encoded, what, sizeMaxBytes);
  return encoded;
}

function withTypes(copy: unknown, what: string): EncodedValue {
  const { json, meta } = typedJson.serialize(copy);
  const text = stringify(json, what);
  return meta?.values === undefined ? { json: text } : { json: text, types: typesText(meta.values) };
}

/** A key that says the same has its quotes escaped. */
function typesText(values: unknown): string {
  return JSON.stringify({ values, v: 1 }).replaceAll(typeOfNegativeZero, '"number"');
}

/** A getter may answer differently the second time; whatever comes of that is refused, not thrown as it is. */
function stringify(value: unknown, what: string): string {
  let cause: unknown;
  try {
    const json: string | undefined = JSON.stringify(value);
    if (json !== undefined) return json;
  } catch (error) {
    cause = error;
  }
  const found = "something that changes while it is read";
  throw new DureError("VALUE_NOT_STORABLE", `The ${what} holds ${found}. Store a plain copy of it.`, {
    details: { path: what, found },
    cause,
  });
}

function checkSize({ json, types }: EncodedValue, what: string, sizeMaxBytes: number): void {
  if (types === undefined ? !isLongerThan(json, sizeMaxBytes) : !isLongerThan(json + types, sizeMaxBytes))
    return;
  const sizeBytes = utf8Length(json) + (types === undefined ? 0 : utf8Length(types));
  throw valueTooLarge(what, sizeBytes, sizeMaxBytes);
}

function decodeTyped(json: string, types: string): unknown {
  const plain: unknown = JSON.parse(json);
  const meta = JSON.parse(types) as { values: never; v: 1 };
  checkTypes(meta);
  const value = typedJson.deserialize({ json: plain as never, meta }, { inPlace: true });
  // What was read must be storable again: this finds invalid Dates, and lists grown by a damaged index.
  takeSnapshot(value, "value", json.length * 8 + types.length * 8 + 100);
  return value;
}

const simpleTypes: ReadonlySet<unknown> = new Set([
  "undefined",
  "bigint",
  "Date",
  "Error",
  "regexp",
  "set",
  "map",
  "number",
  "URL",
]);

/** Lets through only the types that this file writes: superjson knows others that trust their data more. */
function checkTypes(meta: unknown): void {
  const { values, v, ...others } = meta as Record<string, unknown>;
  if (v !== 1 || Object.keys(others).length > 0) throw new TypeError("types of an unknown version");
  const waiting = [values];
  while (waiting.length > 0) {
    const tree = waiting.pop();
    if (typeof tree !== "object" || tree === null) throw new TypeError("types of an unknown form");
    if (!Array.isArray(tree)) {
      for (const child of Object.values(tree)) waiting.push(child);
    } else {
      const [type, children] = tree as unknown[];
      if (!simpleTypes.has(type) && !(Array.isArray(type) && type[0] === "custom")) {
        throw new TypeError("a type of an unknown name");
      }
      if (children !== undefined) waiting.push(children);
    }
  }
}

function reasonOf(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).slice(0, 200);
}
