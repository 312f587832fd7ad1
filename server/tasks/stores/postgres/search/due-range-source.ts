/** Candidates of a search for tasks that wait and are due within a range, in the order of their creation; see due-ranges.ts. */
import type { Place, StoreSearch } from "../../../core/store.ts";
import { createdWithin, type DueRange, delayedMax, dueRangeOf } from "../../shared/due-ranges.ts";
import { isDownwards } from "../../shared/search-bounds.ts";
import type { Session, Snapshot } from "../connections/database.ts";
import type { Context } from "../context.ts";
import { shape } from "../statement.ts";
import { comparator, placed } from "./chunks.ts";
import { elsewhere } from "./elsewhere-keys.ts";
import type { Candidates, KeySource } from "./key-source.ts";
import { outlined } from "./outline.ts";
import { countTasks } from "./search.ts";
import {
  instantMax,
  instantMin,
  keysOf,
  ordered,
  ownOf,
  type Pair,
  type SearchStatement,
  Text,
  unnested,
} from "./search-statements.ts";

/** Undefined where another way is as good. */
export async function dueRangeSource(
  context: Context,
  session: Snapshot,
  search: StoreSearch,
): Promise<KeySource | undefined> {
  const range = dueRangeOf(search);
  if (!range) return undefined;
  const { after: _after, ...unplaced } = search;
  const {
    pairs,
    value: [row],
  } = await outlined(context, session, { ...unplaced, definitions: false }, (pairs) =>
    asked(session, delayedStatement(pairs, range)),
  );
  const [delayed, beside, first, last] = row as [number, number, number | null, number];
  if (delayed > delayedMax) return undefined;
  const others = first === null ? undefined : { from: first, to: last };
  const total = async () => (await countTasks(context, createdWithin(unplaced, range))) + beside;
  return {
    ...{ name: "dueAt", index: "slow", estimate: Number.POSITIVE_INFINITY },
    ...{ isOrdered: true, isFiltered: true, isWalk: true, total },
    keys: (session, after, limit) => {
      const { after: _after, ...rest } = search;
      const backwards = search.after?.backwards ?? false;
      return keysWithin(
        session,
        { ...rest, ...(after && { after: { ...after, backwards } }) },
        range,
        pairs,
        { limit, others },
      );
    },
  };
}

/** @param others between which instants those lie that were not created within the range; undefined where there are none */
async function keysWithin(
  session: Session,
  search: StoreSearch,
  range: DueRange,
  pairs: readonly Pair[],
  { limit, others }: { limit: number; others: DueRange | undefined },
): Promise<Candidates> {
  const text = new Text();
  const within = keysOf(text, createdWithin(search, range), pairs, limit);
  const walked = placesOf(
    await asked(session, { statement: shape("dueWithin", within), values: text.values }),
  );
  const end = walked.length < limit ? undefined : walked.at(-1)!;
  const areBehind =
    end && others && (isDownwards(search) ? end.value! > others.to : end.value! < others.from);
  if (!others || areBehind) return { places: walked, next: end };
  const delayed = placesOf(await asked(session, delayedKeys(search, range, pairs, limit)));
  const compare = comparator(search);
  const places = [...walked, ...delayed].sort((a, b) => compare(placed(a), placed(b)));
  if (!end && delayed.length < limit) return { places, next: undefined };
  return { places: places.slice(0, limit), next: places[limit - 1] };
}

function placesOf(rows: readonly any[][]): Place[] {
  return rows.map(([value, id]) => ({ value, id }));
}

function asked(session: Session, { statement, values }: SearchStatement): Promise<any[][]> {
  return session.query(statement, values);
}

/**
 * How many are due within the range and were not when they were created, as far as they are looked at; and how
 * many of these were not created within the range, and when the first and the last of them was.
 */
function delayedStatement(pairs: readonly Pair[], range: DueRange): SearchStatement {
  const text = new Text();
  const most = text.add(delayedMax + 1);
  const delayed = `SELECT keys.created_at FROM ${unnested(text, groupOf(pairs))} CROSS JOIN LATERAL (
    SELECT tasks.created_at FROM :schema.tasks WHERE ${delayedIn(text, range)} LIMIT ${most}) AS keys LIMIT ${most}`;
  const isOther = `created_at NOT BETWEEN ${text.add(range.from)}::bigint AND ${text.add(range.to)}::bigint`;
  const ofOthers = ["count", "min", "max"].map((of) => `${of}(created_at) FILTER (WHERE ${isOther})`);
  return {
    statement: shape("countDelayed", `SELECT count(*), ${ofOthers.join(", ")} FROM (${delayed}) AS delayed`),
    values: text.values,
  };
}

/** The first of those that were not created within the range. */
function delayedKeys(
  search: StoreSearch,
  range: DueRange,
  pairs: readonly Pair[],
  limit: number,
): SearchStatement {
  const text = new Text();
  const { created, updated, after } = search;
  const isDown = isDownwards(search);
  const at = (value: number) => `${text.add(value)}::bigint`;
  const place = [
    at(after?.value ?? (isDown ? instantMax : instantMin)),
    `${text.add(after?.id ?? "")}::text`,
  ];
  const conditions = [
    delayedIn(text, range),
    `tasks.created_at NOT BETWEEN ${at(range.from)} AND ${at(range.to)}`,
    `tasks.created_at >= ${at(created?.start ?? instantMin)}`,
    `tasks.created_at < ${at(created?.end ?? instantMax)}`,
    `tasks.updated_at >= ${at(updated?.start ?? instantMin)}`,
    `tasks.updated_at < ${at(updated?.end ?? instantMax)}`,
    `(tasks.created_at, tasks.id) ${isDown ? "<" : ">"} (${place.join(", ")})`,
  ];
  return {
    statement: shape(
      "delayedKeys",
      `SELECT keys.created_at, keys.id FROM ${unnested(text, groupOf(pairs))} CROSS JOIN LATERAL (
        SELECT tasks.created_at, tasks.id FROM :schema.tasks WHERE ${conditions.join(" AND ")}) AS keys
      ORDER BY ${ordered(search, ["keys.created_at", "keys.id"])} LIMIT ${text.add(limit)}`,
    ),
    values: text.values,
  };
}

function delayedIn(text: Text, { from, to }: DueRange): string {
  const due = `tasks.due_at BETWEEN ${text.add(from)}::bigint AND ${text.add(to)}::bigint`;
  return `${ownOf("pair").join(" AND ")} AND ${elsewhere.delayed} AND ${due}`;
}

function groupOf(pairs: readonly Pair[]): { lanes: number[]; statuses: number[] } {
  return { lanes: pairs.map(({ lane }) => lane), statuses: pairs.map(({ status }) => status) };
}
