/** How a value that was met is shown in a message: short, on one line, whatever it is. */

/**
 * A few words for any value: strings in quotes and cut at `charactersMax`, objects by their kind. Never throws, and
 * looks only at as much of the value as it shows.
 */
export function showValue(value: unknown, charactersMax = 60): string {
  try {
    return shown(value, charactersMax);
  } catch {
    return "a value that cannot be read";
  }
}

function shown(value: unknown, charactersMax: number): string {
  switch (typeof value) {
    case "string":
      return showText(value, charactersMax);
    case "number":
      return Object.is(value, -0) ? "-0" : String(value);
    case "bigint":
      return BigInt.asIntN(128, value) === value ? `${value}n` : "a very large bigint";
    case "symbol":
      return showText(String(value), charactersMax).slice(1, -1);
    case "function":
      return "a function";
    case "object":
      return value === null ? "null" : showObject(value, charactersMax);
    default:
      return String(value);
  }
}

function showText(text: string, charactersMax: number): string {
  if (text.length <= charactersMax) return JSON.stringify(text);
  return `${JSON.stringify(text.slice(0, charactersMax))}… (${text.length} characters)`;
}

function showObject(value: object, charactersMax: number): string {
  if (Array.isArray(value)) return `an array of ${value.length}`;
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? "an invalid Date" : value.toISOString();
  const name = classNameOf(value);
  if (name !== undefined) return `an instance of ${name}`;
  const keys: string[] = [];
  for (const key in value) {
    keys.push(key.slice(0, charactersMax));
    if (keys.length > 4) break;
  }
  if (keys.length === 0) return "an empty object";
  const first = keys.slice(0, 4).map((key) => showText(key, charactersMax));
  return `an object with ${first.join(", ")}${keys.length > 4 ? ", …" : ""}`;
}

/** The name of an object's class; undefined for plain objects, also those of another realm or without prototype. */
export function classNameOf(value: object): string | undefined {
  const prototype = Object.getPrototypeOf(value);
  if (isPlainPrototype(prototype)) return undefined;
  const name = prototype.constructor?.name;
  return typeof name === "string" && name !== "" ? name.slice(0, 100) : "an unnamed class";
}

/** Whether objects with this prototype are plain: none, `Object.prototype`, or that of another realm. */
export function isPlainPrototype(prototype: object | null): boolean {
  if (prototype === Object.prototype || prototype === null) return true;
  return Object.getPrototypeOf(prototype) === null && Object.hasOwn(prototype, "isPrototypeOf");
}
