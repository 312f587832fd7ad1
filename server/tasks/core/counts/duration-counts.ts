/**
 * Many durations as counts by size: exact below 16 ms, then eight buckets to every doubling. A bucket is at most an
 * eighth of its lower end wide and stands for its middle, so a percentile is off by at most a sixteenth (6.25 %).
 */

/** How many durations fell into each bucket, by its index; sparse. */
export type DurationCounts = Readonly<Record<number, number>>;

/** Durations of one kind: their counts, and the longest. In milliseconds. */
export interface Durations {
  counts: DurationCounts;
  max: number;
}

/** The 50th, 95th and 99th percentile (each at most 6.25 % off) and the longest of all, in milliseconds. */
export interface Percentiles {
  p50: number;
  p95: number;
  p99: number;
  /** Exact. */
  max: number;
}

/** Three bits of a duration beside its leading one tell its bucket. */
const bits = 3;
const perDoubling = 2 ** bits;
/** 2⁴³ ms, 278 years: longer durations count as this. */
const longest = 2 ** 43 - 1;

/** How many buckets there are. */
export const bucketsMax = bucketOf(longest) + 1;

/** The bucket of a duration in milliseconds; negative ones, which a clock set back makes, count as 0. */
export function bucketOf(ms: number): number {
  if (!(ms >= 1)) return 0;
  if (ms >= 2 ** 31) return bucketOfLong(Math.min(ms, longest));
  const whole = ms | 0;
  const doublings = 31 - Math.clz32(whole) - bits;
  return doublings <= 0 ? whole : doublings * perDoubling + (whole >> doublings);
}

function bucketOfLong(ms: number): number {
  const shifted = 12;
  return bucketOf(Math.floor(ms / 2 ** shifted)) + shifted * perDoubling;
}

/** What a bucket's durations count as, in milliseconds. */
export function middleOf(bucket: number): number {
  if (bucket < 2 * perDoubling) return bucket;
  const doublings = Math.floor(bucket / perDoubling) - 1;
  return shortestOf(bucket) + Math.floor((2 ** doublings - 1) / 2);
}

/** The shortest duration of a bucket, in milliseconds. */
export function shortestOf(bucket: number): number {
  if (bucket < 2 * perDoubling) return bucket;
  const doublings = Math.floor(bucket / perDoubling) - 1;
  return (bucket - doublings * perDoubling) * 2 ** doublings;
}

/** Adds up durations of one kind. */
export class DurationSum implements Durations {
  readonly counts: Record<number, number> = {};
  max = 0;

  add({ counts, max }: Durations): void {
    for (const bucket in counts) this.counts[bucket] = (this.counts[bucket] ?? 0) + counts[bucket]!;
    if (max > this.max) this.max = max;
  }

  /** One duration in milliseconds, or as many as are alike. */
  count(ms: number, times = 1): void {
    const bucket = bucketOf(ms);
    this.counts[bucket] = (this.counts[bucket] ?? 0) + times;
    if (ms > this.max) this.max = ms;
  }
}

/** By nearest rank; undefined where there is no duration. */
export function percentilesOf({ counts, max }: Durations): Percentiles | undefined {
  const buckets = Object.keys(counts).map(Number);
  const total = buckets.reduce((sum, bucket) => sum + counts[bucket]!, 0);
  if (total === 0) return undefined;
  const at = (share: number) => Math.min(max, middleOf(bucketAt(counts, buckets, Math.ceil(share * total))));
  return { p50: at(0.5), p95: at(0.95), p99: at(0.99), max };
}

/** The bucket of the duration of this rank. `buckets` are ascending, as the keys of an object that are integers are. */
function bucketAt(counts: DurationCounts, buckets: readonly number[], rank: number): number {
  let passed = 0;
  for (const bucket of buckets) {
    passed += counts[bucket]!;
    if (passed >= rank) return bucket;
  }
  return buckets.at(-1)!;
}
