/** `dure search`: tasks that fit, a page at a time. */
import type { Command } from "commander";
import type { Dure } from "../../dure.ts";
import type { SummaryKey } from "../../tasks/core/counts/summary.ts";
import type { SearchExplanation } from "../../tasks/core/explain-search.ts";
import { questionOf } from "../../tasks/core/names.ts";
import type { DateRange, TaskPage, TaskSearchOptions } from "../../tasks/core/search.ts";
import { sortFields } from "../../tasks/core/sort-fields.ts";
import { searchArchive } from "../archive-view.ts";
import { collect, collectWhole, given, parseChoice, parseInteger, parseStatuses } from "../arguments.ts";
import type { Action } from "../context.ts";
import { withContext } from "../context.ts";
import { CommandError } from "../exit-codes.ts";
import { refuseUnknownTypes } from "../known-types.ts";
import { findNearMisses } from "../near-misses.ts";
import type { Output } from "../output.ts";
import { attributeFilters, payloadFilters } from "../search-filters.ts";
import { filtersOf, printSummary } from "../summary-view.ts";
import { renderFields, renderTable } from "../table.ts";
import { taskColumns, taskDocument } from "../task-view.ts";
import { counted, formatCount, plainLine, plainLines } from "../text.ts";
import { formatInstant, parseSpan, parseTime } from "../times.ts";

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
  attribute?: string[];
  payload?: string[];
  text?: string[];
  budget?: string;
  count?: boolean;
  by?: string[];
  explain?: boolean;
  limit?: string;
  offset?: string;
  sortBy?: string;
  sortOrder?: string;
  cursor?: string;
  /** A folder. */
  archive?: string;
  /** False with --no-definitions. */
  definitions: boolean;
}

const summedBy = "status, type, queue, minute, hour, day (of UTC) or attribute.<name>";

/** As searchTasks has it. */
const limitMax = 10_000;

/** Adds the command. */
export function addSearch(program: Command): void {
  program
    .command("search")
    .summary("find tasks, waiting, running or finished")
    .description(
      "Lists tasks that fit the query and every option given, newest first. Definitions that have no task yet are " +
        "listed too. A query is one line such as 'status:failed userId:42 created:>2h \"ETIMEDOUT\"': put it in single " +
        "quotes, and after -- when it begins with a minus. " +
        "Dates are like 2026-11-23 (midnight here), 2026-11-23T09:30, 2026-11-23T09:30:00Z, 2d (that long ago), " +
        "yesterday or monday; a range includes its start and excludes its end.",
    )
    .argument("[query...]", "what to look for; docs/reference/query.md has all of it")
    .option("--id <id>", "exactly this task")
    .option("-t, --type <types>", "of these definitions, separated by commas", collect)
    .option("-s, --status <statuses>", "pending, running, completed, failed, cancelled", collect)
    .option("-q, --queue <queues>", "in these queues", collect)
    .option("--since <duration>", "created within this long: 30m, 2h, 7d")
    .option("--created-from <date>", "created at or after")
    .option("--created-to <date>", "created before")
    .option("--updated-from <date>", "last changed at or after")
    .option("--updated-to <date>", "last changed before")
    .option("-a, --attribute <name=value>", "with this attribute; may be given several times", collectWhole)
    .option("--payload <path=value>", "with this value in the payload: user.id=42", collectWhole)
    .option("--text <text>", "with this text anywhere; may be given several times", collectWhole)
    .option("--budget <duration>", "look for at most this long, or none (default: 1s)")
    .option("--count", "print only how many there are")
    .option("--by <keys>", `count them by ${summedBy}, separated by commas`, collect)
    .option("--explain", "print which way they would be found, and what would make that cheaper")
    .option("-n, --limit <n>", "at most so many, up to 10,000 (default: 50)")
    .option("--offset <n>", "skip so many first")
    .option(
      "--sort-by <field>",
      "createdAt, updatedAt, startedAt, completedAt, dueAt, duration, priority, relevance, id (default: createdAt)",
    )
    .option("--sort-order <order>", "asc or desc (default: desc)")
    .option("--cursor <cursor>", "the page after or before; the previous search printed it")
    .option("--archive <folder>", "in the files of an archive instead, which is slower (budget: 10s)")
    .option("--no-definitions", "real tasks only")
    .addHelpText(
      "after",
      `
Examples:
  dure search --status failed --since 2h
  dure search 'status:failed userId:42 created:>2h -error:"rate limit"'
  dure search --attribute userId=42 --text ETIMEDOUT --count
  dure search 'status:failed updated:>24h' --by type,attribute.userId
  dure search 'payload.user.id:42' --explain
  dure search --type resize-image,send-receipt --sort-by updatedAt
  dure search --created-from 2026-11-01 --created-to 2026-12-01 --limit 500
  dure search --archive archive --status failed --since 60d
  dure search --status failed --json | jq -r '.tasks[].id' | xargs dure retry`,
    )
    .action(withContext(search));
}

const search: Action<Options> = async (context, options, words) => {
  const wanted = searchOptions(options, words.join(" "));
  if (options.archive !== undefined) return searchArchive(context, options.archive, wanted, options);
  const dure = context.open();
  await refuseUnknownTypes(dure, options.type ?? []);
  if (options.explain) return printExplanation(context.output, await dure.explainSearch(wanted));
  if (options.by) return countBy(dure, context.output, options.by, wanted);
  if (options.count) return printCount(context.output, await dure.countTasks(wanted));
  const page = await dure.searchTaskPage(wanted);
  const total = await totalOf(dure, wanted, page);
  const { output } = context;
  output.document({
    ...given(total, (count) => ({ total: count })),
    ...page,
    tasks: page.tasks.map(taskDocument),
  });
  if (page.tasks.length > 0) output.print(renderTable(output, taskColumns(output, Date.now()), page.tasks));
  const isEmpty = page.tasks.length === 0 && page.complete && wanted.cursor === undefined;
  noteRest(output, page, total, isEmpty ? await findNearMisses(dure, wanted) : []);
};

function printExplanation(output: Output, explanation: SearchExplanation): void {
  output.document(explanation);
  const { summary, indexes, tested, hints } = explanation;
  output.print(
    renderFields(output, [
      ["way", plainLine(summary)],
      ["indexes", indexes.join(", ")],
      ["tested", plainLines(tested.join("\n"))],
      ["cheaper", plainLines(hints.join("\n"))],
    ]),
  );
}

async function countBy(
  dure: Dure,
  output: Output,
  by: readonly string[],
  wanted: TaskSearchOptions,
): Promise<void> {
  const keys = by as readonly SummaryKey[];
  printSummary(output, keys, await dure.summarizeTasks({ ...filtersOf(wanted), by: keys }));
}

function printCount(output: Output, total: number): void {
  output.document({ total });
  output.print(String(total));
}

/** Undefined when it would take a look at every task to know. */
async function totalOf(dure: Dure, wanted: TaskSearchOptions, page: TaskPage): Promise<number | undefined> {
  const isFirst = page.previousCursor === undefined && !wanted.offset;
  const isWhole = page.complete && page.nextCursor === undefined && isFirst;
  if (isWhole) return page.tasks.filter(({ isDefinition }) => !isDefinition).length;
  const { query, attributes, and, text } = wanted;
  return query || attributes || and || text ? undefined : dure.countTasks(wanted);
}

function searchOptions(options: Options, query: string): TaskSearchOptions {
  const { limit, offset, sortBy, sortOrder, cursor, definitions, budget } = options;
  return {
    ...(query.trim() !== "" && { query }),
    ...filterOptions(options),
    ...given(budget, (text) => ({
      budget: text === "none" ? ("none" as const) : parseSpan(text, "--budget"),
    })),
    ...given(limit, (text) => ({ limit: parseInteger(text, "--limit", 1, limitMax) })),
    ...given(offset, (text) => ({ offset: parseInteger(text, "--offset", 0) })),
    ...given(sortBy, (text) => ({ sortBy: parseChoice(text, sortFields, "--sort-by") })),
    ...given(sortOrder, (text) => ({
      sortOrder: parseChoice(text, ["asc", "desc"] as const, "--sort-order"),
    })),
    ...given(cursor, (text) => ({ cursor: text })),
    ...(definitions ? {} : { definitions: false }),
  };
}

function filterOptions(options: Options): TaskSearchOptions {
  const { id, type, status, queue, attribute, payload, text, updatedFrom, updatedTo } = options;
  return {
    ...given(id, (only) => ({ id: only })),
    ...given(type, (types) => ({ type: types })),
    ...given(status, (texts) => ({ status: parseStatuses(texts) })),
    ...given(queue, (queues) => ({ queue: queues })),
    ...given(attribute, (texts) => ({ attributes: attributeFilters(texts) })),
    ...given(payload, (texts) => ({ and: payloadFilters(texts) })),
    ...given(text, (texts) => ({ text: texts.map(textToFind) })),
    ...given(createdRange(options), (createdAtRange) => ({ createdAtRange })),
    ...given(range(updatedFrom, updatedTo, "updated"), (updatedAtRange) => ({ updatedAtRange })),
  };
}

/** An option that lost its value, such as that of an empty variable, must not be asked for as a text. */
function textToFind(text: string): string {
  if (text.trim() === "")
    throw new CommandError("--text is empty, which every task has in it; leave it out.");
  return text;
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
    ...given(from, (text) => ({ start: parseTime(text, `--${what}-from`) })),
    ...given(to, (text) => ({ end: parseTime(text, `--${what}-to`) })),
  };
}

function noteRest(output: Output, page: TaskPage, total: number | undefined, near: readonly string[]): void {
  const { tasks, nextCursor, previousCursor } = page;
  const real = tasks.filter(({ isDefinition }) => !isDefinition).length;
  if (tasks.length === 0)
    output.note(
      page.complete
        ? `No task fits.${questionOf(page.hint === undefined ? near : [])}`
        : "No task was found so far.",
    );
  else if (total === undefined) output.note(`${counted(real, "task")}; --count tells how many there are.`);
  else if (real === total) output.note(`${counted(total, "task")}.`);
  else output.note(`${formatCount(real)} of ${counted(total, "task")}.`);
  if (!page.complete) noteIncomplete(output, page);
  if (page.hint !== undefined) output.note(page.hint);
  if (nextCursor !== undefined) output.note(`Next page: add --cursor ${nextCursor}`);
  if (previousCursor !== undefined) output.note(`Previous page: add --cursor ${previousCursor}`);
}

/** The search ended before the page was full, or texts are not indexed yet. */
function noteIncomplete(output: Output, page: TaskPage): void {
  const { searchedBackTo, unindexed, unfilled, nextCursor } = page;
  const goesOn = nextCursor === undefined ? "" : " The cursor goes on from there;";
  if (searchedBackTo !== undefined)
    output.note(
      `The search's time was up: it came to ${formatInstant(searchedBackTo)}.${goesOn} --budget gives it longer.`,
    );
  // Of those that are sorted not all were looked at, by the budget or by their number: the hint tells.
  else if (unindexed === undefined && unfilled === undefined)
    output.note("Not all tasks that may fit were looked at.");
}
