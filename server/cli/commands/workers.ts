/** `dure workers`: who runs tasks, and who did. */
import type { Command } from "commander";
import { actionType } from "../../tasks/core/act.ts";
import { formatDuration } from "../../tasks/core/duration.ts";
import type { WorkerRecord } from "../../tasks/core/store.ts";
import type { Action } from "../context.ts";
import { withContext } from "../context.ts";
import type { Output } from "../output.ts";
import type { Column } from "../table.ts";
import { renderTable } from "../table.ts";
import { formatRelative } from "../times.ts";

/** From here on timers and people notice. */
const loopDelayWorthTellingMs = 200;

interface Options {
  all?: boolean;
}

/** Adds the command. */
export function addWorkers(program: Command): void {
  program
    .command("workers")
    .summary("the workers of this database")
    .description("Lists the workers that are alive; with --all also those that stopped or died.")
    .option("-a, --all", "also those that stopped or died")
    .addHelpText(
      "after",
      `
Examples:
  dure workers
  dure workers --all --json`,
    )
    .action(withContext(workers));
}

const workers: Action<Options> = async (context, { all }) => {
  const found = await context.open().listWorkers();
  const shown = all ? found : found.filter(({ state }) => state === "alive");
  const { output } = context;
  output.document(shown);
  if (shown.length > 0) output.print(renderTable(output, columns(output, Date.now()), shown));
  else
    output.note(`No worker is alive. "dure worker" starts one${all ? "" : "; --all lists those that were"}.`);
};

function columns(output: Output, now: number): Column<WorkerRecord>[] {
  return [
    { head: "id", cell: ({ id }) => id.slice(0, 8) },
    { head: "name", cell: ({ name, host, pid }) => name ?? `${host} ${pid}`, flexible: true },
    { head: "pid", cell: ({ pid }) => String(pid), right: true },
    {
      head: "state",
      cell: ({ state }) => state,
      paint: (text, { state }) => {
        if (state === "alive") return output.colors.green(text);
        return state === "dead" ? output.colors.red(text) : output.colors.dim(text);
      },
    },
    { head: "running", cell: ({ running, concurrency }) => `${running}/${concurrency}`, right: true },
    { head: "started", cell: ({ startedAt }) => formatRelative(startedAt, now), right: true },
    { head: "last beat", cell: ({ beatAt }) => formatRelative(beatAt, now), right: true },
    {
      head: "loop late",
      cell: ({ loopDelayMs, state }) =>
        loopDelayMs === undefined || state !== "alive" ? "" : formatDuration(loopDelayMs),
      paint: (text, { loopDelayMs = 0 }) =>
        loopDelayMs >= loopDelayWorthTellingMs ? output.colors.yellow(text) : text,
      right: true,
      optional: true,
    },
    { head: "queues", cell: ({ queues }) => queues?.join(", "), flexible: true, optional: true },
    {
      head: "types",
      cell: ({ types }) => types.filter((type) => type !== actionType).join(", "),
      flexible: true,
      below: true,
    },
  ];
}
