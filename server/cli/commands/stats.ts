/** `dure stats`: how many tasks of each type are in each status, and how the database is. */
import type { Command } from "commander";
import { formatDuration } from "../../tasks/core/duration.ts";
import type { StoreStats } from "../../tasks/core/store.ts";
import type { TaskStatusName } from "../../tasks/core/task.ts";
import type { Action } from "../context.ts";
import { withContext } from "../context.ts";
import type { Output } from "../output.ts";
import type { Column } from "../table.ts";
import { renderFields, renderTable } from "../table.ts";
import { paintStatus } from "../task-view.ts";
import { formatBytes, formatCount } from "../text.ts";

const statuses = ["PENDING", "RUNNING", "COMPLETED", "FAILED", "CANCELLED"] as const;

interface Row {
  type: string;
  queue: string;
  counts: Partial<Record<TaskStatusName, number>>;
}

/** Adds the command. */
export function addStats(program: Command): void {
  program
    .command("stats")
    .summary("counts by type and status, workers, sizes")
    .description(
      "Prints how many tasks of each type are in each status, how many workers live, and how large the database is.",
    )
    .addHelpText(
      "after",
      `
Examples:
  dure stats
  dure stats --json | jq '.byType[] | select(.status == "FAILED")'`,
    )
    .action(withContext(stats));
}

const stats: Action<object> = async (context) => {
  const found = await context.open().stats();
  const { output } = context;
  output.document(found);
  const rows = rowsOf(found.byType);
  if (rows.length > 0) output.print(`${renderTable(output, columns(output), withTotal(rows))}\n`);
  else output.note("There is no task yet.");
  output.print(renderFields(output, summary(found)));
};

function rowsOf(byType: StoreStats["byType"]): Row[] {
  const rows = new Map<string, Row>();
  for (const { type, queue, status, count } of byType) {
    const key = JSON.stringify([type, queue]);
    const row = rows.get(key) ?? { type, queue, counts: {} };
    row.counts[status] = (row.counts[status] ?? 0) + count;
    rows.set(key, row);
  }
  return [...rows.values()];
}

function withTotal(rows: readonly Row[]): Row[] {
  if (rows.length < 2) return [...rows];
  const total: Row = { type: "all", queue: "", counts: {} };
  for (const { counts } of rows) {
    for (const status of statuses) total.counts[status] = (total.counts[status] ?? 0) + (counts[status] ?? 0);
  }
  return [...rows, total];
}

function columns(output: Output): Column<Row>[] {
  return [
    { head: "type", cell: ({ type }) => type, flexible: true },
    { head: "queue", cell: ({ queue }) => queue, flexible: true },
    ...statuses.map((status) => ({
      head: status.toLowerCase(),
      cell: ({ counts }: Row) => (counts[status] ? formatCount(counts[status]) : "–"),
      paint: (text: string, { counts }: Row) =>
        counts[status] ? paintStatus(output, text, status) : output.colors.dim(text),
      right: true,
    })),
  ];
}

function summary({
  workers,
  oldestDueMs,
  sizeBytes,
  writeAheadBytes,
}: StoreStats): [string, string | undefined][] {
  const dead = workers.dead > 0 ? `, ${workers.dead} dead` : "";
  return [
    ["workers", `${workers.alive} alive${dead}, ${workers.stopped} stopped`],
    ["longest due", oldestDueMs === undefined ? "nothing is due" : `for ${formatDuration(oldestDueMs)}`],
    ["database", formatBytes(sizeBytes)],
    ["write-ahead log", writeAheadBytes === undefined ? undefined : formatBytes(writeAheadBytes)],
  ];
}
