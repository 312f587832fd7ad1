/**
 * Blocks of neighbouring tasks in the index of texts: which of them a search reads, and between which instants the tasks of
 * those that are still to be read were created. Ten million tasks have ten thousand blocks, and most pages end in the first
 * few: so the database is asked about the rest of them, and only who goes on reads them all.
 */
import type { StoreSearch } from "../../../core/store.ts";
import { isDownwards } from "../../shared/search-bounds.ts";
import type { Connection } from "../connection.ts";
import { createdBounds } from "../search/key-source.ts";
import { blockSize } from "./texts.ts";

/** So often the rest is asked about; then all blocks are read. */
const askedMax = 4;

/** Numbers of tasks; both included. */
export interface SeqRange {
  first: number;
  last: number;
}

type Block = [block: number, firstAt: number, lastAt: number];

export class TextBlocks {
  /** The last number that a task of the newest block can have. */
  readonly newest: number;
  /** Of the blocks that may have tasks which were created when the search wants them. */
  readonly range: SeqRange;
  readonly #connection: Connection;
  readonly #sql: typeof ofAll;
  readonly #bounds: readonly number[];
  readonly #isDownwards: boolean;
  #asked = 0;
  /** In the order of reading, each with the foremost instant of it and of all after it. */
  #rest: readonly [block: number, foremostAt: number][] | undefined;

  constructor(connection: Connection, search: StoreSearch) {
    const { from, to } = createdBounds(search);
    this.#connection = connection;
    const isAll = from === Number.MIN_SAFE_INTEGER && to >= Number.MAX_SAFE_INTEGER - 1;
    this.#sql = isAll ? ofAll : ofBounds;
    this.#bounds = isAll ? [] : [from, to];
    this.#isDownwards = isDownwards(search);
    const [newest] = connection.prepare(this.#sql.newest).get() as unknown as [number | null];
    this.newest = ((newest ?? 0) + 1) * blockSize - 1;
    const ends = connection.prepare(this.#sql.ends).get(...this.#bounds) as unknown as (number | null)[];
    const [first, last] = ends.map((block) => block ?? -1) as [number, number];
    this.range = { first: first * blockSize, last: (last + 1) * blockSize - 1 };
  }

  /** The foremost instant, in the order of reading, of this block and of those after it; undefined when none of them is read. */
  foremostFrom(block: number): number | undefined {
    if (!this.#rest && this.#asked < askedMax) {
      this.#asked += 1;
      const text = this.#isDownwards ? this.#sql.foremostDownwards : this.#sql.foremostUpwards;
      const [at] = this.#connection.prepare(text).get(...this.#bounds, block) as unknown as [number | null];
      return at ?? undefined;
    }
    this.#rest ??= this.#readAll();
    return this.#rest[this.#placeOf(block, this.#rest)]?.[1];
  }

  /** The first place, in the order of reading, of this block or of one after it. */
  #placeOf(block: number, blocks: readonly [block: number, foremostAt: number][]): number {
    let [low, high] = [0, blocks.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      const isBefore = this.#isDownwards ? blocks[middle]![0] > block : blocks[middle]![0] < block;
      if (isBefore) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #readAll(): [block: number, foremostAt: number][] {
    const blocks = this.#connection.prepare(this.#sql.all).all(...this.#bounds) as unknown as Block[];
    if (!this.#isDownwards) blocks.reverse();
    let foremost = this.#isDownwards ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
    // From the last to be read to the first.
    return blocks
      .map(([block, firstAt, lastAt]): [number, number] => {
        foremost = this.#isDownwards ? Math.max(foremost, lastAt) : Math.min(foremost, firstAt);
        return [block, foremost];
      })
      .reverse();
  }
}

const ofAll = blocksSql("text_blocks WHERE true");
/** Those that may have tasks which were created between two instants. Both instants of a block change, so no index has them. */
const ofBounds = blocksSql("text_blocks WHERE last_at >= ?1 AND first_at <= ?2");

/** The last of its values is a block, where one is compared. */
function blocksSql(blocks: string) {
  return {
    newest: "/* dure:newestBlock */ SELECT max(block) FROM text_blocks",
    all: `/* dure:textBlocks */ SELECT block, first_at, last_at FROM ${blocks} ORDER BY block`,
    // Each by itself is the first row of the table that fits.
    ends: `/* dure:endsOfBlocks */ SELECT (SELECT min(block) FROM ${blocks}), (SELECT max(block) FROM ${blocks})`,
    foremostDownwards: `/* dure:foremostBlock */ SELECT max(last_at) FROM ${blocks} AND block <= ?`,
    foremostUpwards: `/* dure:foremostBlock */ SELECT min(first_at) FROM ${blocks} AND block >= ?`,
  } as const;
}
