/** The order of ids everywhere: by code point, which is the order of their UTF-8 bytes, as databases compare them. */

const surrogate = /[\ud800-\udfff]/;

/** Below zero when `a` comes first. JavaScript's own `<` differs only where surrogates are involved. */
export function compareText(a: string, b: string): number {
  if (a === b) return 0;
  if (!surrogate.test(a) && !surrogate.test(b)) return a < b ? -1 : 1;
  return compareCodePoints(a, b);
}

function compareCodePoints(a: string, b: string): number {
  const left = Array.from(a);
  const right = Array.from(b);
  const shorter = Math.min(left.length, right.length);
  for (let index = 0; index < shorter; index++) {
    const difference = codePointOf(left[index]!) - codePointOf(right[index]!);
    if (difference !== 0) return difference;
  }
  return left.length - right.length;
}

/** Half a surrogate pair is no letter, and a database keeps the letter for what is none in its place. */
function codePointOf(character: string): number {
  const code = character.codePointAt(0)!;
  return code >= 0xd800 && code <= 0xdfff ? 0xfffd : code;
}
