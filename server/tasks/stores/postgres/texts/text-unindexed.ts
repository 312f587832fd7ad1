/**
 * Tasks whose texts are not indexed as they are now: those that run, unless they were while they waited and no attempt of theirs
 * has ended or reported; and those that wait for the indexer. While they are few, all of them are candidates of every search by text. Of more, a search finds what
 * is indexed, and says how many it has not looked at.
 */

import type { Place, StoreSearch } from "../../../core/store.ts";
import { compareText } from "../../../core/values/compare.ts";
import { isDownwards } from "../../shared/search-bounds.ts";
import type { Session } from "../connections/database.ts";
import { statusNumbers } from "../rows.ts";
import type { KeySource } from "../search/key-source.ts";
import { statement } from "../statement.ts";
import type { KeptTexts } from "./task-texts.ts";
import type { Passing } from "./text-ways.ts";
import { isNotIndexed, pieceMs } from "./text-work.ts";

/** Of those that run, the latest by creation. */
const runningMax = 2_000;
const unindexedMax = 2_000;

export interface Unindexed {
  places: readonly UnindexedPlace[];
  /** About how many are not among these. */
  left: number;
  /** About how many tasks there are. */
  tasks: number;
}

/** A task that is not indexed as it is now. */
export interface UnindexedPlace extends Place {
  /** That its text is of; null of a task that runs, which may get another one while that stays. */
  version: number | null;
}

/**
 * Those that may be in the search, by their statuses and lanes.
 * @param isWhole whether those that run and were indexed while they waited are among them, as they may have changed before they
 *   were claimed; where too many run for that, all of them are `left`
 */
export async function readUnindexed(
  session: Session,
  search: StoreSearch,
  filter: Passing | undefined,
  { isWhole = false } = {},
): Promise<Unindexed> {
  const { statuses, types, queues } = search;
  const pairs = (types ?? queues) && filter?.pairs;
  const lanes = pairs && [...new Set(pairs.map(({ lane }) => lane))];
  const asked = statuses?.map((name) => Math.max(...[statusNumbers[name]].flat()));
  const values = [runningMax, unindexedMax, lanes ?? null, asked ?? null, isWhole];
  const rows = await session.query(unindexedPlaces, values);
  const [[waiting, tasks, running], ...places] = rows as [
    [number, string, number, null],
    ...[number, string, null, number | null][],
  ];
  const left = waiting > unindexedMax ? waiting : 0;
  return {
    places: places.map(([value, id, , version]): UnindexedPlace => ({ value, id, version })),
    left: isWhole && running > runningMax ? left + running : left,
    tasks: Number(tasks),
  };
}

/** Whether tasks are better walked over: to miss none, or while fewer are indexed than are not. */
export function missesMany({ left, tasks }: Unindexed, { budgetMs }: StoreSearch): boolean {
  return left > 0 && (budgetMs === undefined || 2 * left > tasks);
}

/** Without those of which it is known that their texts lack one of the words. */
export function thoseThatMayHave(words: readonly string[], unindexed: Unindexed, kept: KeptTexts): Unindexed {
  const mayHave = ({ id, version }: UnindexedPlace) => {
    const text = version === null ? undefined : kept.get(id, version);
    return text === undefined || words.every((word) => text.includes(word));
  };
  return { ...unindexed, places: unindexed.places.filter(mayHave) };
}

/** The source with those tasks among what it gives, at their places in the order. */
export function withUnindexed(
  search: StoreSearch,
  source: KeySource,
  { places, left }: { places: readonly Place[]; left: number },
): KeySource {
  const behind = { ...source, ...(left > 0 && { unindexed: left }) };
  if (places.length === 0) return behind;
  const sign = isDownwards(search) ? -1 : 1;
  const compare = (a: Place, b: Place) => sign * (a.value! - b.value! || compareText(a.id, b.id));
  return {
    ...behind,
    estimate: source.estimate + places.length,
    async keys(asked, after, limit) {
      const { places: indexed, next } = await source.keys(asked, after, limit);
      if (!source.isOrdered) return { places: eachOnce([...indexed, ...places.map(unplaced)]) };
      const isHere = (place: Place) =>
        (!after || compare(after, place) < 0) && (!next || compare(place, next) <= 0);
      return { places: eachOnce([...indexed, ...places.filter(isHere)]).sort(compare), next };
    },
  };
}

function unplaced({ id }: Place): Place {
  return { value: null, id };
}

/** A task that has changed since is there by what it was, too. */
function eachOnce(places: readonly Place[]): Place[] {
  return [...new Map(places.map((place) => [place.id, place])).values()];
}

/**
 * The first row: how many wait, and how many tasks there are. By `tasks_running`, `tasks_lane_created` and
 * `tasks_lane_updated`; those that wait are not looked for when they are too many.
 */
const unindexedPlaces = statement(
  "unindexedPlaces",
  `WITH everything AS (
    SELECT lane, status, first_at, last_at, tasks FROM :schema.text_work
    UNION ALL SELECT lane, status, first_at, last_at, tasks FROM :schema.tally_changes WHERE first_at IS NOT NULL),
  noted AS MATERIALIZED (SELECT * FROM everything WHERE ($3::integer[] IS NULL OR lane = ANY($3::integer[]))
    AND ($4::smallint[] IS NULL OR status = ANY($4::smallint[]))),
  running AS MATERIALIZED (
    SELECT created_at, id FROM :schema.tasks WHERE status = 2
      AND ($3::integer[] IS NULL OR lane = ANY($3::integer[])) AND ($4::smallint[] IS NULL OR 2 = ANY($4::smallint[]))
      AND ($5::boolean OR (SELECT texts.status FROM :schema.texts WHERE texts.task_id = tasks.id) IS DISTINCT FROM 0
        OR EXISTS (SELECT FROM :schema.attempts WHERE attempts.task_id = tasks.id))
    ORDER BY created_at DESC, id DESC LIMIT $1::integer + 1),
  waiting AS MATERIALIZED (SELECT coalesce(sum(tasks), 0)::bigint AS tasks FROM noted),
  pieces AS MATERIALIZED (
    SELECT lane, status, min(first_at) AS first_at, max(last_at) AS last_at FROM noted
    WHERE (SELECT tasks FROM waiting) <= $2::integer GROUP BY lane, status, first_at / ${pieceMs})
  SELECT waiting.tasks, (SELECT coalesce(sum(tasks), 0)::bigint::text FROM (
      SELECT tasks FROM :schema.tallies UNION ALL SELECT tasks FROM :schema.tally_changes) AS counted),
    (SELECT count(*)::bigint FROM running), NULL::integer FROM waiting
  UNION ALL (SELECT created_at, id, NULL, NULL FROM running ORDER BY created_at DESC, id DESC LIMIT $1::integer)
  UNION ALL
  SELECT found.created_at, found.id, NULL, found.version FROM pieces CROSS JOIN LATERAL (
    (SELECT waited.created_at, waited.id, waited.version FROM (VALUES (0), (1)) AS pending (status) CROSS JOIN LATERAL (
      SELECT created_at, id, version FROM :schema.tasks WHERE pieces.status = 1 AND tasks.lane = pieces.lane
        AND tasks.status = pending.status AND tasks.status <> 2
        AND created_at BETWEEN pieces.first_at AND pieces.last_at AND ${isNotIndexed}
      ORDER BY created_at, id LIMIT $2::integer) AS waited)
    UNION ALL
    (SELECT created_at, id, version FROM :schema.tasks WHERE tasks.lane = pieces.lane AND tasks.status = pieces.status
      AND tasks.status <> 2 AND tasks.status <> 0
      AND updated_at BETWEEN pieces.first_at AND pieces.last_at AND ${isNotIndexed}
      ORDER BY updated_at, id LIMIT $2::integer)) AS found`,
);
