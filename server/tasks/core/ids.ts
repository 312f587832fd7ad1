/**
 * Ids of tasks and workers. A task's id is a ULID: 48 bits of milliseconds, 80 of chance, in Crockford's base 32, so
 * that ids sort by time as text. Within one process each is greater than the one before, also when many share a
 * millisecond and when the clock goes back: then the latest time stays, and the chance grows by a random step.
 *
 * The 80 bits are kept as two numbers of 40, because BigInt is many times slower.
 * Source: the ULID specification, github.com/ulid/spec.
 */

/** Makes ids; random, so that no two processes need to agree. */
export interface Ids {
  /** 26 characters; greater than every earlier one of this process. */
  taskId(): string;
  /** 32 hexadecimal digits: 128 random bits. */
  incarnation(): string;
}

const alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const timeMaxMs = 2 ** 48 - 1;
const half = 2 ** 40;
const poolBytes = 4096;

/** Every two digits, so that 40 bits are written in four steps. */
const pairs = Array.from({ length: 1024 }, (_, n) => alphabet.charAt(n >> 5) + alphabet.charAt(n & 31));

/**
 * @param now milliseconds since 1970
 * @param randomBytes fit for secrets: ids should not be guessable
 */
export function createIds(now: () => number, randomBytes: (n: number) => Uint8Array): Ids {
  const draw = drawFrom(randomBytes);
  let timeMs = -1;
  let timeText = "";
  let high = 0;
  let highText = "";
  let low = 0;

  function startAt(ms: number): void {
    timeMs = ms;
    timeText = pairText(Math.floor(ms / 2 ** 40)).slice(-2) + pairText(ms % 2 ** 40);
    high = draw() * 256 + (draw() % 256);
    highText = pairText(high);
    low = draw() * 256 + (draw() % 256);
  }

  function step(): void {
    low += draw() + 1;
    if (low < half) return;
    low -= half;
    high += 1;
    // All 80 bits used up within a millisecond: borrow the next one.
    if (high >= half) startAt(Math.min(timeMs + 1, timeMaxMs));
    else highText = pairText(high);
  }

  return {
    taskId() {
      const ms = Math.min(Math.max(0, Math.floor(now())), timeMaxMs);
      if (ms > timeMs) startAt(ms);
      else step();
      return timeText + highText + pairText(low);
    },
    incarnation() {
      return Array.from(randomBytes(16), (byte) => byte.toString(16).padStart(2, "0")).join("");
    },
  };
}

/** Eight digits of a number below 2^40. */
function pairText(value: number): string {
  const upper = Math.floor(value / 2 ** 20);
  const lower = value % 2 ** 20;
  return pairs[upper >> 10]! + pairs[upper & 1023]! + pairs[lower >> 10]! + pairs[lower & 1023]!;
}

/** Random whole numbers below 2^32, from bytes taken many at a time. */
function drawFrom(randomBytes: (n: number) => Uint8Array): () => number {
  let pool = new Uint8Array(0);
  let at = 0;
  return () => {
    if (at + 4 > pool.length) {
      pool = Uint8Array.from(randomBytes(poolBytes));
      at = 0;
    }
    at += 4;
    return pool[at - 4]! * 2 ** 24 + (pool[at - 3]! << 16) + (pool[at - 2]! << 8) + pool[at - 1]!;
  };
}

/** Milliseconds since 1970 at which a generated id was made; undefined when `id` is no canonical ULID. */
export function ulidTime(id: string): number | undefined {
  if (!/^[0-7][0-9A-HJKMNP-TV-Z]{25}$/.test(id)) return undefined;
  let ms = 0;
  for (let index = 0; index < 10; index++) ms = ms * 32 + alphabet.indexOf(id.charAt(index));
  return ms;
}

/** What every id that is generated at `ms` or later is not less than, and every earlier one is less than. */
export function ulidStart(ms: number): string {
  const at = Math.min(Math.max(0, Math.ceil(ms)), timeMaxMs + 1);
  if (at > timeMaxMs) return "8";
  return pairText(Math.floor(at / 2 ** 40)).slice(-2) + pairText(at % 2 ** 40);
}
