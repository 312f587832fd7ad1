/** Payloads and results for people: JSON where JSON says it all, else as Node shows them. */
import { inspect } from "node:util";
import { encodeValue } from "../tasks/core/values/value.ts";
import { plainLines } from "./text.ts";

/** Indented and safe for a terminal; `undefined` for no value. */
export function showStored(value: unknown): string {
  if (value === undefined) return "undefined";
  return plainLines(isPlain(value) ? JSON.stringify(value, null, 2) : inspected(value));
}

function isPlain(value: unknown): boolean {
  try {
    return encodeValue(value, "payload", Number.POSITIVE_INFINITY).types === undefined;
  } catch {
    return false;
  }
}

function inspected(value: unknown): string {
  return inspect(value, { depth: 16, maxArrayLength: 1_000, maxStringLength: 10_000, breakLength: 100 });
}
