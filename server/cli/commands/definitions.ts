/** `dure definitions`: what can be enqueued here. */
import type { Command } from "commander";
import { formatDuration } from "../../tasks/core/duration.ts";
import type { StoredDefinition } from "../../tasks/core/store.ts";
import type { Action } from "../context.ts";
import { withContext } from "../context.ts";
import type { Output } from "../output.ts";
import type { Column } from "../table.ts";
import { renderTable } from "../table.ts";
import { counted } from "../text.ts";

/** Adds the command. */
export function addDefinitions(program: Command): void {
  program
    .command("definitions")
    .summary("what can be enqueued")
    .description("Lists the definitions that programs and workers have saved in this database.")
    .addHelpText(
      "after",
      `
Examples:
  dure definitions
  dure definitions --json | jq -r '.[].id'`,
    )
    .action(withContext(definitions));
}

const definitions: Action<object> = async (context) => {
  const found = await context.open().listDefinitions();
  const { output } = context;
  output.document(found);
  if (found.length > 0) output.print(renderTable(output, columns(output), found));
  if (found.length > 0) output.note(`${counted(found.length, "definition")}.`);
  else output.note("No definition is saved here yet. A worker saves its own when it starts.");
};

function columns(output: Output): Column<StoredDefinition>[] {
  return [
    { head: "id", cell: ({ id }) => id },
    { head: "queue", cell: ({ queue }) => queue, flexible: true },
    { head: "priority", cell: ({ priority }) => String(priority), right: true },
    { head: "attempts", cell: ({ maxAttempts }) => String(maxAttempts), right: true },
    {
      head: "timeout",
      cell: ({ timeoutMs }) => (timeoutMs === null ? "none" : formatDuration(timeoutMs)),
      right: true,
    },
    { head: "tags", cell: ({ tags }) => tags.join(", "), flexible: true, optional: true },
    {
      head: "description",
      cell: ({ description }) => description,
      paint: (text) => output.colors.dim(text),
      flexible: true,
      optional: true,
      below: true,
    },
  ];
}
