/** The audit log: who asked for which change. */
import { z } from "zod";
import { readAuditIn } from "../../tasks/core/audit.ts";
import { auditActions, vias } from "../../tasks/core/port/store-audit.ts";
import { auditPage } from "../contract.ts";
import { listOf } from "../faults.ts";
import { route } from "../route.ts";
import { instant } from "./tasks.ts";

const pageMax = 200;

export const auditRoutes = [
  route({
    method: "GET",
    path: "audit",
    role: "operator",
    answer: auditPage,
    // Whoever has just asked for a change looks for it.
    isOwn: true,
    summary: "The audit log, newest first: who asked for which change of what, when, and from where",
    query: z.object({
      action: z
        .string()
        .max(500)
        .transform(listOf)
        .pipe(z.array(z.enum(auditActions)))
        .optional(),
      who: z.string().max(200).optional(),
      via: z.enum(vias).optional(),
      target: z.string().max(1_000).optional(),
      from: instant.optional(),
      to: instant.optional(),
      limit: z.coerce.number().int().min(1).max(pageMax).default(50),
      cursor: z.string().max(400).optional(),
    }),
    run: async ({ dure, documents, query, seesPayloads }) => {
      const { action, who, via, target, from, to, limit, cursor } = query;
      const asked = {
        ...(action?.length && { actions: action }),
        ...(who !== undefined && { who }),
        ...(via && { via }),
        ...(target !== undefined && { target }),
        ...(from && { start: from }),
        ...(to && { end: to }),
        ...(cursor !== undefined && { cursor }),
        limit,
      };
      // The target of these is a query, which may look into payloads: to be told whether it was this one is to be told of them.
      const hidden = target !== undefined && !seesPayloads ? "tasks" : undefined;
      const { records, searchedBackTo, ...rest } = await readAuditIn(dure.instance, asked, hidden);
      return {
        records: records.map((record) => documents.auditRecord(record)),
        ...rest,
        ...(searchedBackTo && { searchedBackTo: searchedBackTo.toISOString() }),
      };
    },
  }),
];
