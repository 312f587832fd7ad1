/** `dure search`: tasks that fit, a page at a time. */
import type { Command } from "commander";
import type { Dure } from "../../dure.ts";
import { DureError } from "../../tasks/core/errors.ts";
import { didYouMean } from "../../tasks/core/names.ts";
import type { DateRange, TaskPage, TaskSearchOptions } from "../../tasks/core/search.ts";
import { collect, given, parseChoice, parseInteger, parseStatuses } from "../arguments.ts";
import type { Action } from "../context.ts";
import { withContext } from "../context.ts";
import { CommandError } from "../exit-codes.ts";
import type { Output } from "../output.ts";
import { renderTable } from "../table.ts";
import { taskColumns, taskDocument } from "../task-view.ts";
import { counted, formatCount } from "../text.ts";
import { parseInstant, parseSpan } from "../times.ts";

interface Options {
  id?: string;
  type?: string[];
  status?: string[];
  queue?: string[];
  createdFrom?: string;
  createdTo?: string;
  updatedFrom?: string;
  updatedTo?: string;
  since?: string;
  limit?: string;
  offset?: string;
  sortBy?: string;
  sortOrder?: string;
  cursor?: string;
  /** False with --no-definitions. */
  definitions: boolean;
}

/** Adds the command. */
export function addSearch(program: Command): void {
  program
    .command("search")
    .summary("find tasks, waiting, running or finished")
    .description(
      "Lists tasks that fit every option given, newest first. Definitions that have no task yet are listed too. " +
        "Dates are like 2026-11-23 (midnight here), 2026-11-23T09:30 or 2026-11-23T09:30:00Z; a range includes its " +
        "start and excludes its end.",
    )
    .option("--id <id>", "exactly this task")
    .option("-t, --type <types>", "of these definitions, separated by commas", collect)
    .option("-s, --status <statuses>", "pending, running, completed, failed, cancelled", collect)
    .option("-q, --queue <queues>", "in these queues", collect)
    .option("--since <duration>", "created within this long: 30m, 2h, 7d")
    .option("--created-from <date>", "created at or after")
    .option("--created-to <date>", "created before")
    .option("--updated-from <date>", "last changed at or after")
    .option("--updated-to <date>", "last changed before")
    .option("-n, --limit <n>", "at most so many, up to 10,000 (default: 50)")
    .option("--offset <n>", "skip so many first")
    .option("--sort-by <field>", "createdAt, updatedAt or id (default: createdAt)")
    .option("--sort-order <order>", "asc or desc (default: desc)")
    .option("--cursor <cursor>", "the page after or before; the previous search printed it")
    .option("--no-definitions", "real tasks only")
    .addHelpText(
      "after",
      `
Examples:
  dure search --status failed --since 2h
  dure search --type resize-image,send-receipt --sort-by updatedAt
  dure search --created-from 2026-11-01 --created-to 2026-12-01 --limit 500
  dure search --status failed --json | jq -r '.tasks[].id' | xargs dure retry`,
    )
    .action(withContext(search));
}

const search: Action<Options> = async (context, options) => {
  const wanted = searchOptions(options);
  const dure = context.open();
  await refuseUnknownTypes(dure, options.type ?? []);
  const [page, total] = await Promise.all([dure.searchTaskPage(wanted), dure.countTasks(wanted)]);
  const { output } = context;
  output.document({ total, ...page, tasks: page.tasks.map(taskDocument) });
  if (page.tasks.length > 0) output.print(renderTable(output, taskColumns(output, Date.now()), page.tasks));
  noteRest(output, page, total);
};

function searchOptions(options: Options): TaskSearchOptions {
  const { id, type, status, queue, limit, offset, sortBy, sortOrder, cursor, definitions } = options;
  return {
    ...given(id, (text) => ({ id: text })),
    ...given(type, (types) => ({ type: types })),
    ...given(status, (texts) => ({ status: parseStatuses(texts) })),
    ...given(queue, (queues) => ({ queue: queues })),
    ...given(createdRange(options), (createdAtRange) => ({ createdAtRange })),
    ...given(range(options.updatedFrom, options.updatedTo, "updated"), (updatedAtRange) => ({
      updatedAtRange,
    })),
    ...given(limit, (text) => ({ limit: parseInteger(text, "--limit") })),
    ...given(offset, (text) => ({ offset: parseInteger(text, "--offset") })),
    ...given(sortBy, (text) => ({
      sortBy: parseChoice(text, ["createdAt", "updatedAt", "id"] as const, "--sort-by"),
    })),
    ...given(sortOrder, (text) => ({
      sortOrder: parseChoice(text, ["asc", "desc"] as const, "--sort-order"),
    })),
    ...given(cursor, (text) => ({ cursor: text })),
    ...(definitions ? {} : { definitions: false }),
  };
}

function createdRange({ since, createdFrom, createdTo }: Options): DateRange | undefined {
  if (since === undefined) return range(createdFrom, createdTo, "created");
  if (createdFrom !== undefined)
    throw new CommandError("--since and --created-from were both given; give one of them.");
  return {
    start: new Date(Date.now() - parseSpan(since, "--since")),
    ...range(undefined, createdTo, "created"),
  };
}

function range(from: string | undefined, to: string | undefined, what: string): DateRange | undefined {
  if (from === undefined && to === undefined) return undefined;
  return {
    ...given(from, (text) => ({ start: parseInstant(text, `--${what}-from`) })),
    ...given(to, (text) => ({ end: parseInstant(text, `--${what}-to`) })),
  };
}

/** A typing error must not look like an empty result. */
async function refuseUnknownTypes(dure: Dure, types: readonly string[]): Promise<void> {
  if (types.length === 0) return;
  const [definitions, { byType }] = await Promise.all([dure.listDefinitions(), dure.stats()]);
  const known = new Set([...definitions.map(({ id }) => id), ...byType.map(({ type }) => type)]);
  const unknown = types.find((type) => !known.has(type));
  if (unknown === undefined) return;
  throw new DureError(
    "TASK_NOT_DEFINED",
    `No task "${unknown}" is defined in this database.${didYouMean(unknown, known)} "dure definitions" lists them all.`,
    { details: { id: unknown } },
  );
}

function noteRest(output: Output, { tasks, nextCursor, previousCursor }: TaskPage, total: number): void {
  const real = tasks.filter(({ isDefinition }) => !isDefinition).length;
  if (tasks.length === 0) output.note("No task fits.");
  else if (real === total) output.note(`${counted(total, "task")}.`);
  else output.note(`${formatCount(real)} of ${counted(total, "task")}.`);
  if (nextCursor !== undefined) output.note(`Next page: add --cursor ${nextCursor}`);
  if (previousCursor !== undefined) output.note(`Previous page: add --cursor ${previousCursor}`);
}
