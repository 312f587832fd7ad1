/** What needs attention first: what is counted for it, and the answer. */
import { z } from "zod";
import type { Dure } from "../../dure.ts";
import { attentionOf, type Counts, type Facts, stuckAfter } from "../attention.ts";
import { type Attention, attention } from "../contract.ts";
import { route } from "../route.ts";
import { sharedAnswer } from "../shared-answers.ts";

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;
/** It counts a day's failures and an hour's tasks. */
const keptMs = 3_000;
/** Behind very many paused tasks the oldest other one is not looked for any longer. */
const lookFor = "100ms";

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
  const [stats, workers, failed, ended, arrived, departed, stuck, oldestDueMs] = await Promise.all([
    dure.stats(),
    dure.listWorkers(),
    countByType(dure, { status: "FAILED", updatedAtRange: { start: new Date(now - dayMs) } }),
    endedByType(dure, new Date(now - dayMs), "hour"),
    countByType(dure, { createdAtRange: { start: new Date(now - hourMs) } }),
    endedByType(dure, new Date(now - hourMs), "minute"),
    dure.summarizeTasks({ query: `status:running started:<${stuckAfter}`, by: [] }),
    oldestDueOf(dure, paused, now),
  ]);
  const { oldestDueMs: ofAll, ...rest } = stats;
  const oldestMs = pauses.length === 0 ? ofAll : oldestDueMs;
  const facts = { failed, ended, arrived, departed, stuck: stuck.total.count };
  return attentionOf({
    stats: { ...rest, ...(oldestMs !== undefined && { oldestDueMs: oldestMs }) },
    ...{ workers, paused, ...facts },
  });
}

/** How long the oldest due task has waited that is not paused; undefined where nothing is paused, for the statistics tell. */
async function oldestDueOf(dure: Dure, paused: Facts["paused"], now: number): Promise<number | undefined> {
  const [type, queue] = [[...paused.types], [...paused.queues]];
  if (type.length + queue.length === 0) return undefined;
  const [oldest] = await dure.searchTasks({
    status: "PENDING",
    dueAt: { lt: new Date(now) },
    not: [...(type.length > 0 ? [{ type }] : []), ...(queue.length > 0 ? [{ queue }] : [])],
    ...{ sortBy: "dueAt", sortOrder: "asc", limit: 1, definitions: false, budget: lookFor },
  });
  return oldest?.dueAt && now - oldest.dueAt.getTime();
}

async function countByType(dure: Dure, search: Parameters<Dure["summarizeTasks"]>[0]): Promise<Counts> {
  const { groups } = await dure.summarizeTasks({ ...search, by: "type" });
  return new Map(groups.map(({ type = "", count }) => [type, count]));
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
