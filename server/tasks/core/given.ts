/** What a caller gives is taken as it is then: the same object may be given again, with other values, while this waits. */
import { isPlainPrototype } from "./values/show.ts";

/** Deeper than all that is taken; what is below is refused where it is read. */
const depthMax = 100;

/** The same, in lists, plain objects and Dates of its own. */
export function asGiven<Given>(given: Given): Given {
  return copyOf(given, new Map(), 0) as Given;
}

/** @param met what was copied already, for what contains itself */
function copyOf(value: unknown, met: Map<object, unknown>, depth: number): unknown {
  if (typeof value !== "object" || value === null || depth > depthMax) return value;
  if (met.has(value)) return met.get(value);
  if (value instanceof Date) return new Date(value.getTime());
  if (Array.isArray(value)) {
    const list: unknown[] = [];
    met.set(value, list);
    for (const item of value) list.push(copyOf(item, met, depth + 1));
    return list;
  }
  if (!isPlainPrototype(Object.getPrototypeOf(value))) return value;
  const copy = {};
  met.set(value, copy);
  for (const [key, item] of Object.entries(value)) {
    // As an entry of its own, `__proto__` too.
    Object.defineProperty(copy, key, {
      value: copyOf(item, met, depth + 1),
      ...{ configurable: true, enumerable: true, writable: true },
    });
  }
  return copy;
}
