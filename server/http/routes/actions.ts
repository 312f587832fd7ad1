/** Actions on a whole search: how many it would be, and the task that does it. */
import { z } from "zod";
import { actionType } from "../../tasks/core/act.ts";
import { DureError } from "../../tasks/core/errors.ts";
import { type ActionAnswer, actionAnswer, oneTask } from "../contract.ts";
import { route } from "../route.ts";
import { instant, searchOf } from "./tasks.ts";

const names = z.union([z.string(), z.array(z.string()).max(100)]).transform((given) => [given].flat());
const filters = {
  q: z.string().max(10_000).optional(),
  status: names.transform((given) => given.map((status) => status.toUpperCase())).optional(),
  type: names.optional(),
  queue: names.optional(),
  from: instant.optional(),
  to: instant.optional(),
};
const newAction = z.strictObject({
  ...filters,
  action: z.enum(["cancel", "retry", "delete", "edit"]),
  /** Of `edit`: what to change. */
  edit: z.strictObject({ priority: z.number().int().optional(), dueAt: instant.optional() }).optional(),
  dryRun: z.boolean().default(false),
  /** At most this many tasks a second. */
  rate: z.number().int().min(1).max(1_000_000).optional(),
});

export const actionRoutes = [
  route({
    method: "POST",
    path: "actions",
    role: "operator",
    answer: actionAnswer,
    summary:
      "Cancels, retries, deletes or edits all that fits, as a task of its own (202); with `dryRun` only says how many. Deleting needs the role admin",
    body: newAction,
    statusOf: (answer: ActionAnswer) => ("task" in answer ? 202 : 200),
    run: async ({ dure, documents, body, charge, need, by, audit }): Promise<ActionAnswer> => {
      const { action, edit, dryRun, rate, ...filter } = body;
      if (action === "delete") need("admin");
      refuseNoFilter(filter);
      const search = searchOf(filter);
      const change = edit && {
        edit: {
          ...(edit.priority !== undefined && { priority: edit.priority }),
          ...(edit.dueAt && { runAt: edit.dueAt }),
        },
      };
      audit({ action, ...filter, dryRun });
      if (dryRun) {
        const { matched, sample, unfilled, hint } = await dure.actOnTasks(search, action, {
          ...change,
          dryRun,
        });
        const shown = sample.map((task) => documents.task(task));
        return {
          ...{ count: matched, sample: shown },
          ...(unfilled && { unfilled }),
          ...(hint !== undefined && { hint }),
        };
      }
      charge(1);
      const started = await dure.startAction(search, action, {
        ...change,
        ...(rate !== undefined && { rate }),
        by,
      });
      audit({ task: started.id });
      return { task: documents.task(started) };
    },
  }),
  route({
    method: "GET",
    path: "actions/:id",
    role: "viewer",
    answer: oneTask,
    summary: "The task of an action: its progress, and in the end its result. It is cancelled as any task",
    run: async ({ dure, documents, params }) => {
      const id = params.id!;
      const task = await dure.getTaskById(id);
      if (task?.type === actionType) return { task: documents.task(task) };
      throw new DureError("TASK_NOT_FOUND", `There is no action "${id}".`, { details: { id } });
    },
  }),
];

/** JSON has no word of what is undefined: a filter that was forgotten looks as if none were meant. */
function refuseNoFilter({ q, ...filter }: { q?: string }): void {
  if (q?.trim() || Object.keys(filter).length > 0) return;
  throw new DureError(
    "INVALID_OPTION",
    'The action has no filter (q, status, type, queue, from or to), so that every task would fit; give q: "type:*" to mean every task.',
  );
}
