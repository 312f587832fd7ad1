/** `dure run`: a program that defines and enqueues tasks, with a worker beside it until they have ended. */
import type { Command } from "commander";
import type { Dure } from "../../dure.ts";
import type { Task, TaskStatusName } from "../../tasks/core/task.ts";
import type { Action } from "../context.ts";
import { withContext } from "../context.ts";
import { exitFindings } from "../exit-codes.ts";
import { loadModule, modulesNamed, requireDefinitions } from "../modules.ts";
import type { Output } from "../output.ts";
import { renderTable } from "../table.ts";
import { paintStatus } from "../task-view.ts";
import { counted, formatCount } from "../text.ts";
import type { WorkingOptions } from "../working.ts";
import { concurrencyOption, graceOption, Working } from "../working.ts";

const statuses = ["COMPLETED", "FAILED", "CANCELLED", "RUNNING", "PENDING"] as const;
/** Between two looks at what is left. */
const lookMs = 100;
/** So many looks in a row must find nothing left: a program may be about to enqueue the next task. */
const quietLooks = 3;

interface Summary {
  type: string;
  counts: Record<TaskStatusName, number>;
}

/** Adds the command. */
export function addRun(program: Command): void {
  program
    .command("run")
    .summary("run a program and the tasks it enqueues, to their end")
    .description(
      "Imports a program that defines and enqueues tasks, and runs a worker beside it until no due, running or " +
        "retried task of its definitions is left; tasks scheduled for later stay. What an earlier run left is " +
        "finished too. Exits 1 when a task FAILED.",
    )
    .argument("<file>", "the program; TypeScript needs no build")
    .option(...concurrencyOption)
    .option(...graceOption)
    .addHelpText(
      "after",
      `
Examples:
  dure run reports.ts
  dure run reports.ts --database reports.db --concurrency 2
  dure run reports.ts --json > summary.json`,
    )
    .action(withContext(run));
}

const run: Action<WorkingOptions> = async (context, options, [file]) => {
  const [path] = modulesNamed([file!]);
  const startedAt = new Date();
  const working = new Working(context, options);
  const { dure } = working;
  const loaded = loadModule(path!);
  await Promise.race([loaded, firstDefinition(dure)]);
  await working.start();
  const left = loaded.then(() => {
    requireDefinitions(working.types, file!);
    return allEnded(dure, working.types);
  });
  const { exitCode, released } = await working.until(left.then(() => "done" as const));
  const summaries = await summarize(dure, working.types, startedAt);
  report(context.output, summaries, released);
  return exitCode || (summaries.some(({ counts }) => counts.FAILED > 0) ? exitFindings : 0);
};

/** Resolves when the module that is loading has defined its first tasks: it may wait for one of them to end. */
function firstDefinition({ instance }: Dure): Promise<void> {
  return new Promise((resolve) => {
    const undo = instance.registry.onAdd(() => {
      undo();
      setImmediate(resolve);
    });
  });
}

async function allEnded(dure: Dure, types: readonly string[]): Promise<void> {
  for (let quiet = 0; quiet < quietLooks; ) {
    quiet = (await somethingLeft(dure, types)) ? 0 : quiet + 1;
    await new Promise((resolve) => setTimeout(resolve, lookMs));
  }
}

async function somethingLeft(dure: Dure, type: readonly string[]): Promise<boolean> {
  if ((await dure.countTasks({ type, status: "RUNNING" })) > 0) return true;
  if ((await dure.countTasks({ type, status: "PENDING" })) === 0) return false;
  const options = { type, status: "PENDING", definitions: false, limit: 10_000 } as const;
  return (await dure.searchTasks(options)).some(holdsTheRun);
}

/** Due, or begun before and waiting for its next attempt; not what the program scheduled for later. */
function holdsTheRun({ dueAt, startedAt }: Task): boolean {
  return startedAt !== undefined || dueAt === undefined || dueAt.getTime() <= Date.now();
}

async function summarize(dure: Dure, types: readonly string[], since: Date): Promise<Summary[]> {
  return Promise.all(
    types.map(async (type) => {
      const counts = statuses.map(async (status) => {
        const ended =
          status === "PENDING" || status === "RUNNING" ? {} : { updatedAtRange: { start: since } };
        return [status, await dure.countTasks({ type, status, ...ended })] as const;
      });
      return { type, counts: Object.fromEntries(await Promise.all(counts)) as Summary["counts"] };
    }),
  );
}

function report(output: Output, summaries: readonly Summary[], released: number): void {
  output.document({ types: summaries, released });
  const shown = summaries.filter(({ counts }) => statuses.some((status) => counts[status] > 0));
  if (shown.length === 0) {
    output.note("No task ran.");
    return;
  }
  output.print(
    renderTable(
      output,
      [
        { head: "type", cell: ({ type }) => type, flexible: true },
        ...statuses.map((status) => ({
          head: status.toLowerCase(),
          cell: ({ counts }: Summary) => (counts[status] === 0 ? "" : formatCount(counts[status])),
          paint: (text: string) => paintStatus(output, text, status),
          right: true,
          optional: status !== "COMPLETED" && status !== "FAILED",
        })),
      ],
      shown,
    ),
  );
  noteRest(output, shown);
}

function noteRest(output: Output, summaries: readonly Summary[]): void {
  const total = (status: TaskStatusName) => summaries.reduce((sum, { counts }) => sum + counts[status], 0);
  const failed = total("FAILED");
  const pending = total("PENDING");
  if (failed > 0) output.note(`${counted(failed, "task")} failed; "dure search --status failed" lists them.`);
  if (pending > 0) output.note(`${counted(pending, "task")} ${pending === 1 ? "is" : "are"} still waiting.`);
}
