/** Everything beside single tasks: definitions, workers, statistics, summaries, errors by likeness, completion. */
import { z } from "zod";
import type { Dure } from "../../dure.ts";
import { completeQuery } from "../../tasks/core/query-complete.ts";
import type { SummaryKey } from "../../tasks/core/summary.ts";
import type { Task } from "../../tasks/core/task.ts";
import type { ErrorGroup } from "../contract.ts";
import { route } from "../route.ts";
import { searchOf, taskFilters } from "./tasks.ts";

/** Failed tasks that are looked at for `errors`, the latest. */
const failuresMax = 2_000;
const groupsMax = 200;

export const overviewRoutes = [
  route({
    method: "GET",
    path: "session",
    role: "viewer",
    summary: "Who is asking: the caller's role",
    run: async ({ role }) => ({ role }),
  }),
  route({
    method: "GET",
    path: "definitions",
    role: "viewer",
    summary: "All definitions that the database knows",
    run: async ({ dure, documents }) => ({
      definitions: (await dure.listDefinitions()).map((definition) => documents.definition(definition)),
    }),
  }),
  route({
    method: "GET",
    path: "workers",
    role: "viewer",
    summary: "Workers that run, and those that ran lately",
    run: async ({ dure, documents }) => ({
      workers: (await dure.listWorkers()).map((worker) => documents.worker(worker)),
    }),
  }),
  route({
    method: "GET",
    path: "stats",
    role: "viewer",
    summary: "Tasks by type, queue and status, the backlog's age, the size of the database",
    run: ({ dure }) => dure.stats(),
  }),
  route({
    method: "GET",
    path: "health",
    role: "viewer",
    summary: "What `dure doctor` finds",
    run: async ({ dure }) => ({ findings: await dure.checkHealth() }),
  }),
  route({
    method: "GET",
    path: "summary",
    role: "viewer",
    summary: "How many tasks that fit there are by status, type, queue, minute, hour or day, and attribute.…",
    query: taskFilters.extend({
      by: z
        .string()
        .transform((text) => text.split(","))
        .default(["status"]),
      time: z.enum(["createdAt", "updatedAt"]).optional(),
    }),
    run: async ({ dure, query }) => {
      const { by, time, from, to, ...filter } = query;
      // What ended in an hour is wanted of an hour, unless told otherwise.
      const instant = time ?? (by.some((key) => /^(minute|hour|day)$/.test(key)) ? "updatedAt" : "createdAt");
      const range = { ...(from && { start: from }), ...(to && { end: to }) };
      return dure.summarizeTasks({
        ...searchOf(filter),
        ...((from || to) &&
          (instant === "updatedAt" ? { updatedAtRange: range } : { createdAtRange: range })),
        by: by as SummaryKey[],
        time: instant,
      });
    },
  }),
  route({
    method: "GET",
    path: "query/complete",
    role: "viewer",
    summary: "What may stand at a place of a query that is being written",
    query: z.object({ text: z.string().max(10_000), position: z.coerce.number().int().min(0) }),
    run: async ({ dure, query }) => {
      const [{ byType }, definitions, workers, searches] = await Promise.all([
        dure.stats(),
        dure.listDefinitions(),
        dure.listWorkers(),
        dure.listSearches(),
      ]);
      return completeQuery(query.text, query.position, {
        types: [...new Set([...byType.map(({ type }) => type), ...definitions.map(({ id }) => id)])],
        queues: [...new Set(byType.map(({ queue }) => queue))],
        workers: workers.map(({ id }) => id),
        attributes: [...new Set(definitions.flatMap(({ attributes = [] }) => attributes))],
        searches: searches.map(({ name }) => name),
      });
    },
  }),
  route({
    method: "GET",
    path: "errors",
    role: "viewer",
    summary: `The latest ${failuresMax} failed tasks, grouped by messages that say the same`,
    run: async ({ dure }) => ({ errors: await errorGroups(dure) }),
  }),
];

async function errorGroups(dure: Dure): Promise<ErrorGroup[]> {
  const failed = await dure.searchTasks({
    status: "FAILED",
    sortBy: "updatedAt",
    limit: failuresMax,
    definitions: false,
  });
  const groups = new Map<string, ErrorGroup>();
  for (const task of failed) addFailure(groups, task);
  return [...groups.values()].sort((a, b) => b.count - a.count).slice(0, groupsMax);
}

function addFailure(groups: Map<string, ErrorGroup>, { id, type, error = "", updatedAt }: Task): void {
  const fingerprint = fingerprintOf(error);
  const at = updatedAt.toISOString();
  const group = groups.get(fingerprint);
  if (!group) {
    groups.set(fingerprint, {
      ...{ fingerprint, message: error, count: 1, types: [type], firstAt: at, lastAt: at, exampleId: id },
      query: queryOf(error),
    });
    return;
  }
  group.count += 1;
  group.firstAt = at;
  if (!group.types.includes(type)) group.types.push(type);
}

/** The message without what differs from one failure to the next: numbers, ids, addresses, what stands in quotes. */
function fingerprintOf(message: string): string {
  return message.replace(varying, "…").slice(0, 500);
}

const varying = /"[^"]*"|'[^']*'|\b[0-9a-f]{8,}\b|\b[0-9A-HJKMNP-TV-Z]{26}\b|\d+(?:[.:]\d+)*/g;

/** The longest part of the message that does not vary. */
function queryOf(message: string): string {
  const parts = message.split(varying).map((part) => part.trim());
  const longest = parts.reduce((best, part) => (part.length > best.length ? part : best), "");
  return longest === "" ? "status:failed" : `status:failed error:"${longest.replace(/["\\]/g, "\\$&")}"`;
}
