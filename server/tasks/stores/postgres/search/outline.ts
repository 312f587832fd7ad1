/**
 * What a search begins with: which pairs have tasks, and which definitions have none. Asked together with the page of the pairs that
 * are known (known-pairs.ts), then of others only.
 */
import type { StoredDefinition, StoreSearch } from "../../../core/store.ts";
import type { Session, Snapshot } from "../connections/database.ts";
import type { Context } from "../context.ts";
import { sums } from "../counts/tallies.ts";
import { type DefinitionRow, definitionColumns, statusNumbers, toDefinition } from "../rows.ts";
import { statement } from "../statement.ts";
import { entryOf, fits, isAfter, type Placed } from "./entries.ts";
import type { Pair } from "./search-statements.ts";

export interface Outline {
  pairs: readonly Pair[];
  /** Definitions that no task is of, as far as they fit and come after the search's place. */
  definitions: StoredDefinition[];
}

/** @param known the pairs that need not be told, see `maskOf` */
export async function outline(session: Session, search: StoreSearch, known?: string): Promise<Outline> {
  const filters = filtersOf(search);
  const all = [...filters, mayHaveEntries(search), ...rangesOf(search)];
  const [row] = await (known === undefined
    ? session.query(outlineOf, all)
    : mayHaveEntries(search)
      ? session.query(othersOf, [...all, known])
      : session.query(otherPairsOf, [...filters, known]));
  const [pairs, unused] = row as [
    [lane: number, ownIds: boolean, status: number, tasks: number][] | null,
    (DefinitionRow[] | null)?,
  ];
  return {
    pairs: (pairs ?? []).flatMap(([lane, ownIds, status, tasks]) =>
      storedPairs({ lane, ownIds, status, tasks }),
    ),
    definitions: (unused ?? []).map(toDefinition).filter((definition) => {
      const entry = entryOf(search, definition);
      return fits(search, entry.task) && isAfter(search, entry);
    }),
  };
}

/** Of definitions that no task is of, as far as they fit and come after the search's place; the server is asked where there may be some. */
export async function entriesIn(
  { lanes }: Context,
  session: Session,
  search: StoreSearch,
): Promise<Placed[]> {
  if (!mayHaveEntries(search)) return [];
  const { mask, saw } = lanes.pairs.look(search);
  const { pairs, definitions } = await outline(session, search, mask);
  saw(pairs);
  return definitions.map((definition) => entryOf(search, definition));
}

/** The entry of a definition is pending. */
export function mayHaveEntries({ definitions, statuses }: StoreSearch): boolean {
  return definitions && (statuses?.includes("PENDING") ?? true);
}

/** PENDING is counted as 1 and stored as two numbers. */
function storedPairs({ status, tasks, ...pair }: Pair): Pair[] {
  const stored = status === 1 ? statusNumbers.PENDING : [status];
  return stored.map((number) => ({ ...pair, status: number, tasks: tasks / stored.length }));
}

/** What is asked by the search's pairs, as statements that are sent at once, which is sent together with the question which these are, where they may be known. @param isLast as `inOneGo` has it */
export async function outlined<Value>(
  { lanes }: Context,
  session: Snapshot,
  search: StoreSearch,
  ask: (pairs: readonly Pair[]) => Promise<Value>,
  isLast: () => boolean = () => false,
): Promise<Outline & { value: Value }> {
  const { pairs: likely, mask, saw } = lanes.pairs.look(search);
  const [found, first] = likely
    ? await session.inOneGo(() => [outline(session, search, mask), ask(likely)], isLast)
    : [await outline(session, search)];
  const { pairs, areKnown } = saw(found.pairs);
  if (areKnown) return { ...found, pairs, value: first! };
  const [value] = await session.inOneGo(() => [ask(pairs)], isLast);
  return { ...found, pairs, value };
}

/** The values of $1, $2 and $3 in SQL: which types, queues and statuses fit. */
export function filtersOf({
  types,
  queues,
  statuses,
}: Pick<StoreSearch, "types" | "queues" | "statuses">): unknown[] {
  return [types ?? null, queues ?? null, statuses?.flatMap((name) => statusNumbers[name]) ?? null];
}

/** The bounds of both ranges; where there are none, of all there can be. */
function rangesOf({ created, updated }: StoreSearch): number[] {
  return [created, updated].flatMap((range) => [range?.start ?? -atMost, range?.end ?? atMost]);
}

const atMost = Number.MAX_SAFE_INTEGER;

/** Lanes and statuses that fit $1, $2 and $3. */
const fitting = `($3::smallint[] IS NULL OR status = ANY($3::smallint[]))
    AND (($1::text[] IS NULL AND $2::text[] IS NULL) OR lane = ANY(ARRAY(
      SELECT lane FROM :schema.lanes WHERE ($1::text[] IS NULL OR type = ANY($1::text[]))
        AND ($2::text[] IS NULL OR queue = ANY($2::text[])))))`;
const pairsAsJson = `json_agg(json_build_array(lane,
    lane = ANY(ARRAY(SELECT lane FROM :schema.lanes WHERE own_ids)), status, tasks))`;
/** Definitions whose entries may fit, if $4. */
const fittingDefinitions = `SELECT json_agg(json_build_array(${definitionColumns})) FROM :schema.definitions
    WHERE $4::boolean AND ($1::text[] IS NULL OR id = ANY($1::text[])) AND ($2::text[] IS NULL OR queue = ANY($2::text[]))
      AND created_at >= $5::bigint AND created_at < $6::bigint AND updated_at >= $7::bigint AND updated_at < $8::bigint`;

const outlineOf = statement(
  "outline",
  `WITH sums AS MATERIALIZED (${sums})
  SELECT (SELECT ${pairsAsJson} FROM sums WHERE ${fitting}),
    (${fittingDefinitions} AND id NOT IN (SELECT type FROM :schema.lanes WHERE lane IN (SELECT lane FROM sums)))`,
);
/** Only what is not known is summed up, mostly nothing. @param mask a byte for each lane, with a bit for each status */
const otherPairs = (mask: string) => `SELECT ${pairsAsJson} FROM (
      SELECT lane, status, sum(tasks)::bigint AS tasks FROM (
        SELECT lane, status, tasks FROM :schema.tallies UNION ALL SELECT lane, status, tasks FROM :schema.tally_changes
      ) AS counted
      WHERE CASE WHEN lane < length(${mask}) THEN get_byte(${mask}, lane) & (1 << status) = 0 ELSE true END AND ${fitting}
      GROUP BY lane, status HAVING sum(tasks) <> 0) AS others`;

/** Where no definition may be among what is found. */
const otherPairsOf = statement("otherPairs", otherPairs("$4::bytea"));
/**
 * That a definition has tasks the first count tells of which none were taken since; only where there is no such, its counts are added up.
 */
const othersOf = statement(
  "outlineOthers",
  `WITH less AS MATERIALIZED (SELECT DISTINCT lane, status FROM :schema.tally_changes WHERE tasks < 0)
  SELECT (${otherPairs("$9::bytea")}),
    (${fittingDefinitions}
      AND NOT EXISTS (
        SELECT FROM :schema.lanes JOIN :schema.tallies USING (lane)
        WHERE lanes.type = definitions.id AND tallies.tasks > 0
          AND NOT EXISTS (SELECT FROM less WHERE less.lane = tallies.lane AND less.status = tallies.status))
      AND NOT EXISTS (
        SELECT FROM :schema.lanes, LATERAL (
          SELECT FROM (
            SELECT status, tasks FROM :schema.tallies WHERE tallies.lane = lanes.lane
            UNION ALL SELECT status, tasks FROM :schema.tally_changes WHERE tally_changes.lane = lanes.lane
          ) AS counted
          GROUP BY status HAVING sum(tasks) <> 0 LIMIT 1) AS has
        WHERE lanes.type = definitions.id))`,
);
