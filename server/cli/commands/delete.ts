/** `dure delete`: finished tasks, with their attempts and logs. */
import type { Command } from "commander";
import { confirm } from "../confirm.ts";
import type { Action } from "../context.ts";
import { withContext } from "../context.ts";
import { changeEach } from "../each-task.ts";
import { counted } from "../text.ts";

interface Options {
  yes?: boolean;
}

/** Adds the command. */
export function addDelete(program: Command): void {
  program
    .command("delete")
    .summary("delete finished tasks")
    .description(
      "Deletes finished tasks with their attempts and logs. Asks first on a terminal; elsewhere it wants --yes.",
    )
    .argument("<ids...>", "tasks that are COMPLETED, FAILED or CANCELLED")
    .option("-y, --yes", "do not ask")
    .addHelpText(
      "after",
      `
Examples:
  dure delete 01JD8Z6Q5N0000000000000000
  dure delete order-17 order-18 --yes`,
    )
    .action(withContext(remove));
}

const remove: Action<Options> = async (context, { yes }, ids) => {
  const dure = context.open();
  if (
    !(await confirm(
      context.output,
      `Delete ${counted(ids.length, "task")} from ${context.shownDatabase}`,
      yes,
    ))
  )
    return 1;
  return changeEach(context, ids, "deleted", async (id) => {
    await dure.deleteTask(id);
    return { line: `${id}  deleted` };
  });
};
