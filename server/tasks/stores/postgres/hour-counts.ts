/**
 * Counts of tasks by when they were created: whole hours from the counts that are kept by the hour, and what of a range is
 * less than an hour from the indexes. RUNNING tasks, few, are counted one by one; the kept counts have them with those that
 * wait, so that they are taken off there.
 */
import type { StoreSearch } from "../../core/store.ts";
import type { GroupSums } from "../group-sums.ts";
import {
  allLanes,
  type Edge,
  groupsOfPairs,
  groupsOfStatuses,
  hourMs,
  hourSql,
  hoursOf,
  stateOf,
  type Wholes,
} from "../hours.ts";
import type { Session } from "./database.ts";
import {
  groupsOf,
  ownOf,
  type Pair,
  type SearchStatement,
  streamsOf,
  Text,
  wanted,
} from "./search-statements.ts";
import { shape } from "./statement.ts";

/** Tasks that wait are stored as 0 or 1; searches ask for both. */
const pending = 1;
const running = 2;

/**
 * `kept` and `edge` rows say their group, `changed` and `running` ones their lane. The state of `running` ones is 1 for those
 * that are in the range.
 */
type Row = [
  kind: "kept" | "changed" | "running" | "edge",
  which: number,
  state: number,
  hour: number,
  tasks: number,
];

/** @param numbers of each pair, by its place, the group it counts for */
export async function countByHours(
  session: Session,
  search: StoreSearch,
  pairs: readonly Pair[],
  numbers: readonly number[],
  sums: GroupSums,
): Promise<void> {
  const hours = hoursOf(search.created);
  const { statement, values } = hoursStatement(search, pairs, numbers, hours);
  const groupOf = groupsOfPairs(search, pairs, numbers);
  const add = (group: number | undefined, hour: number, tasks: number) => {
    if (group !== undefined) sums.add(group, hour * hourMs, tasks);
  };
  for (const [kind, which, state, hour, tasks] of (await session.query(statement, values)) as Row[]) {
    if (kind === "kept" || kind === "edge") add(which, hour, tasks);
    else if (kind === "changed") add(groupOf(which, state === 0 ? pending : state), hour, tasks);
    else {
      if (state === 1) add(groupOf(which, running), hour, tasks);
      if (hour >= hours.from && hour < hours.to) add(groupOf(which, pending), hour, -tasks);
    }
  }
}

/** Rows of `Row`. */
export function hoursStatement(
  search: StoreSearch,
  pairs: readonly Pair[],
  numbers: readonly number[],
  { from, to, edges }: Wholes,
): SearchStatement {
  const text = new Text();
  const within = (hour: string) =>
    `${hour} >= ${text.add(from)}::integer AND ${hour} < ${text.add(to)}::integer`;
  const settled = pairs
    .map((pair, place) => ({ ...pair, number: numbers[place]! }))
    .filter(({ status }) => status !== running);
  const parts = [runningPart(text, search, from, to)];
  if (from < to) {
    const byStatus = groupsOfStatuses(search, pairs, numbers);
    const each = byStatus
      ? Array.from(byStatus, ([status, number]) => ({ lane: allLanes, status, number }))
      : settled;
    // PENDING is stored as two statuses and kept as one state.
    const kept = each.filter(({ status }) => status !== 1 && status !== running);
    parts.push(
      `SELECT 'kept', pair.number, 0, kept.hour, sum(kept.tasks)::bigint FROM unnest(${text.add(kept.map(({ lane }) => lane))}::integer[],
          ${text.add(kept.map(({ status }) => stateOf(status)))}::smallint[], ${text.add(kept.map(({ number }) => number))}::integer[])
          AS pair (lane, state, number)
        CROSS JOIN LATERAL (SELECT hour, tasks FROM :schema.hour_tallies AS kept
          WHERE kept.lane = pair.lane AND kept.state = pair.state AND ${within("hour")}) AS kept GROUP BY 2, 4`,
      `SELECT 'changed', lane, CASE WHEN status >= 3 THEN status ELSE 0 END, hour, sum(tasks)::bigint
        FROM :schema.tally_changes WHERE ${within("hour")} GROUP BY 2, 3, 4`,
    );
  }
  for (const edge of edges) parts.push(...edgeParts(text, search, edge, settled));
  return {
    statement: shape("sumHours", parts.map((part) => `(${part})`).join("\n UNION ALL ")),
    values: text.values,
  };
}

/** Those of the range, and of the whole hours. */
function runningPart(text: Text, { created }: StoreSearch, from: number, to: number): string {
  const inRange = ["true"];
  if (created?.start !== undefined) inRange.push(`tasks.created_at >= ${text.add(created.start)}::bigint`);
  if (created?.end !== undefined) inRange.push(`tasks.created_at < ${text.add(created.end)}::bigint`);
  const inHours = `tasks.created_at >= ${text.add(from * hourMs)}::bigint AND tasks.created_at < ${text.add(to * hourMs)}::bigint`;
  return `SELECT 'running' AS kind, lane, (${inRange.join(" AND ")})::integer, ${hourSql("created_at")}::integer, count(*)
    FROM :schema.tasks WHERE tasks.status = 2 AND (${inRange.join(" AND ")} OR ${inHours}) GROUP BY 2, 3, 4`;
}

/** What is counted of one hour. */
function edgeParts(
  text: Text,
  search: StoreSearch,
  { start, end, sign }: Edge,
  pairs: readonly (Pair & { number: number })[],
): string[] {
  const { after: _after, ...unplaced } = search;
  const counting: StoreSearch = { ...unplaced, created: { start, end }, sortBy: "createdAt" };
  const numberOf = new Map(pairs.map(({ lane, status, number }) => [lane * 8 + status, number]));
  return groupsOf(pairs, (pair) => streamsOf(counting, pair)).map((group) => {
    const given = group.lanes.map((lane, place) => numberOf.get(lane * 8 + group.statuses[place]!)!);
    const conditions = [...ownOf("pair"), ...wanted(text, counting, group)];
    return `SELECT 'edge', pair.number, 0, ${text.add(Math.floor(start / hourMs))}::integer, ${sign} * sum(counted.tasks)::bigint
      FROM unnest(${text.add(group.lanes)}::integer[], ${text.add(group.statuses)}::smallint[], ${text.add(given)}::integer[])
        AS pair (lane, status, number)
      CROSS JOIN LATERAL (SELECT count(*) AS tasks FROM :schema.tasks WHERE ${conditions.join(" AND ")}) AS counted
      GROUP BY 2`;
  });
}
