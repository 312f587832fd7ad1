/**
 * JSON as somebody typed or sent it, refused where reading it would lose something: of a key that stands twice in an object only
 * the last would be left, an integer beyond 2^53 would become a neighbour, and 1e400 would be Infinity.
 */

const quote = 34;
const backslash = 92;
const colon = 58;

/** @throws SyntaxError, for what is no JSON too; its message says what is wrong */
export function parseJson(text: string): unknown {
  const value: unknown = JSON.parse(text);
  refuseLossy(text);
  return value;
}

/** Goes through a text that is known to be JSON, without recursion, however deep it is: tens of milliseconds for a MiB. */
function refuseLossy(text: string): void {
  /** One for each open bracket: the keys of an object so far, once there are any. */
  const open: (Set<string> | undefined)[] = [];
  let latest = 0;
  let place = 0;
  while (place < text.length) {
    const code = text.charCodeAt(place);
    const from = place;
    place += 1;
    if (code === quote) {
      latest = from;
      place = endOfString(text, place);
    } else if (isNumeric(code)) {
      while (isNumeric(text.charCodeAt(place)) || isWithinNumber(text.charCodeAt(place))) place += 1;
      if (place - from > 15 || hasExponent(text, from, place)) refuseInexact(text.slice(from, place));
    } else if (code === colon) {
      addKey(open, text.slice(latest, text.lastIndexOf('"', from) + 1));
    } else if (code === 123 || code === 91) open.push(undefined);
    else if (code === 125 || code === 93) open.pop();
  }
}

/** After the quote that ends it. */
function endOfString(text: string, from: number): number {
  for (let end = text.indexOf('"', from); ; end = text.indexOf('"', end + 1)) {
    let slashes = 0;
    while (text.charCodeAt(end - 1 - slashes) === backslash) slashes += 1;
    if (slashes % 2 === 0) return end + 1;
  }
}

/** A digit or a minus. */
function isNumeric(code: number): boolean {
  return (code >= 48 && code <= 57) || code === 45;
}

/** A point, a plus, or the letter of an exponent. */
function isWithinNumber(code: number): boolean {
  return code === 46 || code === 43 || code === 101 || code === 69;
}

function hasExponent(text: string, from: number, to: number): boolean {
  for (let place = from; place < to; place += 1) if ((text.charCodeAt(place) | 32) === 101) return true;
  return false;
}

function addKey(open: (Set<string> | undefined)[], token: string): void {
  const key = token.includes("\\") ? (JSON.parse(token) as string) : token.slice(1, -1);
  const keys = open.pop() ?? new Set();
  open.push(keys);
  if (keys.has(key)) throw new SyntaxError(`The key ${token} stands twice in one object`);
  keys.add(key);
}

function refuseInexact(token: string): void {
  const value = Number(token);
  // As JavaScript itself writes the number, which is not always all of its digits; or all of them.
  const isExact = () => !/^-?\d+$/.test(token) || token === String(value) || BigInt(token) === BigInt(value);
  if (Number.isFinite(value) && isExact()) return;
  throw new SyntaxError(`The number ${token.slice(0, 40)} cannot be kept as it is; write it as text`);
}
