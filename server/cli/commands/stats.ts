/** `dure stats`: how many tasks of each type are in each status, and how the database is. */
import type { Command } from "commander";
import { formatDuration } from "../../tasks/core/duration.ts";
import type { Pause } from "../../tasks/core/pauses.ts";
import { spansMs } from "../../tasks/core/port/store-history.ts";
import type { StoreStats } from "../../tasks/core/store.ts";
import type { TaskStatusName } from "../../tasks/core/task.ts";
import { collect, given, parseChoice } from "../arguments.ts";
import type { Action, Context } from "../context.ts";
import { withContext } from "../context.ts";
import { CommandError } from "../exit-codes.ts";
import { renderHistory } from "../history-view.ts";
import { refuseUnknownTypes } from "../known-types.ts";
import type { Output } from "../output.ts";
import { pauseText } from "../pause-view.ts";
import type { Column } from "../table.ts";
import { renderFields, renderTable } from "../table.ts";
import { paintStatus } from "../task-view.ts";
import { counted, formatBytes, formatCount } from "../text.ts";
import { parseSpan } from "../times.ts";

const statuses = ["PENDING", "RUNNING", "COMPLETED", "FAILED", "CANCELLED"] as const;

const bucketNames = ["minute", "hour", "day"] as const;

interface Options {
  history?: boolean;
  type?: string[];
  byType?: boolean;
  since?: string;
  bucket?: string;
}

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
    .option("--history", "what ended when, and how long it waited and ran, also of tasks that were deleted")
    .option("-t, --type <types>", "with --history: of these definitions, separated by commas", collect)
    .option("--by-type", "with --history: a line for each type")
    .option("--since <duration>", "with --history: how far back, such as 3h or 30d (default: 24h)")
    .option("--bucket <length>", "with --history: minute, hour or day (default: by --since)")
    .addHelpText(
      "after",
      `
Examples:
  dure stats
  dure stats --history --since 2h --type send-receipt
  dure stats --json | jq '.byType[] | select(.status == "FAILED")'`,
    )
    .action(withContext(stats));
}

const stats: Action<Options> = async (context, options) => {
  if (options.history) return history(context, options);
  refuseWithoutHistory(options);
  const dure = context.open();
  const [found, pauses] = await Promise.all([dure.stats(), dure.listPauses()]);
  const { output } = context;
  output.document({ ...found, pauses });
  const rows = rowsOf(found.byType);
  if (rows.length > 0) output.print(`${renderTable(output, columns(output), withTotal(rows))}\n`);
  else output.note("There is no task yet.");
  output.print(renderFields(output, [...summary(found), ...pauses.map(pauseField)]));
};

function pauseField(pause: Pause): [string, string] {
  return ["paused", pauseText(pause)];
}

function refuseWithoutHistory({ type, byType, since, bucket }: Options): void {
  const ofHistory = { "--type": type, "--by-type": byType, "--since": since, "--bucket": bucket };
  const name = Object.entries(ofHistory).find(([, value]) => value !== undefined)?.[0];
  if (name !== undefined) throw new CommandError(`${name} is of the history. Give --history with it.`);
}

async function history(
  context: Context,
  { type: types, byType, since = "24h", bucket }: Options,
): Promise<void> {
  const sinceMs = parseSpan(since, "--since");
  const { output } = context;
  const span = given(bucket, (text) => parseChoice(text, bucketNames, "--bucket")) ?? bucketFor(sinceMs);
  const dure = context.open();
  const found = await dure.readHistory({
    start: new Date(Date.now() - sinceMs),
    bucket: span,
    ...(types && { types }),
    ...(byType && { by: "type" }),
  });
  // The history knows types that are not defined any more.
  if (found.length === 0) await refuseUnknownTypes(dure, types ?? []);
  output.document(found);
  if (found.length > 0) output.print(renderHistory(output, found, span));
  else output.note("No task ended in this time. Workers write the history while they run.");
}

/** About 24 to 120 lines. */
function bucketFor(sinceMs: number): (typeof bucketNames)[number] {
  if (sinceMs <= 2 * spansMs.hour) return "minute";
  return sinceMs <= 5 * spansMs.day ? "hour" : "day";
}

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
  textLag,
  filling = [],
  sizeBytes,
  writeAheadBytes,
}: StoreStats): [string, string | undefined][] {
  const dead = workers.dead > 0 ? `, ${workers.dead} dead` : "";
  return [
    ["workers", `${workers.alive} alive${dead}, ${workers.stopped} stopped`],
    ["longest due", oldestDueMs === undefined ? "nothing is due" : `for ${formatDuration(oldestDueMs)}`],
    ["texts to index", textLag ? counted(textLag, "task") : undefined],
    ...filling.map(({ type, tasks }): [string, string] => [
      "attributes to fill",
      `${counted(tasks, "task")} of ${type}`,
    ]),
    ["database", formatBytes(sizeBytes)],
    ["write-ahead log", writeAheadBytes === undefined ? undefined : formatBytes(writeAheadBytes)],
  ];
}
