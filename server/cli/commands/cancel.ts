/** `dure cancel`: tasks that are waiting or running. */
import type { Command } from "commander";
import type { Action } from "../context.ts";
import { withContext } from "../context.ts";
import {
  backgroundOption,
  changeFound,
  dryRunOption,
  isByQuery,
  type QueryOptions,
  queryOption,
  rateOption,
  yesOption,
} from "../each-found.ts";
import { changeEach } from "../each-task.ts";

/** Adds the command. */
export function addCancel(program: Command): void {
  program
    .command("cancel")
    .summary("cancel waiting and running tasks")
    .description(
      "Cancels tasks. One that waits is CANCELLED at once; the handler of one that runs is asked to stop, wherever " +
        "it runs, and may still succeed first.",
    )
    .argument("[ids...]", "tasks")
    .option(...queryOption)
    .option(...dryRunOption)
    .option(...backgroundOption)
    .option(...rateOption)
    .option(...yesOption)
    .addHelpText(
      "after",
      `
Examples:
  dure cancel 01JD8Z6Q5N0000000000000000
  dure cancel order-17 order-18
  dure cancel --query 'status:pending tag:import' --yes`,
    )
    .action(withContext(cancel));
}

const cancel: Action<QueryOptions> = async (context, options, ids) => {
  if (isByQuery(options, ids)) return changeFound(context, options, "cancel", "cancelled");
  const dure = context.open();
  return changeEach(context, ids, "cancelled", async (id) => {
    const { task, requested } = await dure.cancelTask(id, { by: context.by });
    return {
      task,
      line: requested ? `${task.id}  asked to stop; it is running` : `${task.id}  ${task.status}`,
    };
  });
};
