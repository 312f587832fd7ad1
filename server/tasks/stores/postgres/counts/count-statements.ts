/** The SQL of counts: of all that fit, by lane, status and stretch of time, and between given instants. */
import type { Buckets, StoreSearch } from "../../../core/store.ts";
import { lateMs } from "../../shared/search-bounds.ts";
import {
  columnsOf,
  conditionsOf,
  groupsOf,
  instantMax,
  instantMin,
  movingConditions,
  ownOf,
  type Pair,
  type SearchStatement,
  sortColumn,
  split,
  streamsOf,
  Text,
  unnested,
  wanted,
} from "../search/search-statements.ts";
import { shape } from "../statement.ts";

/** How many tasks of the pairs fit; for searches with a range of time. */
export function countStatement(search: StoreSearch, pairs: readonly Pair[]): SearchStatement {
  const { after: _after, ...unplaced } = search;
  const counting: StoreSearch = { ...unplaced, sortBy: nearerInstant(search) };
  const text = new Text();
  const { settled, moving } = split(pairs);
  const parts = groupsOf(settled, (pair) => streamsOf(counting, pair)).map((group) => {
    const own = ownOf("pair");
    const conditions = [...own, ...wanted(text, counting, group)];
    return `SELECT coalesce(sum(counted.tasks), 0) AS tasks FROM ${unnested(text, group)}
      CROSS JOIN LATERAL (SELECT count(*) AS tasks FROM :schema.tasks WHERE ${conditions.join(" AND ")}) AS counted`;
  });
  if (moving.length > 0) {
    const conditions = movingConditions(text, counting, moving);
    parts.push(`SELECT count(*) AS tasks FROM :schema.tasks WHERE ${conditions.join(" AND ")}`);
  }
  if (parts.length === 0) parts.push("SELECT 0 AS tasks");
  return {
    statement: shape(
      "countTasks",
      `SELECT sum(tasks)::bigint FROM (${parts.join("\n UNION ALL ")}) AS counts`,
    ),
    values: text.values,
  };
}

/** The instant by which fewer late tasks are looked at: from the earliest that are asked for, or up to the last ones. */
function nearerInstant({ created, updated }: StoreSearch): "createdAt" | "updatedAt" {
  if (!created || !updated) return updated ? "updatedAt" : "createdAt";
  const { start = instantMin, end } = created;
  const byCreation = updated.start === undefined ? 0 : Math.max(0, updated.start - lateMs - start);
  const byUpdate = end === undefined ? 0 : Math.max(0, (updated.end ?? instantMax) - end - lateMs);
  return byUpdate < byCreation ? "updatedAt" : "createdAt";
}

/** How many tasks of each lane and status fit, by stretches of time where they are asked for. */
export function summaryStatement(
  search: StoreSearch,
  pairs: readonly Pair[],
  buckets: Buckets | undefined,
): SearchStatement {
  const { after: _after, ...unplaced } = search;
  const counting: StoreSearch = { ...unplaced, sortBy: buckets?.time ?? "createdAt" };
  const text = new Text();
  const { settled, moving } = split(pairs);
  // Whole numbers, rounded down before 1970 too.
  const at = (instant: string) =>
    buckets
      ? `${instant} - ((${instant} % ${buckets.bucketMs}) + ${buckets.bucketMs}) % ${buckets.bucketMs}`
      : "0::bigint";
  const parts = groupsOf(settled, (pair) => streamsOf(counting, pair)).map((group) => {
    const own = ownOf("pair");
    const conditions = [...own, ...wanted(text, counting, group)];
    const [instant] = columnsOf[group.stream === "ownId" ? "created" : group.stream];
    return `SELECT pair.lane, pair.status, counted.at, counted.tasks FROM ${unnested(text, group)}
      CROSS JOIN LATERAL (SELECT ${at(instant!)} AS at, count(*) AS tasks FROM :schema.tasks
        WHERE ${conditions.join(" AND ")} GROUP BY 1) AS counted`;
  });
  if (moving.length > 0) {
    const conditions = movingConditions(text, counting, moving);
    parts.push(`SELECT tasks.lane, tasks.status, ${at(sortColumn(counting, "tasks"))} AS at, count(*) AS tasks
      FROM :schema.tasks WHERE ${conditions.join(" AND ")} GROUP BY 1, 2, 3`);
  }
  if (parts.length === 0) parts.push("SELECT 0, 0::smallint, 0::bigint, 0::bigint WHERE false");
  return {
    statement: shape(
      "summarizeTasks",
      `SELECT lane, status, at, sum(tasks)::bigint FROM (${parts.join("\n UNION ALL ")})
        AS counts (lane, status, at, tasks) GROUP BY 1, 2, 3`,
    ),
    values: text.values,
  };
}

/**
 * By the start of a stretch of the instant sorted by: how many late tasks of the pairs, and how many of those that run, a range
 * of the other instant leaves out.
 */
export function outsideStatement(
  search: StoreSearch,
  pairs: readonly Pair[],
  { start, end }: { start?: number; end?: number },
  bucketMs: number,
): SearchStatement {
  const text = new Text();
  const { settled, moving } = split(pairs);
  const isByChange = search.sortBy === "updatedAt";
  const stream = isByChange ? "lateUpdated" : "lateCreated";
  const [instant, other] = isByChange ? ["updated_at", "created_at"] : ["created_at", "updated_at"];
  const { start: from, end: to } = (isByChange ? search.updated : search.created) ?? {};
  const within = [
    `tasks.${instant} >= ${text.add(from ?? instantMin)}::bigint`,
    `tasks.${instant} < ${text.add(to ?? instantMax)}::bigint`,
    `(tasks.${other} < ${text.add(start ?? instantMin)}::bigint OR tasks.${other} >= ${text.add(end ?? instantMax)}::bigint)`,
  ].join(" AND ");
  const given = {
    lanes: settled.map(({ lane }) => lane),
    statuses: settled.map(({ status }) => status),
  };
  const length = `${text.add(bucketMs)}::bigint`;
  const running = `${text.add(moving.map(({ lane }) => lane))}::integer[]`;
  return {
    statement: shape(
      "countOutside",
      `SELECT at - ((at % ${length}) + ${length}) % ${length}, count(*) FROM (
        SELECT late.at FROM ${unnested(text, given)} CROSS JOIN LATERAL (SELECT tasks.${instant} AS at FROM :schema.tasks
          WHERE ${ownOf("pair").join(" AND ")} AND ${conditionsOf[stream]} AND ${within}) AS late
        UNION ALL SELECT tasks.${instant} FROM :schema.tasks
          WHERE tasks.status = 2 AND tasks.lane = ANY(${running}) AND ${within}) AS outside
      GROUP BY 1`,
    ),
    values: text.values,
  };
}

/** How many tasks of the pairs lie between `starts[n]` and `ends[n]` (excluded), by the instant sorted by: n + 1, tasks. */
export function stretchesStatement(
  search: StoreSearch,
  pairs: readonly Pair[],
  starts: readonly number[],
  ends: readonly number[],
): SearchStatement {
  const text = new Text();
  const { settled, moving } = split(pairs);
  const given = `unnest(${text.add(starts)}::bigint[], ${text.add(ends)}::bigint[])`;
  const stretches = `${given} WITH ORDINALITY AS stretch (start, stop, number)`;
  const countedWhere = (instant: string, conditions: readonly string[]) => {
    const within = [`${instant} >= stretch.start`, `${instant} < stretch.stop`];
    return `CROSS JOIN LATERAL (SELECT count(*) AS tasks FROM :schema.tasks
      WHERE ${[...conditions, ...within].join(" AND ")}) AS counted`;
  };
  const parts = groupsOf(settled, (pair) => streamsOf(search, pair)).map((group) => {
    const counted = countedWhere(columnsOf[group.stream][0]!, [
      ...ownOf("pair"),
      ...wanted(text, search, group),
    ]);
    return `SELECT stretch.number, counted.tasks FROM ${unnested(text, group)} CROSS JOIN ${stretches} ${counted}`;
  });
  if (moving.length > 0) {
    const counted = countedWhere(sortColumn(search, "tasks"), movingConditions(text, search, moving));
    parts.push(`SELECT stretch.number, counted.tasks FROM ${stretches} ${counted}`);
  }
  if (parts.length === 0) parts.push(`SELECT stretch.number, 0 AS tasks FROM ${stretches}`);
  return {
    statement: shape(
      "countStretches",
      `SELECT number, sum(tasks)::bigint FROM (${parts.join("\n UNION ALL ")}) AS counts GROUP BY number`,
    ),
    values: text.values,
  };
}

/** The first and the last instant of the tasks of the pairs, by the instant sorted by; null where there are none. */
export function spanStatement(search: StoreSearch, pairs: readonly Pair[]): SearchStatement {
  const text = new Text();
  const { settled, moving } = split(pairs);
  const parts = groupsOf(settled, (pair) => streamsOf(search, pair)).map((group) => {
    const columns = columnsOf[group.stream];
    const conditions = [...ownOf("pair"), ...wanted(text, search, group)].join(" AND ");
    const ends = ["ASC", "DESC"].map((direction) => {
      const order = columns.map((column) => `${column} ${direction}`).join(", ");
      return `(SELECT ${columns[0]} AS at FROM :schema.tasks WHERE ${conditions} ORDER BY ${order} LIMIT 1)`;
    });
    return `SELECT found.at FROM ${unnested(text, group)} CROSS JOIN LATERAL (${ends.join(" UNION ALL ")}) AS found`;
  });
  if (moving.length > 0) {
    const conditions = movingConditions(text, search, moving).join(" AND ");
    parts.push(`SELECT ${sortColumn(search, "tasks")} FROM :schema.tasks WHERE ${conditions}`);
  }
  if (parts.length === 0) parts.push("SELECT 0::bigint WHERE false");
  return {
    statement: shape(
      "findSpan",
      `SELECT min(at), max(at) FROM (${parts.join("\n UNION ALL ")}) AS ends (at)`,
    ),
    values: text.values,
  };
}
