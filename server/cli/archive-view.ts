/** `dure search --archive`: what the files of an archive hold, and how far they were read. */
import type { Dure } from "../dure.ts";
import type { SummaryKey } from "../tasks/core/counts/summary.ts";
import type { TaskSearchOptions } from "../tasks/core/search.ts";
import type { ArchiveCount } from "../tasks/runtime/archive/archive-count.ts";
import type { Context } from "./context.ts";
import { CommandError } from "./exit-codes.ts";
import type { Output } from "./output.ts";
import { filtersOf, printGroups } from "./summary-view.ts";
import { renderTable } from "./table.ts";
import { taskColumns, taskDocument } from "./task-view.ts";
import { counted, formatCount } from "./text.ts";
import { formatInstant } from "./times.ts";

/** Prints a page of the archive, or with `count` how many there are, with `by` of what. */
export async function searchArchive(
  context: Context,
  folder: string,
  wanted: TaskSearchOptions,
  { count, explain, by }: { count?: boolean; explain?: boolean; by?: readonly string[] },
): Promise<void> {
  if (explain)
    throw new CommandError(
      "--explain is for the database; an archive is read file by file. --type, --status, --queue and a range of time leave out files " +
        "that hold none of these, and the search says how many it read.",
    );
  const { output } = context;
  const dure = context.openArchive(folder);
  if (by) return countBy(dure, output, by as readonly SummaryKey[], wanted);
  if (count) {
    const { count: total, ...report } = await dure.countArchive(wanted);
    output.document({ total, ...report });
    output.print(String(total));
    noteReport(output, report);
    return;
  }
  const page = await dure.searchArchive(wanted);
  output.document({ ...page, tasks: page.tasks.map(taskDocument) });
  if (page.tasks.length > 0) output.print(renderTable(output, taskColumns(output, Date.now()), page.tasks));
  else output.note(page.complete ? "No archived task fits." : "No archived task was found so far.");
  noteReport(output, page);
  if (page.complete && page.hint !== undefined) output.note(page.hint);
  if (page.nextCursor !== undefined) output.note(`Next page: add --cursor ${page.nextCursor}`);
  if (page.previousCursor !== undefined) output.note(`Previous page: add --cursor ${page.previousCursor}`);
}

async function countBy(
  dure: Dure,
  output: Output,
  by: readonly SummaryKey[],
  wanted: TaskSearchOptions,
): Promise<void> {
  const summary = await dure.summarizeArchive({ ...filtersOf(wanted), by });
  output.document(summary);
  const { count, groups, complete, valuesLeftOut } = summary;
  const total = { count, errorMax: 0 };
  printGroups(output, by, { groups, total, complete, ...(valuesLeftOut && { valuesLeftOut }) });
  noteReport(output, summary);
}

type Report = Omit<ArchiveCount, "count">;

function noteReport(output: Output, { files, damaged, complete, searchedBackTo }: Report): void {
  output.note(`${formatCount(files.read)} of ${counted(files.total, "file")} read.`);
  if (!complete) {
    const looked = searchedBackTo
      ? `what ended since ${formatInstant(searchedBackTo)} was looked at`
      : "it did not come to the end of the newest file";
    output.note(`The search's time was up: ${looked}. --budget gives it longer.`);
  }
  for (const name of damaged) output.note(`${name} is damaged; what can be read of it was looked at.`);
}
