/** How many tasks of a search there are by what they have in common: what the dashboard calls facets. */
import type { SummaryKey, TaskGroup, TaskSummary, TaskSummaryOptions } from "../tasks/core/counts/summary.ts";
import type { TaskSearchOptions } from "../tasks/core/search.ts";
import type { Output } from "./output.ts";
import { type Column, renderTable } from "./table.ts";
import { counted, formatCount } from "./text.ts";
import { formatStretch } from "./times.ts";

/** What tells which tasks are counted; pages and orders do not. */
export function filtersOf(wanted: TaskSearchOptions): TaskSummaryOptions {
  const {
    limit: _limit,
    offset: _offset,
    sortBy: _by,
    sortOrder: _order,
    cursor: _cursor,
    definitions: _definitions,
    updatedSince: _since,
    ...filters
  } = wanted;
  return filters;
}

/** The groups, and what is to be known of their counts. */
export function printSummary(output: Output, by: readonly SummaryKey[], summary: TaskSummary): void {
  output.document(summary);
  printGroups(output, by, summary);
}

/** The same without its document. */
export function printGroups(output: Output, by: readonly SummaryKey[], summary: TaskSummary): void {
  const { groups, total, sampled, valuesLeftOut = 0, unfilled = 0 } = summary;
  if (groups.length > 0) output.print(renderTable(output, columns(by), groups));
  output.note(`${counted(total.count, "task")}.`);
  const attribute = by.find((key) => key.startsWith("attribute."));
  const counts = groups.reduce((sum, { count }) => sum + count, 0);
  if (attribute !== undefined && sampled === undefined && counts !== total.count)
    output.note(`A task without ${attribute} is in no group, one with several values in the group of each.`);
  if (summary.hint !== undefined) output.note(summary.hint);
  if (valuesLeftOut > 0) output.note(`${formatCount(valuesLeftOut)} rarer values are left out.`);
  if (unfilled > 0)
    output.note(`Without an attribute that waits to be filled in: about ${counted(unfilled, "task")}.`);
  if (sampled === undefined) return;
  output.note(`The counts are of the newest ${formatCount(sampled)}; --budget none counts them all.`);
}

function columns(by: readonly SummaryKey[]): Column<TaskGroup>[] {
  return [
    ...by.map(
      (key): Column<TaskGroup> => ({ head: key, cell: (group) => text(group[key], key), flexible: true }),
    ),
    { head: "count", cell: ({ count }) => formatCount(count), right: true },
  ];
}

function text(value: TaskGroup[SummaryKey], key: SummaryKey): string {
  return value instanceof Date ? formatStretch(value, key === "day") : String(value ?? "");
}
