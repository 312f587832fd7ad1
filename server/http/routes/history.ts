/** The history: what ended when, and how long it waited and ran. */
import { z } from "zod";
import { historyBucket } from "../contract.ts";
import { route } from "../route.ts";
import { sharedAnswer } from "../shared-answers.ts";
import { filterQuery } from "./tasks.ts";

/** Many dashboards ask the same at about the same time, and minutes say little new in this. */
const keptMs = 3_000;

export const historyRoutes = [
  route({
    method: "GET",
    path: "history",
    role: "viewer",
    answer: z.object({ buckets: z.array(historyBucket) }),
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
      const options = {
        ...(type && { types: type }),
        ...(from && { start: from }),
        ...(to && { end: to }),
        ...(bucket && { bucket }),
        ...(by && { by }),
      };
      const buckets = await sharedAnswer(dure, `history ${JSON.stringify(options)}`, keptMs, () =>
        dure.readHistory(options),
      );
      return { buckets: buckets.map(({ start, ...bucket }) => ({ start: start.toISOString(), ...bucket })) };
    },
  }),
];
