/**
 * What each pair of lane and status begins with in an order: a search of all types asks hundreds of pairs for that, of which few have
 * changed since another search did. So a reading thread keeps what they said, and asks those again that have changed.
 *
 * A commit that changes a pair notes how many tasks it has, and when it was changed last. Instants never go back from one commit to the
 * next, so a pair that was changed last before the latest change of all is noted anew by every later change. Where the clock was set
 * back, all is asked again.
 */
import type { SQLInputValue } from "node:sqlite";
import type { StoreSearch } from "../../../core/store.ts";
import { changeSql } from "../change-statements.ts";
import type { Connection } from "../connection.ts";
import { type Pair, placesOf } from "./search-statements.ts";

/** What is kept of all statements together; beyond that all are asked again. */
const keptMax = 20_000;

type Head = number | string | null;

interface Kept {
  tasks: number;
  changedAt: number;
  head: Head;
}

class KeptHeads {
  readonly #byStatement = new Map<string, Map<number, Kept>>();
  #step: number | undefined;
  #kept = 0;

  /** By `lane * 8 + status`. */
  of(name: string, step: number): Map<number, Kept> {
    if (step !== this.#step || this.#kept > keptMax) {
      this.#byStatement.clear();
      this.#kept = 0;
    }
    this.#step = step;
    const known = this.#byStatement.get(name);
    if (known) return known;
    const heads = new Map<number, Kept>();
    this.#byStatement.set(name, heads);
    return heads;
  }

  keep(heads: Map<number, Kept>, { lane, status, tasks, changedAt }: Pair, head: Head): void {
    const place = lane * 8 + status;
    if (!heads.has(place)) this.#kept += 1;
    heads.set(place, { tasks, changedAt, head });
  }
}

/**
 * Of each pair what the statement answers for it, one row each; null for nothing.
 * @param text takes the pairs as JSON before its values
 * @param isKept whether the same is likely asked again
 */
export function headsOf<One extends Head>(
  connection: Connection,
  { text, values }: { text: string; values: readonly SQLInputValue[] },
  pairs: readonly Pair[],
  isKept: boolean,
): (One | null)[] {
  const ask = (asked: readonly Pair[]) => {
    const rows = connection.prepare(text).all(placesOf(asked), ...values) as unknown as [One | null][];
    return rows.map(([head]) => head);
  };
  if (!isKept) return ask(pairs);
  const all = connection.lasting(
    "heads",
    () => new KeptHeads(),
    () => true,
  );
  const { latest, step } = latestOf(connection);
  const kept = all.of(`${text}\n${values.join("\n")}`, step);
  const heads = pairs.map(({ lane, status, tasks, changedAt }) => {
    const known = kept.get(lane * 8 + status);
    return known && known.tasks === tasks && known.changedAt === changedAt ? known.head : undefined;
  }) as (One | null | undefined)[];
  const places = heads.flatMap((head, place) => (head === undefined ? [place] : []));
  if (places.length > 0) {
    const asked = places.map((place) => pairs[place]!);
    ask(asked).forEach((head, index) => {
      const pair = asked[index]!;
      heads[places[index]!] = head;
      if (pair.changedAt < latest) all.keep(kept, pair, head);
    });
  }
  return heads as (One | null)[];
}

/** Of instants and places that somebody chose the same is hardly asked again. */
export function mayRepeat({ after, created, updated }: StoreSearch): boolean {
  const bounds = [created?.start, created?.end, updated?.start, updated?.end];
  return !after && bounds.every((bound) => bound === undefined);
}

function latestOf(connection: Connection): { latest: number; step: number } {
  return connection.once("latest change", () => {
    const [latest] = connection.prepare(changeSql.latestChange).get() as unknown as [number];
    const [step] = connection.prepare(changeSql.clockSteps).get(0) as unknown as [number];
    return { latest, step };
  });
}
