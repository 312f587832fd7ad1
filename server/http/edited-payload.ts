/**
 * A payload that somebody edited as they were shown it: what they left alone is what it was, with its types and with what
 * was hidden from them.
 */
import { isDeepStrictEqual } from "node:util";
import type { Json } from "./contract.ts";

/** @param given what came back @param shown what was shown of `original` */
export function editedPayload(given: Json | undefined, shown: Json, original: unknown): unknown {
  if (isDeepStrictEqual(given, shown)) return original;
  if (Array.isArray(given) && Array.isArray(shown) && Array.isArray(original)) {
    return editedList(given, shown, original);
  }
  if (!isObject(given) || !isObject(shown) || !isPlain(original)) return given;
  return Object.fromEntries(
    Object.entries(given).map(([key, value]) => [
      key,
      Object.hasOwn(shown, key) ? editedPayload(value, shown[key]!, original[key]) : value,
    ]),
  );
}

/** Items that moved are known by what they say, if no other says the same: a secret must not come to the wrong one. */
function editedList(given: readonly Json[], shown: readonly Json[], original: readonly unknown[]): unknown[] {
  const isSame = (index: number) => isDeepStrictEqual(given[index], shown[index]);
  const stay = given.length === shown.length;
  const isOnlyOneChanged = stay && shown.filter((_, index) => !isSame(index)).length === 1;
  return given.map((item, index) => {
    if (stay && isSame(index)) return original[index];
    const alike = shown.flatMap((one, place) => (isDeepStrictEqual(one, item) ? [place] : []));
    if (alike.length === 1) return original[alike[0]!];
    return isOnlyOneChanged ? editedPayload(item, shown[index]!, original[index]) : item;
  });
}

function isObject(value: Json | undefined): value is { [key: string]: Json } {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isPlain(value: unknown): value is { [key: string]: unknown } {
  if (typeof value !== "object" || value === null) return false;
  const prototype = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}
