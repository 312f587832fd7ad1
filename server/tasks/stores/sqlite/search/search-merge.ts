/** Streams of keys, each in order, made one. */
import { isPlace, type Key } from "./search-key.ts";

/** Tasks whose rows are looked at together. */
export const keysAtOnceMax = 500;

/** Keys without the places among them: so many at first, then twice as many each time, and the rest. Ends the stream. */
export function* chunksOfKeys(keys: Iterator<Key>, first: number): Generator<Key[]> {
  try {
    for (let size = Math.min(first, keysAtOnceMax); ; size = Math.min(keysAtOnceMax, 2 * size)) {
      const chunk: Key[] = [];
      while (chunk.length < size) {
        const next = keys.next();
        if (next.done) break;
        if (!isPlace(next.value)) chunk.push(next.value);
      }
      if (chunk.length > 0) yield chunk;
      if (chunk.length < size) return;
    }
  } finally {
    keys.return?.();
  }
}

/**
 * All keys of the streams in order, and the places among them. A stream may begin with a place that is not behind its first
 * key: then the key itself is not read before the place is reached. Ends the streams when it ends, however that is.
 */
export function* mergeInOrder(
  streams: readonly Iterator<Key>[],
  compare: (a: Key, b: Key) => number,
): Generator<Key, undefined> {
  try {
    const heap = new Heap(compare);
    for (const stream of streams) heap.add(stream);
    for (;;) {
      const head = heap.first;
      if (!head) return undefined;
      yield head;
      heap.advance();
    }
  } finally {
    for (const stream of streams) stream.return?.();
  }
}

/** So long the first of two ways is followed alone: mostly it has a page by then, and the other one is not begun. */
const aloneMs = 4;

/**
 * The keys that two ways both give in the same order, from the one that is ahead. They are followed in turn, for as long one
 * as the other, so that it takes little more than twice as long as the shorter way alone.
 */
export function* sooner(
  [first, second]: readonly [first: Iterator<Key>, second: () => Iterator<Key>],
  compare: (a: Key, b: Key) => number,
): Generator<Key, undefined> {
  const ways: Iterator<Key>[] = [first];
  const spent: [number, number] = [0, 0];
  let latest: Key | undefined;
  try {
    for (;;) {
      const turn = spent[0] <= spent[1] + aloneMs ? 0 : 1;
      const began = performance.now();
      ways[turn] ??= second();
      const next = ways[turn].next();
      spent[turn] += performance.now() - began;
      if (next.done) return undefined;
      if (latest && compare(latest, next.value) >= 0) continue;
      latest = next.value;
      yield latest;
    }
  } finally {
    for (const way of ways) way.return?.();
  }
}

interface Head {
  key: Key;
  stream: Iterator<Key>;
}

/** A binary heap: no head is behind those below it. */
class Heap {
  readonly #heads: Head[] = [];
  readonly #compare: (a: Key, b: Key) => number;

  constructor(compare: (a: Key, b: Key) => number) {
    this.#compare = compare;
  }

  get first(): Key | undefined {
    return this.#heads[0]?.key;
  }

  add(stream: Iterator<Key>): void {
    const next = stream.next();
    if (next.done) return;
    const heads = this.#heads;
    let place = heads.push({ key: next.value, stream }) - 1;
    while (place > 0) {
      const above = (place - 1) >> 1;
      if (this.#compare(heads[place]!.key, heads[above]!.key) >= 0) return;
      this.#swap(place, above);
      place = above;
    }
  }

  /** Goes on in the stream of the first head. */
  advance(): void {
    const heads = this.#heads;
    const next = heads[0]!.stream.next();
    if (next.done) {
      const last = heads.pop()!;
      if (heads.length === 0) return;
      heads[0] = last;
    } else heads[0]!.key = next.value;
    this.#sink();
  }

  #sink(): void {
    const heads = this.#heads;
    let place = 0;
    for (;;) {
      let least = place;
      for (const below of [2 * place + 1, 2 * place + 2]) {
        if (below < heads.length && this.#compare(heads[below]!.key, heads[least]!.key) < 0) least = below;
      }
      if (least === place) return;
      this.#swap(place, least);
      place = least;
    }
  }

  #swap(one: number, other: number): void {
    const kept = this.#heads[one]!;
    this.#heads[one] = this.#heads[other]!;
    this.#heads[other] = kept;
  }
}
