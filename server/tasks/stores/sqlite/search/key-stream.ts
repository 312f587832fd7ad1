/**
 * Keys of one statement, in its order. Asked one by one each takes three times as long as among others, and an iterator costs as
 * much as ten keys, so they are read by portions: as many as will be wanted at first, then some more, and one by one from where
 * that has grown large. The snapshot keeps what was read in its place.
 */
import type { SQLInputValue } from "node:sqlite";
import type { StoreSearch } from "../../../core/store.ts";
import type { Connection } from "../connection.ts";
import type { Begun } from "./kept-heads.ts";
import type { Key } from "./search-key.ts";
import type { Pair, SearchStatement } from "./search-statements.ts";

/** Keys of a portion; further ones are read one by one. */
const portionMax = 500;
const growth = 4;
/** The first portion of a stream that is not dense. */
const sparseFirst = 4;
const ended = { done: true, value: undefined } as const;

/**
 * @param first how many will be wanted, about; the statement has no LIMIT
 * @param begun what is kept of the same statement
 */
export function streamKeys(
  connection: Connection,
  statement: SearchStatement,
  first: number,
  begun?: Begun,
): Iterator<Key, undefined> {
  return new KeyStream(connection, statement, Math.min(portionMax, first), begun);
}

export type PageSize = Pick<StoreSearch, "offset" | "limit">;

/**
 * How many keys of one of the pairs will be wanted for a page, if all are as near to it as they are large. Few where a stream is
 * not dense: where it may pass over many tasks to find one that fits.
 */
export function shareOfPage(
  { offset, limit }: PageSize,
  pairs: readonly Pair[],
  isDense = true,
): (pair: Pair) => number {
  const page = Math.min(isDense ? portionMax : sparseFirst, offset + limit);
  const total = pairs.reduce((sum, { tasks }) => sum + tasks, 1);
  return ({ tasks }) => Math.min(page, 2 + Math.ceil((page * tasks) / total));
}

class KeyStream implements Iterator<Key, undefined> {
  readonly #connection: Connection;
  readonly #text: string;
  readonly #values: readonly SQLInputValue[];
  readonly #begun: Begun | undefined;
  #size: number;
  #keys: readonly Key[] = [];
  #place = 0;
  #read = 0;
  #isEnd = false;
  #rest: Iterator<Key> | undefined;

  constructor(connection: Connection, { text, values }: SearchStatement, first: number, begun?: Begun) {
    this.#connection = connection;
    this.#begun = begun;
    this.#text = `${text} LIMIT ? OFFSET ?`;
    this.#values = values;
    this.#size = first;
  }

  next(): IteratorResult<Key, undefined> {
    if (this.#place === this.#keys.length && !this.#isEnd) this.#readOn();
    if (this.#place < this.#keys.length) return { done: false, value: this.#keys[this.#place++]! };
    const next = this.#rest?.next();
    return !next || next.done ? ended : next;
  }

  return(): IteratorResult<Key, undefined> {
    this.#isEnd = true;
    this.#keys = [];
    this.#place = 0;
    this.#rest?.return?.();
    return ended;
  }

  #readOn(): void {
    this.#place = 0;
    const begun = this.#begun;
    if (begun && this.#read < begun.keys.length) {
      this.#keys = this.#read === 0 ? begun.keys : begun.keys.slice(this.#read);
      this.#read = begun.keys.length;
      this.#isEnd = begun.isEnd;
      return;
    }
    if (this.#size > portionMax) {
      this.#isEnd = true;
      this.#keys = [];
      this.#rest = iterate(this.#connection, this.#text, [...this.#values, -1, this.#read]);
      return;
    }
    const statement = this.#connection.prepare(this.#text);
    this.#keys = statement.all(...this.#values, this.#size, this.#read) as unknown as Key[];
    this.#isEnd = this.#keys.length < this.#size;
    begun?.add(this.#keys, this.#read, this.#isEnd);
    this.#read += this.#keys.length;
    this.#size *= growth;
  }
}

/** Keys read one by one; `return` lets go of the statement, also after the last key. */
export function iterate(connection: Connection, text: string, values: SQLInputValue[]): Iterator<Key> {
  const statement = connection.borrow(text);
  const keys = statement.iterate(...values) as unknown as Iterator<Key>;
  return {
    next: () => keys.next(),
    return: () => {
      keys.return?.();
      connection.giveBack(text, statement);
      return { done: true, value: undefined };
    },
  };
}

/** A stream of which it is known where it begins: opened where that is come to. */
export function* headed(head: Key, open: () => Iterator<Key>): Generator<Key, undefined> {
  yield head;
  const stream = open();
  try {
    for (let next = stream.next(); !next.done; next = stream.next()) yield next.value;
    return undefined;
  } finally {
    stream.return?.();
  }
}
