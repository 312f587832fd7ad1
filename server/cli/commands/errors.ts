/** `dure errors`: failed tasks by errors that say the same. */
import type { Command } from "commander";
import type { ErrorGroup } from "../../http/contract.ts";
import { readErrors } from "../../http/error-groups.ts";
import type { Action } from "../context.ts";
import { withContext } from "../context.ts";
import type { Output } from "../output.ts";
import type { Column } from "../table.ts";
import { renderTable } from "../table.ts";
import { formatCount, plainLine } from "../text.ts";
import { formatInstant, formatRelative } from "../times.ts";

/** Adds the command. */
export function addErrors(program: Command): void {
  program
    .command("errors")
    .summary("failed tasks by errors that say the same")
    .description(
      "Groups the latest 2,000 failed tasks by their messages, numbers, ids and quoted parts left out. With --json each group " +
        "has the query that finds its tasks, for search and retry.",
    )
    .addHelpText(
      "after",
      `
Examples:
  dure errors
  dure errors --json | jq -r '.errors[0].query'`,
    )
    .action(withContext(errors));
}

const errors: Action<object> = async (context) => {
  const found = await readErrors(context.open());
  const { output } = context;
  output.document(found);
  if (found.errors.length === 0) return output.note("No task has failed.");
  output.print(renderTable(output, errorColumns(output, Date.now()), found.errors));
  if (found.lookedBackTo !== undefined) {
    output.note(`Of the latest failures alone, back to ${formatInstant(new Date(found.lookedBackTo))}.`);
  }
  output.note(`All of the first again: dure retry --query '${plainLine(found.errors[0]!.query)}'`);
};

/** The columns of errors that say the same. */
export function errorColumns(output: Output, now: number): Column<ErrorGroup>[] {
  return [
    { head: "count", cell: ({ count }) => formatCount(count), right: true },
    {
      head: "first",
      cell: ({ firstAt }) => formatRelative(new Date(firstAt), now),
      right: true,
      optional: true,
    },
    { head: "last", cell: ({ lastAt }) => formatRelative(new Date(lastAt), now), right: true },
    { head: "types", cell: ({ types }) => typesText(types, output.width), flexible: true },
    {
      head: "error",
      cell: ({ message }) => message,
      paint: (text) => output.colors.red(text),
      flexible: true,
      below: true,
    },
  ];
}

const typesShown = 3;

/** On a terminal the first of them, so that an error of many types keeps its place. */
function typesText(types: readonly string[], width: number): string {
  const left = types.length - typesShown;
  if (left <= 0 || !Number.isFinite(width)) return types.join(", ");
  return `${types.slice(0, typesShown).join(", ")} +${left}`;
}
