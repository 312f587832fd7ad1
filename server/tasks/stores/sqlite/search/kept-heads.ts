/**
 * What each pair of lane and status begins with in an order: a search of all types asks hundreds of pairs for that, of which few have
 * changed since another search did. So a reading thread keeps what they said, with the keys that were read of those on the page, and asks
 * those again that have changed.
 *
 * A commit that changes a pair notes how many tasks it has, and when it was changed last. Instants never go back from one commit to the
 * next, so a pair that was changed last before the latest change of all is noted anew by every later change. Where the clock was set
 * back, all is asked again.
 */
import type { SQLInputValue } from "node:sqlite";
import type { StoreSearch } from "../../../core/store.ts";
import { changeSql } from "../change-statements.ts";
import type { Connection } from "../connection.ts";
import { searchIndexes } from "../statements.ts";
import type { Key } from "./search-key.ts";
import { ofPairs, type Pair, placesOf, withPairs } from "./search-statements.ts";

/** What is kept of all statements together; beyond that all are asked again. */
const keptMax = 20_000;
/** Keys that are kept of all streams together, some hundred bytes each, and of one. */
const [keysMax, keysOfStreamMax] = [20_000, 100];

type Head = number | string | null;

interface Kept {
  tasks: number;
  changedAt: number;
  head: Head;
  begun: Begun;
}

/** The first keys of the stream that a pair begins with so, as far as they were read before. */
export class Begun {
  keys: readonly Key[] = [];
  /** Whether there are no others. */
  isEnd = false;
  readonly #kept: KeptHeads;

  constructor(kept: KeptHeads) {
    this.#kept = kept;
  }

  /** @param keys that follow so many others, which are those that are kept or nothing is added */
  add(keys: readonly Key[], others: number, isEnd: boolean): void {
    this.#kept.makeRoom();
    const all = others + keys.length;
    if (this.keys.length !== others || all > keysOfStreamMax) return;
    this.#kept.countKeys(this, keys.length);
    this.keys = [...this.keys, ...keys];
    this.isEnd = isEnd;
  }

  drop(): void {
    this.keys = [];
    this.isEnd = false;
  }
}

class KeptHeads {
  readonly #byStatement = new Map<string, Map<number, Kept>>();
  readonly #begun = new Set<Begun>();
  #step: number | undefined;
  #kept = 0;
  #keys = 0;

  /** By `lane * 8 + status`. */
  of(name: string, step: number): Map<number, Kept> {
    if (step !== this.#step || this.#kept > keptMax) {
      this.#byStatement.clear();
      this.#kept = 0;
      this.#dropKeys();
    }
    this.#step = step;
    const known = this.#byStatement.get(name);
    if (known) return known;
    const heads = new Map<number, Kept>();
    this.#byStatement.set(name, heads);
    return heads;
  }

  keep(heads: Map<number, Kept>, { lane, status, tasks, changedAt }: Pair, head: Head): Begun {
    const place = lane * 8 + status;
    const known = heads.get(place);
    if (!known) this.#kept += 1;
    else if (this.#begun.delete(known.begun)) this.#keys -= known.begun.keys.length;
    const begun = new Begun(this);
    heads.set(place, { tasks, changedAt, head, begun });
    return begun;
  }

  /** May drop the keys of all. */
  makeRoom(): void {
    if (this.#keys > keysMax) this.#dropKeys();
  }

  countKeys(begun: Begun, keys: number): void {
    this.#begun.add(begun);
    this.#keys += keys;
  }

  #dropKeys(): void {
    for (const begun of this.#begun) begun.drop();
    this.#begun.clear();
    this.#keys = 0;
  }
}

/** What a pair begins with, null for nothing; and the first keys of its stream, where they are kept. */
interface Beginning<One extends Head> {
  head: One | null;
  begun?: Begun;
}

/**
 * Of each pair what the statement answers for it, one row each; null for nothing.
 * @param text takes the pairs as JSON before its values
 * @param isKept whether the same is likely asked again
 */
export function headsOf<One extends Head>(
  connection: Connection,
  statement: { text: string; values: readonly SQLInputValue[] },
  pairs: readonly Pair[],
  isKept: boolean,
): (One | null)[] {
  return beginningsOf<One>(connection, statement, pairs, isKept).map(({ head }) => head);
}

/** As `headsOf`. The keys are those of one stream: what is asked says all of what it gives. */
export function beginningsOf<One extends Head>(
  connection: Connection,
  { text, values }: { text: string; values: readonly SQLInputValue[] },
  pairs: readonly Pair[],
  isKept: boolean,
): Beginning<One>[] {
  const ask = (asked: readonly Pair[]) => {
    const rows = connection.prepare(text).all(placesOf(asked), ...values) as unknown as [One | null][];
    return rows.map(([head]) => head);
  };
  if (!isKept) return ask(pairs).map((head) => ({ head }));
  const all = connection.lasting(
    "heads",
    () => new KeptHeads(),
    () => true,
  );
  const kept = all.of(`${text}\n${values.join("\n")}`, latestStep(connection));
  const found = pairs.map(({ lane, status, tasks, changedAt }) => {
    const known = kept.get(lane * 8 + status);
    return known && known.tasks === tasks && known.changedAt === changedAt ? known : undefined;
  }) as (Beginning<One> | undefined)[];
  const places = found.flatMap((known, place) => (known === undefined ? [place] : []));
  if (places.length > 0) {
    const asked = places.map((place) => pairs[place]!);
    const latest = latestChange(connection);
    ask(asked).forEach((head, index) => {
      const pair = asked[index]!;
      const isWhole = pair.changedAt < latest;
      found[places[index]!] = isWhole ? { head, begun: all.keep(kept, pair, head) } : { head };
    });
  }
  return found as Beginning<One>[];
}

/** Those of the pairs that have any task in the index. Which have none is kept: mostly none of them is looked at. */
export function withAny<One extends Pair>(
  connection: Connection,
  { index, condition }: { index: string; condition: string },
  pairs: readonly One[],
): One[] {
  if (pairs.length === 0) return [];
  const heads = headsOf(connection, { text: anySql(index, condition), values: [] }, pairs, true);
  return pairs.filter((_, place) => heads[place] !== null);
}

/** Of pairs as JSON 1 for each that has any. */
export function anySql(index: string, condition: string): string {
  const ofPair = `tasks.lane = pairs.lane AND tasks.status = pairs.status AND ${condition}`;
  return `${withPairs} SELECT (SELECT 1 FROM tasks INDEXED BY ${index} WHERE ${ofPair} LIMIT 1) FROM pairs`;
}

/** Those of pairs that wait in which any task was changed before. */
export function cameBack<One extends Pair>(connection: Connection, waiting: readonly One[]): One[] {
  return withAny(connection, ofIndex("updated"), waiting);
}

/** Those of the pairs in which any task was changed long after its creation. */
export function withLate(connection: Connection, pairs: readonly Pair[]): Pair[] {
  return withAny(connection, ofIndex("lateUpdated"), pairs);
}

function ofIndex(from: keyof typeof searchIndexes): { index: string; condition: string } {
  const { index, condition } = searchIndexes[from];
  return { index, condition: ofPairs(condition) };
}

/** Of instants and places that somebody chose the same is hardly asked again. */
export function mayRepeat({ after, created, updated }: StoreSearch): boolean {
  const bounds = [created?.start, created?.end, updated?.start, updated?.end];
  return !after && bounds.every((bound) => bound === undefined);
}

/** When any pair was changed last. */
export function latestChange(connection: Connection): number {
  return connection.once("latest change", () => {
    const [latest] = connection.prepare(changeSql.latestChange).get() as unknown as [number];
    return latest;
  });
}

/** How often the clock was set back. */
export function latestStep(connection: Connection): number {
  return connection.once("clock step", () => {
    const [step] = connection.prepare(changeSql.clockSteps).get(0) as unknown as [number];
    return step;
  });
}
