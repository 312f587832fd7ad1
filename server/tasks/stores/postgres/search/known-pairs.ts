/**
 * Which pairs had tasks when searches last looked. A page of these is asked for together with the question which pairs there
 * are, one wait for the server instead of two; and once more where the answer has others. A pair without tasks costs a look. Tasks come
 * to run and end all the time, and all of them are one look: so each lane is taken to have some.
 */
import type { StoreSearch } from "../../../core/store.ts";
import type { Pair } from "./search-statements.ts";

/** Of so many combinations of filters, and so many pairs of all of them. */
const filtersMax = 500;
const pairsMax = 20_000;
/** Pairs that have lost their tasks are forgotten after so long, in milliseconds. */
const ageMsMax = 60_000;
/** Lanes are numbered one after another; one of a higher number would make the mask long. */
const laneMax = 100_000;

/** A search keeps what was known when it began, so it is never changed. */
interface Known {
  pairs: readonly Pair[];
  keys: ReadonlySet<number>;
  mask: string | undefined;
  since: number;
}

/** What was known when a search began. */
export interface Look {
  /** Undefined where nobody has looked yet. */
  pairs: readonly Pair[] | undefined;
  /** Where it is enough to ask for others: these, as `maskOf` has them. Else some may have lost their tasks since. */
  mask: string | undefined;
  /** Takes note of what was answered: others, if there is a mask, else all. */
  saw(found: readonly Pair[]): Seen;
}

export interface Seen {
  /** All there are. */
  pairs: readonly Pair[];
  /** Whether all of them were known. */
  areKnown: boolean;
}

export class KnownPairs {
  readonly #byFilters = new Map<string, Known>();
  #all: { tasks: number; since: number } | undefined;
  #count = 0;
  #forgotten = 0;
  #crowdedAt = Number.NEGATIVE_INFINITY;

  look(search: StoreSearch): Look {
    const filters = filtersOf(search);
    const known = this.#byFilters.get(filters);
    const forgotten = this.#forgotten;
    const isOld = known === undefined || performance.now() - known.since > ageMsMax;
    const mask = isOld ? undefined : known.mask;
    return {
      pairs: known?.pairs,
      mask,
      saw: (found) => {
        const others = found.filter((pair) => !known?.keys.has(keyOf(pair)));
        const pairs =
          mask === undefined ? found : others.length === 0 ? known!.pairs : [...known!.pairs, ...others];
        // The answer of a server that is gone says nothing of another one's.
        if ((isOld || others.length > 0) && forgotten === this.#forgotten)
          this.#keep(filters, withRunning(search, pairs), isOld ? performance.now() : known.since);
        return { pairs, areKnown: known !== undefined && others.length === 0 };
      },
    };
  }

  /** About how many tasks there are, whatever their pairs. */
  async all(count: () => Promise<number>): Promise<number> {
    if (!this.#all || performance.now() - this.#all.since > ageMsMax)
      this.#all = { tasks: await count(), since: performance.now() };
    return this.#all.tasks;
  }

  /** Whether more were created within minutes, before some range of the last change, than the list of all tasks is read for. */
  get areCrowded(): boolean {
    return performance.now() - this.#crowdedAt < ageMsMax;
  }

  sawCrowd(): void {
    this.#crowdedAt = performance.now();
  }

  /** A number of a lane may stand for another one from now on. */
  forget(): void {
    this.#forgotten += 1;
    this.#clear();
  }

  #keep(filters: string, pairs: readonly Pair[], since: number): void {
    this.#count -= this.#byFilters.get(filters)?.pairs.length ?? 0;
    this.#byFilters.delete(filters);
    if (this.#byFilters.size >= filtersMax || this.#count + pairs.length > pairsMax) this.#clear();
    this.#byFilters.set(filters, { pairs, keys: new Set(pairs.map(keyOf)), mask: maskOf(pairs), since });
    this.#count += pairs.length;
  }

  #clear(): void {
    this.#all = undefined;
    this.#byFilters.clear();
    this.#count = 0;
  }
}

const running = 2;

function withRunning({ statuses }: StoreSearch, pairs: readonly Pair[]): readonly Pair[] {
  if (statuses && !statuses.includes("RUNNING")) return pairs;
  const byKey = new Map(pairs.map((pair) => [keyOf(pair), pair]));
  for (const { lane, ownIds } of pairs) {
    const pair: Pair = { lane, ownIds, status: running, tasks: 0 };
    if (!byKey.has(keyOf(pair))) byKey.set(keyOf(pair), pair);
  }
  return [...byKey.values()];
}

function keyOf({ lane, status }: Pair): number {
  return lane * 8 + status;
}

/** A byte for each lane, with a bit for each status, as SQL takes it; undefined where that is too long. */
export function maskOf(pairs: readonly Pair[]): string | undefined {
  const last = pairs.reduce((most, { lane }) => Math.max(most, lane), -1);
  if (last > laneMax) return undefined;
  const bytes = Buffer.alloc(last + 1);
  for (const { lane, status } of pairs) bytes[lane]! |= 1 << status;
  return `\\x${bytes.toString("hex")}`;
}

function filtersOf({ types, queues, statuses }: StoreSearch): string {
  return JSON.stringify([types ?? null, queues ?? null, statuses ?? null]);
}
