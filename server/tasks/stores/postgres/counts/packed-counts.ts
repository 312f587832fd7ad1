/**
 * How the counts of a stretch of time are packed: part after part, of an hour its minutes and of a day its hours. A part says how many
 * pairs of lane and state have tasks in it, and of each by how much its number is above the one before, and how many tasks: a byte
 * for each of these as a rule, since most are below 128.
 */

/** How many tasks of a pair (lane * 8 + state) a part has. */
type PartCounts = ReadonlyMap<number, number>;

/** @returns the bytes, and from which byte on each part lies in them, counted from 1, and where the last one ends */
export function packCounts(parts: readonly PartCounts[]): { bytes: Buffer; places: number[] } {
  const bytes: number[] = [];
  const places = [1];
  for (const part of parts) {
    const counts = [...part].filter(([, tasks]) => tasks !== 0).sort(([a], [b]) => a - b);
    addNumber(bytes, counts.length);
    let before = 0;
    for (const [pair, tasks] of counts) {
      addNumber(bytes, pair - before);
      addNumber(bytes, tasks);
      before = pair;
    }
    places.push(bytes.length + 1);
  }
  return { bytes: Buffer.from(bytes), places };
}

/** Seven bits to a byte, the lowest first; all but the last have the eighth. */
function addNumber(bytes: number[], number: number): void {
  let rest = number;
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) + 128);
  bytes.push(rest);
}

/**
 * Gives the counts of some parts that lie one after another. Numbers are put together in one loop over the bytes, which ends with these:
 * where a function inside of this one moved the place, V8's optimized code (Node 26, `--function-context-cells`) went on from a stale one.
 * @param use with the place of the part among these
 */
export function eachPacked(
  bytes: Uint8Array,
  use: (part: number, pair: number, tasks: number) => void,
): void {
  let part = 0;
  let pair = 0;
  /** Of the part, numbers that are still to come: two for each pair. */
  let left = 0;
  let number = 0;
  let unit = 1;
  for (let at = 0; at < bytes.length; at += 1) {
    const byte = bytes[at]!;
    if (byte >= 128) {
      number += (byte - 128) * unit;
      unit *= 128;
      continue;
    }
    number += byte * unit;
    if (left === 0) {
      left = 2 * number;
      pair = 0;
    } else {
      left -= 1;
      if (left % 2 === 1) pair += number;
      else use(part, pair, number);
    }
    if (left === 0) part += 1;
    number = 0;
    unit = 1;
  }
  if (left > 0 || unit > 1) throw new Error(`Packed counts end in the midst of part ${part}.`);
}
