/**
 * Which values can be stored: a walk that takes a copy of a value, made only of what value.ts can write and read
 * back, or says exactly where something else is. Getters run once, repeated references are copied each time, holes of
 * arrays become undefined, and nothing is asked of a value twice, so that it cannot change between check and use.
 *
 * Not recursive: the stack of frames is the path to the value being looked at, so a cycle is an object already on
 * it, and the words of a path are put together only for a message.
 */
import { DureError } from "../errors.ts";
import { classNameOf, isPlainPrototype, showValue } from "./show.ts";

/** Objects and arrays may be nested this deep. */
export const valueDepthMax = 100;

/** Keys that could reach a prototype when typed values are put back in their place. */
const reservedKeys: ReadonlySet<string> = new Set(["__proto__", "constructor", "prototype"]);

export interface Snapshot {
  copy: unknown;
  /** Whether anything in it needs a type beside its JSON. */
  isTyped: boolean;
}

interface Frame {
  source: object;
  kind: "object" | "array" | "map" | "set" | "error";
  /** Only of objects. */
  keys: readonly string[];
  /** Children of everything but objects; those of a map are key, value, key, value. */
  items: ArrayLike<unknown>;
  length: number;
  at: number;
  copies: unknown[];
}

interface Walk {
  what: string;
  sizeMaxBytes: number;
  /** What is left of `sizeMaxBytes` after the fewest bytes that the values so far can take. */
  bytesLeft: number;
  frames: Frame[];
  isTyped: boolean;
  reservedPath: string | undefined;
}

/**
 * Copies a storable value. `what` begins the paths in messages.
 *
 * @throws DureError VALUE_NOT_STORABLE with `details.path` and `details.found`; VALUE_TOO_LARGE once the value cannot
 *   fit in `sizeMaxBytes` any more, so that a few shared references cannot grow into gigabytes.
 */
export function takeSnapshot(value: unknown, what: string, sizeMaxBytes: number): Snapshot {
  const walk: Walk = {
    what,
    sizeMaxBytes,
    bytesLeft: sizeMaxBytes,
    frames: [],
    isTyped: false,
    reservedPath: undefined,
  };
  const copy = copyAll(walk, value);
  if (walk.isTyped && walk.reservedPath !== undefined) throw reservedKey(walk.reservedPath);
  return { copy, isTyped: walk.isTyped };
}

function copyAll(walk: Walk, root: unknown): unknown {
  let done = enter(walk, root);
  while (walk.frames.length > 0) {
    const frame = walk.frames.at(-1)!;
    if (done !== entered) frame.copies[frame.at++] = done;
    if (frame.at < frame.length) done = enter(walk, childOf(walk, frame));
    else {
      walk.frames.pop();
      done = finish(frame);
    }
    if (walk.frames.length === 0) return done;
  }
  return done;
}

/** Says that a frame was pushed and its children come first. */
const entered = Symbol("entered");

/** The copy of a value without children, or `entered`. */
function enter(walk: Walk, value: unknown): unknown {
  switch (typeof value) {
    case "string":
      spend(walk, value.length + 2);
      return value;
    case "boolean":
      spend(walk, 4);
      return value;
    case "number":
      spend(walk, 1);
      if (value - value !== 0 || Object.is(value, -0)) walk.isTyped = true;
      return value;
    case "undefined":
      return typed(walk, value, 4);
    case "bigint":
      return copyBigint(walk, value);
    case "symbol":
      throw notStorable(walk, "a symbol", "Use a string instead.");
    case "function":
      throw notStorable(walk, "a function", "Leave it out, or store the data that it works on.");
    default:
      return value === null ? null : enterObject(walk, value as object);
  }
}

function enterObject(walk: Walk, value: object): unknown {
  try {
    return copyLeaf(walk, value) ?? pushFrame(walk, value);
  } catch (error) {
    if (error instanceof DureError) throw error;
    throw notStorable(
      walk,
      "an object that throws when it is read",
      "Store its data as a plain object.",
      error,
    );
  }
}

function typed(walk: Walk, copy: unknown, bytesMin: number): unknown {
  spend(walk, bytesMin);
  walk.isTyped = true;
  return copy;
}

/** Takes the bits first: the text of a bigint of megabytes takes seconds to make. */
function copyBigint(walk: Walk, value: bigint): unknown {
  const bitsMax = Math.min(walk.sizeMaxBytes, 2 ** 24) * 4;
  if (BigInt.asIntN(bitsMax, value) !== value) throw tooLarge(walk);
  return typed(walk, value, 3);
}

function copyLeaf(walk: Walk, value: object): unknown {
  if (ArrayBuffer.isView(value) && !(value instanceof DataView)) {
    return typed(walk, value, (value as Uint8Array).length * 2);
  }
  switch (Object.getPrototypeOf(value)) {
    case Date.prototype: {
      const time = Date.prototype.getTime.call(value);
      if (!Number.isNaN(time)) return typed(walk, new Date(time), 26);
      throw notStorable(walk, "an invalid Date", "Give a valid Date, or null.");
    }
    case RegExp.prototype:
      return typed(walk, new RegExp(value as RegExp), (value as RegExp).source.length + 4);
    case URL.prototype: {
      const { href } = value as URL;
      return typed(walk, new URL(href), href.length + 2);
    }
    default:
      return undefined;
  }
}

function pushFrame(walk: Walk, value: object): typeof entered {
  const frame = frameOf(walk, value);
  for (const outer of walk.frames) {
    if (outer.source === value) {
      throw notStorable(walk, "a reference to an object that contains it", "Store an id in its place.");
    }
  }
  if (walk.frames.length >= valueDepthMax) {
    const found = `nested more than ${valueDepthMax} deep`;
    throw notStorable(
      walk,
      found,
      "Store it flatter, for instance as a list whose items name their parents.",
    );
  }
  if (frame.kind !== "object" && frame.kind !== "array") walk.isTyped = true;
  walk.frames.push(frame);
  return entered;
}

function frameOf(walk: Walk, value: object): Frame {
  const prototype = Object.getPrototypeOf(value);
  if (Array.isArray(value) && Array.isArray(prototype)) {
    spend(walk, value.length * 2);
    return frameWith(value, "array", value);
  }
  if (isPlainPrototype(prototype)) return objectFrame(walk, value);
  if (prototype === Map.prototype) {
    spend(walk, (value as Map<unknown, unknown>).size * 6);
    return frameWith(value, "map", [...(value as Map<unknown, unknown>)].flat());
  }
  if (prototype === Set.prototype) {
    spend(walk, (value as Set<unknown>).size * 2);
    return frameWith(value, "set", [...(value as Set<unknown>)]);
  }
  if (value instanceof Error) return errorFrame(walk, value);
  throw unknownClass(walk, value);
}

function frameWith(source: object, kind: Frame["kind"], items: ArrayLike<unknown>): Frame {
  return { source, kind, keys: [], items, length: items.length, at: 0, copies: [] };
}

function errorFrame(walk: Walk, error: Error): Frame {
  const parts = [error.name, error.message, error.stack].map((part) =>
    typeof part === "string" ? part : "",
  );
  for (const part of parts) spend(walk, part.length);
  return frameWith(error, "error", "cause" in error ? [...parts, error.cause] : parts);
}

function objectFrame(walk: Walk, value: object): Frame {
  for (const symbol of Object.getOwnPropertySymbols(value)) {
    if (!Object.prototype.propertyIsEnumerable.call(value, symbol)) continue;
    throw notStorable(
      walk,
      `an object with the symbol ${showValue(symbol)} as a key`,
      "Use strings as keys.",
    );
  }
  if (typeof (value as { toJSON?: unknown }).toJSON === "function") {
    throw notStorable(walk, "an object with a toJSON function", "Store what toJSON() returns.");
  }
  const keys = Object.keys(value);
  const frame: Frame = {
    source: value,
    kind: "object",
    keys,
    items: [],
    length: keys.length,
    at: 0,
    copies: [],
  };
  for (const key of keys) {
    spend(walk, key.length + 4);
    if (walk.reservedPath === undefined && reservedKeys.has(key)) {
      walk.reservedPath = `${pathOf(walk)}${stepTo(key)}`;
    }
  }
  return frame;
}

function childOf(walk: Walk, frame: Frame): unknown {
  try {
    if (frame.kind !== "object") return frame.items[frame.at];
    return (frame.source as Record<string, unknown>)[frame.keys[frame.at]!];
  } catch (error) {
    throw notStorable(walk, "a getter that throws", "Store its value, or leave it out.", error);
  }
}

function finish(frame: Frame): unknown {
  const { copies } = frame;
  switch (frame.kind) {
    case "object":
      return Object.fromEntries(frame.keys.map((key, index) => [key, copies[index]]));
    case "array":
      return copies;
    case "set":
      return new Set(copies);
    case "map":
      return new Map(Array.from({ length: copies.length / 2 }, (_, i) => [copies[2 * i], copies[2 * i + 1]]));
    case "error":
      return copyError(copies as [string, string, string, unknown?]);
  }
}

function copyError([name, message, stack, ...cause]: [string, string, string, unknown?]): Error {
  const copy = cause.length > 0 ? new Error(message, { cause: cause[0] }) : new Error(message);
  copy.name = name;
  copy.stack = stack;
  return copy;
}

function spend(walk: Walk, bytes: number): void {
  walk.bytesLeft -= bytes;
  if (walk.bytesLeft < 0) throw tooLarge(walk);
}

function tooLarge(walk: Walk): DureError {
  return valueTooLarge(walk.what, `more than ${walk.sizeMaxBytes}`, walk.sizeMaxBytes);
}

/** The error for a value over the limit; `size` in bytes, or words for it where it was not worth counting. */
export function valueTooLarge(what: string, size: number | string, sizeMaxBytes: number): DureError {
  return new DureError(
    "VALUE_TOO_LARGE",
    `The ${what} takes ${size} bytes; the limit is ${sizeMaxBytes}. ` +
      "Keep large data in a file or a table of its own, and store its name or id here.",
    { details: { what, sizeBytes: size, sizeMaxBytes } },
  );
}

function notStorable(walk: Walk, found: string, advice: string, cause?: unknown): DureError {
  const path = pathOf(walk);
  return new DureError("VALUE_NOT_STORABLE", `${path} is ${found}, which cannot be stored. ${advice}`, {
    details: { path, found },
    cause,
  });
}

function reservedKey(path: string): DureError {
  const found = "a reserved key beside values that need their type stored";
  return new DureError(
    "VALUE_NOT_STORABLE",
    `${path} is ${found}, such as a Date or undefined. Rename the key, or store only plain JSON.`,
    { details: { path, found } },
  );
}

const classAdvice: Record<string, string> = {
  Promise: "Await it first.",
  ArrayBuffer: "Wrap it: new Uint8Array(buffer).",
  SharedArrayBuffer: "Copy it into a Uint8Array.",
  DataView: "Wrap its buffer in a Uint8Array.",
  Number: "Use the primitive: value.valueOf().",
  String: "Use the primitive: value.valueOf().",
  Boolean: "Use the primitive: value.valueOf().",
  BigInt: "Use the primitive: value.valueOf().",
};

function unknownClass(walk: Walk, value: object): DureError {
  const name = Array.isArray(value)
    ? "a class that extends Array"
    : (classNameOf(value) ?? "an unnamed class");
  const advice = Object.hasOwn(classAdvice, name) ? classAdvice[name]! : "Store its data as a plain object.";
  return notStorable(walk, `an instance of ${name}`, advice);
}

function pathOf(walk: Walk): string {
  return walk.what + walk.frames.map(stepOf).join("");
}

/** How the child that a frame is at is written. */
function stepOf(frame: Frame): string {
  switch (frame.kind) {
    case "object":
      return stepTo(frame.keys[frame.at]!);
    case "array":
      return `[${frame.at}]`;
    case "set":
      return `.values[${frame.at}]`;
    case "map":
      if (frame.at % 2 === 0) return `.keys[${frame.at / 2}]`;
      return `.get(${showValue(frame.items[frame.at - 1])})`;
    case "error":
      return ".cause";
  }
}

function stepTo(key: string): string {
  return /^[\p{L}_$][\p{L}\p{N}_$]{0,99}$/u.test(key) ? `.${key}` : `[${showValue(key)}]`;
}
