/** The first of many in an order, without keeping the others: what has no order by index is looked through for a page. */

/** So many more than are wanted are kept before they are sorted and the last ones dropped. */
const spare = 1_000;

export class Best<One> {
  readonly #most: number;
  readonly #compare: (a: One, b: One) => number;
  #kept: One[] = [];

  constructor(most: number, compare: (a: One, b: One) => number) {
    this.#most = most;
    this.#compare = compare;
  }

  add(one: One): void {
    if (this.#kept.push(one) >= 2 * this.#most + spare) this.sorted();
  }

  /** At most so many, in order. */
  sorted(): One[] {
    this.#kept = this.#kept.sort(this.#compare).slice(0, this.#most);
    return this.#kept;
  }
}
