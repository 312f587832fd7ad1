/**
 * Which share of all tasks has a trigram in its text, as known from earlier searches. To look takes a third of a
 * millisecond, and a text has up to sixteen; who turns a page, or types one letter more, asks for the same ones again. Shares
 * only tell which trigrams to ask the index for: an old one makes a search slower, never wrong.
 */
export class TrigramShares {
  readonly #now: () => number;
  readonly #shares = new Map<string, { share: number; until: number }>();

  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  of(trigram: string, look: () => number): number {
    const now = this.#now();
    const known = this.#shares.get(trigram);
    if (known && now < known.until) return known.share;
    const share = look();
    // Behind all others, so that the first one is the one that was looked at longest ago.
    this.#shares.delete(trigram);
    if (this.#shares.size >= knownMax) this.#shares.delete(this.#shares.keys().next().value!);
    this.#shares.set(trigram, { share, until: now + knownMs });
    return share;
  }
}

export const knownMs = 60_000;
export const knownMax = 2_000;
