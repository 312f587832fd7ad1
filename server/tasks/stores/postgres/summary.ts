/** Counts by type, queue and status, from the tallies; with ranges or stretches of time, from the indexes. */
import type { Buckets, StoreSearch, TaskCount } from "../../core/store.ts";
import type { Context } from "./context.ts";
import { summaryStatement } from "./count-statements.ts";
import { statusNames } from "./rows.ts";
import { outline } from "./search.ts";
import { planning } from "./search-statements.ts";
import { statement } from "./statement.ts";
import { sums } from "./tallies.ts";

export async function summarizeTasks(
  context: Context,
  search: StoreSearch,
  buckets: Buckets | undefined,
): Promise<TaskCount[]> {
  if (buckets || search.created || search.updated) return countByIndex(context, search, buckets);
  const rows = await context.database.read(talliesByLane);
  const { types, queues, statuses } = search;
  return rows
    .map(([type, queue, status, count]): TaskCount => ({ type, queue, status: statusNames[status]!, count }))
    .filter(({ type, queue, status }) => {
      const isAsked = (!types || types.includes(type)) && (!queues || queues.includes(queue));
      return isAsked && (!statuses || statuses.includes(status));
    });
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
