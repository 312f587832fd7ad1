/** Counts by type, queue and status, from the tallies; by time from theirs, else from the indexes. */
import type { Buckets, CountKey, StoreSearch, TaskCount } from "../../core/store.ts";
import { countKeys } from "../../core/store-search.ts";
import { GroupSums, groupsBy } from "../group-sums.ts";
import { isCountedByHours } from "../hours.ts";
import { keptTime } from "../kept-counts.ts";
import type { Context } from "./context.ts";
import { summaryStatement } from "./count-statements.ts";
import { planning, planningOnce } from "./planning.ts";
import { statusNames } from "./rows.ts";
import { outline } from "./search.ts";
import { statement } from "./statement.ts";
import { sums } from "./tallies.ts";
import { countByHours, countByTime } from "./time-counts.ts";

export async function summarizeTasks(
  context: Context,
  search: StoreSearch,
  buckets: Buckets | undefined,
  by: readonly CountKey[] = countKeys,
): Promise<TaskCount[]> {
  const time = keptTime(search, buckets);
  const kept = time && (await summarizeByTime(context, search, time, buckets, by));
  if (kept) return kept;
  if (buckets || search.created || search.updated) return countByIndex(context, search, buckets);
  const rows = await context.database.read(talliesByLane);
  const { types, queues, statuses } = search;
  return rows
    .map(([type, queue, status, count]) => ({
      type: type as string,
      queue: queue as string,
      status: statusNames[status]!,
      count: count as number,
    }))
    .filter(({ type, queue, status }) => {
      const isAsked = (!types || types.includes(type)) && (!queues || queues.includes(queue));
      return isAsked && (!statuses || statuses.includes(status));
    });
}

/** Undefined where the counts that would answer are not kept now. */
async function summarizeByTime(
  context: Context,
  search: StoreSearch,
  time: Buckets["time"],
  buckets: Buckets | undefined,
  by: readonly CountKey[],
): Promise<TaskCount[] | undefined> {
  const sums = new GroupSums(buckets);
  const groups = await context.database.snapshot(async (session) => {
    const { pairs } = await outline(session, { ...search, definitions: false });
    const lanes = await context.lanes.named(new Set(pairs.map(({ lane }) => lane)));
    const named = pairs.map(({ lane, status }) => {
      const { type, queue } = lanes.get(lane) ?? { type: "?", queue: "?" };
      return { type, queue, status: statusNames[status]! };
    });
    const { groups, numbers } = groupsBy(named, by);
    const counted = { search, time, buckets, pairs, groups: numbers };
    if (await countByTime(context, session, counted, sums)) return groups;
    if (!isCountedByHours(search, buckets)) return undefined;
    await countByHours(session, counted, sums);
    return groups;
  }, planningOnce);
  return groups && sums.counts(groups);
}

async function countByIndex(
  context: Context,
  search: StoreSearch,
  buckets: Buckets | undefined,
): Promise<TaskCount[]> {
  const rows = await context.database.snapshot(async (session) => {
    const { pairs } = await outline(session, { ...search, definitions: false });
    const { statement: counts, values } = summaryStatement(search, pairs, buckets);
    return session.query(counts, values);
  }, planning);
  const lanes = await context.lanes.named(new Set(rows.map(([lane]) => lane as number)));
  return rows.map(([lane, status, at, count]): TaskCount => {
    const { type, queue } = lanes.get(lane) ?? { type: "?", queue: "?" };
    return { type, queue, status: statusNames[status]!, ...(buckets && { at }), count };
  });
}

const talliesByLane = statement(
  "talliesByLane",
  `SELECT type, queue, status, sum(tasks)::bigint FROM (${sums}) AS sums JOIN :schema.lanes USING (lane)
    GROUP BY type, queue, status`,
);
