/**
 * Candidates of a search for tasks that wait and are due within a range, newest first, where none is due before it was created: then those that
 * were created before the range are behind all others, and are looked for where that is come to. Many of them are found sooner among the newest
 * of all tasks, of which some are due at any time, than by sorting what is due within the range.
 */
import { ulidTime } from "../../../core/ids.ts";
import type { StoreSearch } from "../../../core/store.ts";
import { createdWithin, type DueRange, delayedMax } from "../../shared/due-ranges.ts";
import { hourMs } from "../../shared/hours.ts";
import { earliest } from "../../shared/search-bounds.ts";
import type { Session } from "../connections/database.ts";
import { shape } from "../statement.ts";
import { asked, delayedIn, delayedKeys, groupOf, placesOf } from "./delayed-within.ts";
import type { Candidates } from "./key-source.ts";
import { keysOf, ownOf, type Pair, type SearchStatement, Text, unnested } from "./search-statements.ts";
import { areLateBehind, passingOf } from "./whole-pages.ts";

/** So many of the index are sorted sooner than the list of all tasks is looked through. */
const sortedMax = 2_000;
/** So many of that list are looked at. */
const listedMax = 8_000;

/** Whether some task is due before it was created. */
export function earlyStatement(pairs: readonly Pair[]): SearchStatement {
  const text = new Text();
  const delay = "tasks.due_at - tasks.created_at";
  const odd = `tasks.status < 2 AND ${delay} NOT BETWEEN 0 AND ${hourMs} AND (${delay}) / ${hourMs} <= 0`;
  const statement = shape(
    "findEarly",
    `SELECT EXISTS (SELECT FROM ${unnested(text, groupOf(pairs))} CROSS JOIN LATERAL (
      SELECT FROM :schema.tasks WHERE ${[...ownOf("pair"), odd].join(" AND ")} LIMIT 1) AS keys)`,
  );
  return { statement, values: text.values };
}

/** Of pairs without chosen ids. */
export class NewestDue {
  readonly #range: DueRange;
  readonly #pairs: readonly Pair[];
  #isListed = false;

  constructor(range: DueRange, pairs: readonly Pair[]) {
    this.#range = range;
    this.#pairs = pairs;
  }

  /** The next ones from the search's place on. */
  async keys(session: Session, search: StoreSearch, limit: number): Promise<Candidates> {
    const text = new Text();
    const within = keysOf(text, createdWithin(search, this.#range), this.#pairs, limit);
    const walked = placesOf(
      await asked(session, { statement: shape("dueWithin", within), values: text.values }),
    );
    if (walked.length >= limit) return { places: walked, next: walked.at(-1) };
    const end = earliest(search.created?.end, this.#range.from)!;
    const { places, next } = await this.#earlier(
      session,
      { ...search, created: { ...search.created, end } },
      limit,
    );
    return { places: [...walked, ...places], next };
  }

  /** Of those that were created before the range. */
  async #earlier(session: Session, search: StoreSearch, limit: number): Promise<Candidates> {
    if (!areLateBehind(search) && (await this.#areMore(session, this.#isListed ? delayedMax : sortedMax))) {
      this.#isListed = true;
      return this.#listed(session, search, limit);
    }
    const places = placesOf(await asked(session, delayedKeys(search, this.#range, this.#pairs, limit)));
    return { places, next: places.length < limit ? undefined : places.at(-1) };
  }

  async #areMore(session: Session, most: number): Promise<boolean> {
    const text = new Text();
    const limit = text.add(most + 1);
    const delayed = `SELECT FROM ${unnested(text, groupOf(this.#pairs))} CROSS JOIN LATERAL (
      SELECT FROM :schema.tasks WHERE ${delayedIn(text, this.#range)} LIMIT ${limit}) AS keys LIMIT ${limit}`;
    const statement = shape("countDelayed", `SELECT count(*) FROM (${delayed}) AS delayed`);
    const [row] = await asked(session, { statement, values: text.values });
    return row![0] > most;
  }

  /** Of the next tasks in the list of all. */
  async #listed(session: Session, search: StoreSearch, limit: number): Promise<Candidates> {
    const text = new Text();
    const { list, passing, order } = passingOf(text, search, this.#pairs, listedMax, true);
    const due = `tasks.due_at BETWEEN ${text.add(this.#range.from)}::bigint AND ${text.add(this.#range.to)}::bigint`;
    const statement = shape(
      "dueInList",
      `SELECT (SELECT tasks.id FROM (SELECT tasks.id ${list}) AS tasks ${order} LIMIT 1 OFFSET ${text.add(listedMax - 1)}),
        ARRAY(SELECT tasks.id FROM (SELECT * ${list}) AS tasks WHERE ${passing} AND ${due} ${order} LIMIT ${text.add(limit)})`,
    );
    const [row] = await asked(session, { statement, values: text.values });
    const [last, ids] = row as [string | null, string[]];
    const placeOf = (id: string) => ({ value: ulidTime(id)!, id });
    const places = ids.map(placeOf);
    if (places.length >= limit) return { places, next: places.at(-1) };
    return { places, next: last === null ? undefined : placeOf(last) };
  }
}
