/** `dure delete`: finished tasks, with their attempts and logs. */
import type { Command } from "commander";
import { confirm } from "../confirm.ts";
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
import { counted } from "../text.ts";

/** Adds the command. */
export function addDelete(program: Command): void {
  program
    .command("delete")
    .summary("delete finished tasks")
    .description(
      "Deletes finished tasks with their attempts and logs. Asks first on a terminal; elsewhere it wants --yes.",
    )
    .argument("[ids...]", "tasks that are COMPLETED, FAILED or CANCELLED")
    .option(...queryOption)
    .option(...dryRunOption)
    .option(...backgroundOption)
    .option(...rateOption)
    .option(...yesOption)
    .addHelpText(
      "after",
      `
Examples:
  dure delete 01JD8Z6Q5N0000000000000000
  dure delete order-17 order-18 --yes
  dure delete --query 'status:completed created:<30d' --dry-run`,
    )
    .action(withContext(remove));
}

const remove: Action<QueryOptions> = async (context, options, ids) => {
  if (isByQuery(options, ids)) return changeFound(context, options, "delete", "deleted");
  const dure = context.open();
  if (
    !(await confirm(
      context.output,
      `Delete ${counted(ids.length, "task")} from ${context.shownDatabase}`,
      options.yes,
    ))
  )
    return 1;
  return changeEach(context, ids, "deleted", async (id) => {
    await dure.deleteTask(id, { by: context.by });
    return { line: `${id}  deleted` };
  });
};
