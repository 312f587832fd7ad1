/** Draws of random tests: the same for the same seed. */
import { seeded } from "./seeded.ts";

export class Chance {
  readonly next: () => number;

  constructor(seed: number) {
    this.next = seeded(seed);
  }

  /** A whole number from 0 on, below another. */
  below(end: number): number {
    return Math.floor(this.next() * end);
  }

  pick<Value>(values: readonly Value[]): Value {
    return values[this.below(values.length)]!;
  }

  /** Whether something happens that happens this often, of 1. */
  happens(share: number): boolean {
    return this.next() < share;
  }

  /** So many of them at most, each once. */
  some<Value>(values: readonly Value[], most: number): Value[] {
    const left = [...values];
    const drawn: Value[] = [];
    while (drawn.length < most && left.length > 0) drawn.push(left.splice(this.below(left.length), 1)[0]!);
    return drawn;
  }
}
