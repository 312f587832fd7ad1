/** `dure cancel`: tasks that are waiting or running. */
import type { Command } from "commander";
import type { Action } from "../context.ts";
import { withContext } from "../context.ts";
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
    .argument("<ids...>", "tasks")
    .addHelpText(
      "after",
      `
Examples:
  dure cancel 01JD8Z6Q5N0000000000000000
  dure cancel order-17 order-18`,
    )
    .action(withContext(cancel));
}

const cancel: Action<object> = async (context, _options, ids) => {
  const dure = context.open();
  return changeEach(context, ids, "cancelled", async (id) => {
    const { task, requested } = await dure.cancelTask(id);
    return {
      task,
      line: requested ? `${task.id}  asked to stop; it is running` : `${task.id}  ${task.status}`,
    };
  });
};
