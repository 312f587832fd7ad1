/** What needs attention first: what is counted for it, and the answer. */
import { z } from "zod";
import type { Dure } from "../../dure.ts";
import { attentionOf, type Counts, stuckAfter } from "../attention.ts";
import { type Attention, attention } from "../contract.ts";
import { route } from "../route.ts";
import { sharedAnswer } from "../shared-answers.ts";

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;
/** It counts a day's failures and an hour's tasks. */
const keptMs = 3_000;

export const attentionRoutes = [
  route({
    method: "GET",
    path: "attention",
    role: "viewer",
    answer: z.object({ attention: z.array(attention) }),
    summary: "What needs attention, worst first, each with the search behind it",
    run: async ({ dure }) => ({
      attention: await sharedAnswer(dure, "attention", keptMs, () => attentionIn(dure)),
    }),
  }),
];

async function attentionIn(dure: Dure): Promise<Attention[]> {
  const now = Date.now();
  const pauses = await dure.listPauses();
  const paused = {
    types: new Set(pauses.flatMap(({ type }) => type ?? [])),
    queues: new Set(pauses.flatMap(({ queue }) => queue ?? [])),
  };
  const [stats, workers, found, ended, arrived, departed, stuck, searches] = await Promise.all([
    dure.stats(),
    dure.listWorkers(),
    dure.summarizeTasks({
      status: ["COMPLETED", "FAILED", "CANCELLED"],
      updatedAtRange: { start: new Date(now - dayMs) },
      by: ["type", "status"],
    }),
    endedByType(dure, new Date(now - dayMs), "hour"),
    countByType(dure, { createdAtRange: { start: new Date(now - hourMs) } }),
    endedByType(dure, new Date(now - hourMs), "minute"),
    dure.summarizeTasks({ query: `status:running started:<${stuckAfter}`, by: [] }),
    dure.listSearches(),
  ]);
  return attentionOf({
    ...{ stats, workers, paused, searches },
    ...{ arrived, departed, stuck: stuck.total.count },
    failed: sumByType(found.groups.filter(({ status }) => status === "FAILED")),
    ended: greaterOf(ended, sumByType(found.groups)),
  });
}

async function countByType(dure: Dure, search: Parameters<Dure["summarizeTasks"]>[0]): Promise<Counts> {
  const { groups } = await dure.summarizeTasks({ ...search, by: "type" });
  return sumByType(groups);
}

function sumByType(groups: readonly { type?: string; count: number }[]): Counts {
  const counts = new Map<string, number>();
  for (const { type = "", count } of groups) counts.set(type, (counts.get(type) ?? 0) + count);
  return counts;
}

/** The history knows of tasks that were deleted since, and the tasks of ends that no history tells of, such as those of an archive. */
function greaterOf(one: Counts, other: Counts): Counts {
  return new Map([
    ...one,
    ...[...other].map(([type, count]) => [type, Math.max(count, one.get(type) ?? 0)] as const),
  ]);
}

async function endedByType(dure: Dure, start: Date, bucket: "minute" | "hour"): Promise<Counts> {
  const counts = new Map<string, number>();
  for (const { type = "", completed, failed, cancelled } of await dure.readHistory({
    start,
    bucket,
    by: "type",
  })) {
    counts.set(type, (counts.get(type) ?? 0) + completed + failed + cancelled);
  }
  return counts;
}
