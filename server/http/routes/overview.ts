/** Everything beside single tasks: definitions, workers, statistics, summaries, completion. */
import { z } from "zod";
import type { SummaryKey } from "../../tasks/core/counts/summary.ts";
import { valueAt } from "../../tasks/core/query/query-complete.ts";
import { completion, definition, healthFinding, session, stats, summary, worker } from "../contract.ts";
import { type Call, route } from "../route.ts";
import { boolean, budgetOf, budgetQuery, searchOf, taskFilters } from "./tasks.ts";

export const overviewRoutes = [
  route({
    method: "GET",
    path: "session",
    role: "viewer",
    answer: session,
    isOwn: true,
    summary:
      "Who is asking: the caller's role, whether they see payloads, and whether they came by a session that they can end",
    run: async ({ role, seesPayloads, canLogOut }) => ({ role, seesPayloads, canLogOut }),
  }),
  route({
    method: "GET",
    path: "definitions",
    role: "viewer",
    answer: z.object({ definitions: z.array(definition) }),
    summary: "All definitions that the database knows",
    run: async ({ dure, documents }) => ({
      definitions: (await dure.listDefinitions()).map((definition) => documents.definition(definition)),
    }),
  }),
  route({
    method: "GET",
    path: "workers",
    role: "viewer",
    answer: z.object({ workers: z.array(worker) }),
    summary: "Workers that run, and those that ran lately",
    run: async ({ dure, documents }) => ({
      workers: (await dure.listWorkers()).map((worker) => documents.worker(worker)),
    }),
  }),
  route({
    method: "GET",
    path: "stats",
    role: "viewer",
    answer: stats,
    summary: "Tasks by type, queue and status, the backlog's age, the size of the database",
    run: ({ dure }) => dure.stats(),
  }),
  route({
    method: "GET",
    path: "health",
    role: "viewer",
    answer: z.object({ findings: z.array(healthFinding) }),
    summary: "What `dure doctor` finds",
    run: async ({ dure }) => ({ findings: await dure.checkHealth() }),
  }),
  route({
    method: "GET",
    path: "summary",
    role: "viewer",
    answer: summary,
    summary: "How many tasks that fit there are by status, type, queue, minute, hour or day, and attribute.…",
    query: taskFilters.extend({
      by: z
        .string()
        .transform((text) => text.split(","))
        .default(["status"]),
      time: z.enum(["createdAt", "updatedAt"]).optional(),
      percentiles: boolean.default(false),
      budget: budgetQuery,
    }),
    run: async ({ dure, documents, query }) => {
      const { by, time, percentiles, budget, from, to, ...filter } = query;
      // What ended in an hour is wanted of an hour, unless told otherwise.
      const instant = time ?? (by.some((key) => /^(minute|hour|day)$/.test(key)) ? "updatedAt" : "createdAt");
      const range = { ...(from && { start: from }), ...(to && { end: to }) };
      const search = {
        ...searchOf(filter),
        ...((from || to) &&
          (instant === "updatedAt" ? { updatedAtRange: range } : { createdAtRange: range })),
        by: by as SummaryKey[],
        time: instant,
        percentiles,
        ...budgetOf(budget),
      };
      const { groups, ...rest } = await dure.summarizeTasks(search);
      return { ...rest, groups: groups.map((group) => documents.group(group)) };
    },
  }),
  route({
    method: "GET",
    path: "query/complete",
    role: "viewer",
    answer: completion,
    summary: "What may stand at a place of a query that is being written",
    query: z.object({ text: z.string().max(10_000), position: z.coerce.number().int().min(0) }),
    run: async ({ dure, documents, query }) => {
      const { text, position } = query;
      const asked = valueAt(text, position);
      if (!asked) {
        const { items, ...place } = await dure.completeQuery(text, position);
        return { ...place, items: items.filter((item) => !hidesPlace(documents, item.text)) };
      }
      if (!documents.hides(asked.field.replace(/^attribute\./, "")))
        return dure.completeQuery(text, position);
      return { from: position, to: position, items: [] };
    },
  }),
];

/** Whether a name that is offered is that of a place in a payload or result which is not shown. */
function hidesPlace(documents: Call["documents"], offer: string): boolean {
  const place = /^((?:payload|result)\..+):$/.exec(offer)?.[1];
  return place !== undefined && [place, ...place.split(".").slice(1)].some((key) => documents.hides(key));
}
