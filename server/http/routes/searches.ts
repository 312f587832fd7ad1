/** Saved searches: a query under a name, which every query may use as `@name`, with an optional alert rule. */
import { z } from "zod";
import type { AlertRule } from "../../tasks/core/saved-searches.ts";
import { savedSearch as savedSearchDocument } from "../contract.ts";
import { type Call, route } from "../route.ts";

const alertTask = z.strictObject({ type: z.string(), payload: z.record(z.string(), z.unknown()).optional() });
const savedSearch = z.strictObject({
  query: z.string().max(10_000),
  /** Left out, it stays as it was; null takes it away. So with the alert. */
  description: z.string().max(1_000).nullable().optional(),
  alert: z
    .strictObject({
      over: z.number().int().optional(),
      under: z.number().int().optional(),
      for: z.union([z.string(), z.number()]).optional(),
      enqueue: alertTask,
      recovered: alertTask.optional(),
    })
    .nullable()
    .optional(),
});

export const searchRoutes = [
  route({
    method: "GET",
    path: "searches",
    role: "viewer",
    answer: z.object({ searches: z.array(savedSearchDocument) }),
    summary: "All saved searches by name, and what their alerts have found",
    run: async ({ dure, documents }) => ({
      searches: (await dure.listSearches()).map((search) => documents.search(search)),
    }),
  }),
  route({
    method: "PUT",
    path: "searches/:name",
    role: "operator",
    answer: z.object({ search: savedSearchDocument }),
    summary: "Saves a search, in the place of one that has the name",
    body: savedSearch,
    run: async ({ dure, documents, params, body, by, audit }) => {
      audit({ query: body.query, ...(body.alert && { enqueue: body.alert.enqueue.type }) });
      const alert = body.alert && (await editedAlert({ dure, documents }, params.name!, body.alert));
      const given = { ...body, ...(alert && { alert }), by };
      return { search: documents.search(await dure.saveSearch(params.name!, given)) };
    },
  }),
  route({
    method: "DELETE",
    path: "searches/:name",
    role: "operator",
    answer: z.object({ deleted: z.string() }),
    summary: "Deletes a saved search and its alert",
    run: async ({ dure, params, by }) => {
      await dure.deleteSearch(params.name!, { by });
      return { deleted: params.name! };
    },
  }),
];

/** What was hidden from who edits an alert stays what it was. */
async function editedAlert(
  { dure, documents }: Pick<Call, "dure" | "documents">,
  name: string,
  alert: AlertRule,
): Promise<AlertRule> {
  const before = (await dure.listSearches()).find((search) => search.name === name)?.alert;
  const { enqueue, recovered } = alert;
  return {
    ...alert,
    enqueue: documents.editedAlertTask(enqueue, before?.enqueue, "alert.enqueue"),
    ...(recovered && {
      recovered: documents.editedAlertTask(recovered, before?.recovered, "alert.recovered"),
    }),
  };
}
