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

/** Gives the counts of some parts that lie one after another. @param use with the place of the part among these */
export function eachPacked(
  bytes: Uint8Array,
  use: (part: number, pair: number, tasks: number) => void,
): void {
  let at = 0;
  const more = (low: number): number => {
    let number = low - 128;
    for (let unit = 128; ; unit *= 128) {
      const byte = bytes[at++]!;
      if (byte < 128) return number + byte * unit;
      number += (byte - 128) * unit;
    }
  };
  for (let part = 0; at < bytes.length; part += 1) {
    const first = bytes[at++]!;
    const count = first < 128 ? first : more(first);
    let pair = 0;
    for (let n = 0; n < count; n += 1) {
      const step = bytes[at++]!;
      pair += step < 128 ? step : more(step);
      const tasks = bytes[at++]!;
      use(part, pair, tasks < 128 ? tasks : more(tasks));
    }
  }
}
