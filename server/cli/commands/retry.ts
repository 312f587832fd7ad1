/** `dure retry`: tasks that failed or were cancelled, from the beginning. */
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
export function addRetry(program: Command): void {
  program
    .command("retry")
    .summary("run failed and cancelled tasks again")
    .description("Puts FAILED and CANCELLED tasks back to PENDING, due now, with all their attempts again.")
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
  dure retry 01JD8Z6Q5N0000000000000000
  dure retry --query 'status:failed error:ETIMEDOUT' --dry-run
  dure retry --query 'status:failed error:ETIMEDOUT' --yes
  dure retry --query 'error:ETIMEDOUT' --yes --background --rate 100`,
    )
    .action(withContext(retry));
}

const retry: Action<QueryOptions> = async (context, options, ids) => {
  if (isByQuery(options, ids)) return changeFound(context, options, "retry", "retried");
  const dure = context.open();
  return changeEach(context, ids, "retried", async (id) => {
    const task = await dure.retryTask(id, { by: context.by });
    return { task, line: `${task.id}  ${task.status}` };
  });
};
