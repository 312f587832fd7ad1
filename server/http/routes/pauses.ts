/** Pauses: types and queues whose tasks wait until they are resumed. */
import { z } from "zod";
import type { PauseTarget } from "../../tasks/core/pauses.ts";
import { pause } from "../contract.ts";
import { HttpError } from "../errors.ts";
import { route } from "../route.ts";

export const pauseRoutes = [
  route({
    method: "GET",
    path: "pauses",
    role: "viewer",
    answer: z.object({ pauses: z.array(pause) }),
    summary: "What is paused, types first, then queues, by name",
    run: async ({ dure, documents }) => ({
      pauses: (await dure.listPauses()).map((pause) => documents.pause(pause)),
    }),
  }),
  route({
    method: "PUT",
    path: "pauses/:kind/:name",
    role: "operator",
    answer: z.object({ pause }),
    summary: "Pauses a `type` or a `queue`: no worker starts a task of it; what runs goes on",
    body: z.strictObject({
      /** Left out, one that was given before stays. */
      reason: z.string().max(1_000).optional(),
    }),
    run: async ({ dure, documents, params, body: { reason }, by, audit }) => {
      if (reason !== undefined) audit({ reason });
      const options = reason === undefined ? { by } : { reason, by };
      return { pause: documents.pause(await dure.pause(targetOf(params), options)) };
    },
  }),
  route({
    method: "DELETE",
    path: "pauses/:kind/:name",
    role: "operator",
    answer: z.object({ resumed: z.boolean() }),
    summary: "Lets the tasks of a type or a queue start again; answers whether it was paused",
    run: async ({ dure, params, by }) => ({ resumed: await dure.resume(targetOf(params), { by }) }),
  }),
];

function targetOf({ kind, name = "" }: Record<string, string>): PauseTarget {
  if (kind === "type") return { type: name };
  if (kind === "queue") return { queue: name };
  throw new HttpError(
    404,
    "NOT_FOUND",
    "Only a type or a queue can be paused: /api/pauses/type/send-receipt.",
  );
}
