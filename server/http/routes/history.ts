/** The history: what ended when, and how long it waited and ran. */
import { z } from "zod";
import type { Dure } from "../../dure.ts";
import type { HistoryBucket, HistoryOptions } from "../../tasks/core/history.ts";
import { route } from "../route.ts";
import { filterQuery } from "./tasks.ts";

/** Many dashboards ask the same at about the same time; workers add to the history less often. */
const keptMs = 3_000;
const answersMax = 100;

type Answer = Promise<HistoryBucket[]>;
const answers = new WeakMap<Dure, Map<string, { answer: Answer; until: number }>>();

export const historyRoutes = [
  route({
    method: "GET",
    path: "history",
    role: "viewer",
    summary:
      "Throughput, failures, wait and run time by minute, hour or day; also of tasks that were deleted",
    query: z.object({
      type: filterQuery.type,
      from: filterQuery.from,
      to: filterQuery.to,
      bucket: z.enum(["minute", "hour", "day"]).optional(),
      by: z.literal("type").optional(),
    }),
    run: async ({ dure, query: { type, from, to, bucket, by } }) => {
      const buckets = await readOnce(dure, {
        ...(type && { types: type }),
        ...(from && { start: from }),
        ...(to && { end: to }),
        ...(bucket && { bucket }),
        ...(by && { by }),
      });
      return { buckets: buckets.map(({ start, ...bucket }) => ({ start: start.toISOString(), ...bucket })) };
    },
  }),
];

function readOnce(dure: Dure, options: HistoryOptions): Answer {
  const known = answers.get(dure) ?? new Map();
  answers.set(dure, known);
  const key = JSON.stringify(options);
  const found = known.get(key);
  const now = performance.now();
  if (found && now < found.until) return found.answer;
  if (known.size >= answersMax) known.clear();
  const answer = dure.readHistory(options);
  known.set(key, { answer, until: now + keptMs });
  answer.catch(() => known.delete(key));
  return answer;
}
