/**
 * Candidates of a search by what stands in the text of each task that meets its conditions: a value at a place that nobody declared,
 * a tag, a part of an error. Nothing may be missed, so tasks whose texts do not tell are candidates, too: those that run, those
 * that wait for the indexer, and those whose texts may have been cut. Where they are many, tasks are walked over instead.
 */
import type { Place, StoreSearch } from "../../../core/store.ts";
import { hintsOf } from "../../shared/text-hints.ts";
import type { Session, Snapshot } from "../connections/database.ts";
import { shape } from "../statement.ts";
import { askedOf, type TextIndex } from "../texts/text-indexes.ts";
import { gatheredSource, isIndexed, orderedSource } from "../texts/text-keys.ts";
import { likeRarest, lookAround, metIn, type Spread, type Word } from "../texts/text-rarity.ts";
import { readUnindexed, withUnindexed } from "../texts/text-unindexed.ts";
import type { Passing } from "../texts/text-ways.ts";
import { gatheredMax, type KeySource } from "./key-source.ts";
import { maybeHas, mayMeetOf } from "./may-meet.ts";
import { type Pair, Text } from "./search-statements.ts";

/** What stands in a larger share of the texts that are asked for is walked to sooner: a task that is passed over costs a tenth of a candidate. */
const frequentShare = 0.05;
const cutMax = 500;
/** With the ends of its line one character is a trigram. */
const lineSizeMin = 1;

/** What passes the filters. */
export interface Filtered {
  /** Asks for it. */
  passing: () => Promise<Passing | undefined>;
  /** The pairs that it was when searches last looked. */
  known: readonly Pair[] | undefined;
}

export async function valueSource(
  session: Snapshot,
  search: StoreSearch,
  index: TextIndex,
  { passing, known }: Filtered,
): Promise<KeySource | undefined> {
  const hints = (search.where ? hintsOf(search.where, lineSizeMin) : []).filter(({ isText }) => !isText);
  const words = hints.map(({ text, isLine }): Word => (isLine ? { line: text } : text));
  if (!index.exists || !words.some((word) => isIndexed(word, index))) return undefined;
  // Nothing is asked where the texts that were looked at tell already, which are of minutes ago as well.
  const isTold = known !== undefined || (search.types ?? search.queues) === undefined;
  const told = isTold && index.sample && metIn(index.sample, askedOf(search, known), words);
  if (told && areMany(search, index, { ...told, looked: index.sample!.length })) return undefined;
  const filter = await passing();
  const asked = askedOf(search, filter?.pairs);
  const [{ spread, rarest }, unindexed, cut] = await session.inOneGo(() => [
    lookAround(session, asked, words, index),
    readUnindexed(session, search, filter, { isWhole: true }),
    readCut(session, search),
  ]);
  if (areMany(search, index, spread) || !cut || unindexed.left > 0) return undefined;
  const source = isInOrder(search)
    ? (
        await session.inOneGo(() => [
          orderedSource(session, search, words, index, filter, { isLikely: false }),
        ])
      )[0]
    : await gatheredSource(session, search, likeRarest(asked, words, rarest), mayMeetOf(search.where!));
  return source && withUnindexed(search, source, { ...unindexed, places: [...unindexed.places, ...cut] });
}

/** Whether tasks are walked to sooner. */
function areMany(
  search: StoreSearch,
  { texts }: TextIndex,
  { metHere, here, looked }: Pick<Spread, "metHere" | "here" | "looked">,
): boolean {
  const all = (metHere / Math.max(1, looked)) * texts;
  return metHere > frequentShare * here || (!isInOrder(search) && all > gatheredMax);
}

function isInOrder({ sortBy }: StoreSearch): boolean {
  return sortBy === "createdAt";
}

/** Those of the cut ones that may have the value; undefined where too many were cut. By `texts_cut`. */
async function readCut(session: Session, { where }: StoreSearch): Promise<Place[] | undefined> {
  const filter = mayMeetOf(where!);
  const text = new Text();
  const maybe = filter ? maybeHas(filter, text) : "true";
  const rows = await session.query(
    shape(
      "cutTexts",
      `WITH cut AS MATERIALIZED (
        SELECT created_at, task_id FROM :schema.texts WHERE octet_length(body) >= 65536
        ORDER BY created_at, task_id LIMIT ${cutMax + 1})
      SELECT count(*)::bigint, NULL FROM cut UNION ALL (
        SELECT cut.created_at, cut.task_id FROM cut
        CROSS JOIN LATERAL (SELECT * FROM :schema.tasks WHERE tasks.id = cut.task_id OFFSET 0) AS tasks
        WHERE (SELECT count(*) FROM cut) <= ${cutMax} AND (${maybe}))`,
    ),
    text.values,
  );
  const [[count], ...places] = rows as [[number], ...[number, string][]];
  return count > cutMax ? undefined : places.map(([value, id]): Place => ({ value, id }));
}
