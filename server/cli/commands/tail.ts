/** `dure tail`: what changes in a search, a line for each change, until it is ended. */
import { setTimeout as sleep } from "node:timers/promises";
import { stripVTControlCharacters } from "node:util";
import type { Command } from "commander";
import type { Dure } from "../../dure.ts";
import type { LogEntry } from "../../tasks/core/attempt.ts";
import { formatDuration } from "../../tasks/core/duration.ts";
import { whyNothingFits } from "../../tasks/core/filters/why-nothing-fits.ts";
import { readPageSearch } from "../../tasks/core/find.ts";
import type { Task, TaskProgress } from "../../tasks/core/task.ts";
import type { TaskChange, WatchOptions } from "../../tasks/core/watch/watch.ts";
import { collect, given, parseStatuses } from "../arguments.ts";
import { fieldsText } from "../attempt-view.ts";
import type { Action } from "../context.ts";
import { withContext } from "../context.ts";
import { LiveLogs } from "../live-logs.ts";
import type { Output } from "../output.ts";
import { firstStop } from "../signals.ts";
import { paintStatus, taskDocument } from "../task-view.ts";
import { plainLine } from "../text.ts";
import { durationMsOf, formatInstant, parseSpan } from "../times.ts";
import { widthOf, wrapped } from "../width.ts";

interface Options {
  type?: string[];
  status?: string[];
  queue?: string[];
  since?: string;
  logs?: boolean;
}

/** Of what --since reaches back to, at most this many are shown. */
const earlierMax = 1_000;
/** With --logs so many that run already are followed, and looked at this often. */
const runningMax = 100;
const lookEveryMs = 1_000;
/** How long is looked for a task that fits. */
const hintBudget = "200ms";
/** Under the status of the line above. */
const margin = " ".repeat(11);
const marks = { entered: "+", changed: "~", left: "-" } as const;

/** Adds the command. */
export function addTail(program: Command): void {
  program
    .command("tail")
    .summary("what changes, line by line, as it happens")
    .description(
      "Prints a line whenever a task enters the search (+), changes in it (~) or leaves it (-), whichever process does " +
        "it, until Ctrl-C. With --json each line is a document of its own, with a cursor to go on from later.",
    )
    .argument("[query...]", "what to look for, as dure search takes it")
    .option("-t, --type <types>", "of these definitions, separated by commas", collect)
    .option("-s, --status <statuses>", "pending, running, completed, failed, cancelled", collect)
    .option("-q, --queue <queues>", "in these queues", collect)
    .option("--since <when>", "first what has changed within 10m, or since a cursor")
    .option("--logs", "also what handlers log, as it comes")
    .addHelpText(
      "after",
      `
Examples:
  dure tail
  dure tail 'status:failed type:send*' --logs
  dure tail id:report-1 --logs               the live log of one task
  dure tail --status failed --json | jq -r .task.error`,
    )
    .action(withContext(tail));
}

const tail: Action<Options> = async (context, options, words) => {
  const query = words.join(" ");
  const { type, status, queue, since, logs = false } = options;
  const filters: WatchOptions = {
    ...(query.trim() !== "" && { query }),
    ...given(type, (types) => ({ type: types })),
    ...given(status, (texts) => ({ status: parseStatuses(texts) })),
    ...given(queue, (queues) => ({ queue: queues })),
  };
  const stop = new AbortController();
  void firstStop(async () => undefined).then(() => stop.abort());
  const dure = context.open();
  const lines = new Lines(dure, context.output, logs);
  const { cursor, shown } = await lines.earlier(filters, since);
  for (const hint of await hintsOf(dure, filters)) context.output.note(hint);
  const changes = dure.watchTasks({
    ...filters,
    ...given(cursor, (from) => ({ since: from })),
    signal: stop.signal,
    onBegin: () => context.output.note("Waiting for changes; Ctrl-C ends it."),
  });
  const following = lines.followLogs(filters, stop.signal).catch((error) => {
    stop.abort();
    throw error;
  });
  await Promise.all([addAll(lines, changes, shown).finally(() => stop.abort()), following]);
};

/** Where nothing fits now: why nothing can, which a wait would not tell. */
async function hintsOf(dure: Dure, filters: WatchOptions): Promise<string[]> {
  const asked = { ...filters, definitions: false };
  const [found] = await dure.searchTasks({ ...asked, limit: 1, budget: hintBudget });
  if (found) return [];
  const store = await dure.instance.store();
  return whyNothingFits(dure.instance, store, await readPageSearch(dure.instance, asked), filters);
}

async function addAll(
  lines: Lines,
  changes: AsyncIterable<TaskChange>,
  shown: Map<string, number | undefined> | undefined,
): Promise<void> {
  for await (const change of changes) {
    const { id, version } = change.task;
    // Since a cursor, tasks also leave that were never seen here.
    if (shown && change.change === "left" && !shown.has(id)) continue;
    if (shown?.get(id) === version && !change.isDeleted) continue;
    shown?.set(id, version);
    await lines.add(change);
  }
}

class Lines {
  readonly #dure: Dure;
  readonly #output: Output;
  readonly #logs: LiveLogs | undefined;
  /** Whose line was the last; a log line of another task names it first. */
  #lastId = "";

  constructor(dure: Dure, output: Output, withLogs: boolean) {
    this.#dure = dure;
    this.#output = output;
    this.#logs = withLogs ? new LiveLogs(dure, (...told) => this.#addLogs(...told)) : undefined;
  }

  /** Shows what has changed within a span of time; answers where to go on from, and what was shown. */
  async earlier(
    filters: WatchOptions,
    since: string | undefined,
  ): Promise<{ cursor?: string; shown?: Map<string, number | undefined> }> {
    if (since === undefined) return {};
    if (!/^\d+(\.\d+)?\s*[a-z]{1,2}$/i.test(since)) return { cursor: since };
    const start = new Date(Date.now() - parseSpan(since, "--since"));
    const { updatedCursor } = await this.#dure.searchTaskPage({ updatedSince: "now" });
    const tasks = await this.#dure.searchTasks({
      ...filters,
      updatedAtRange: { start },
      sortBy: "updatedAt",
      limit: earlierMax,
      definitions: false,
    });
    for (const task of tasks.reverse()) await this.add({ change: "changed", task, cursor: updatedCursor! });
    return { cursor: updatedCursor!, shown: new Map(tasks.map(({ id, version }) => [id, version])) };
  }

  async add({ task, ...change }: TaskChange): Promise<void> {
    this.#output.record({ ...change, task: taskDocument(task) });
    this.#output.print(lineOf(this.#output, { task, ...change }));
    this.#lastId = task.id;
    if (change.isDeleted || (change.change === "left" && task.status === "RUNNING"))
      this.#logs?.leave(task.id);
    else await this.#logs?.met(task);
  }

  /** Tells also what tasks log that run already, until the end; without --logs nothing. */
  async followLogs(filters: WatchOptions, signal: AbortSignal): Promise<void> {
    const logs = this.#logs;
    if (!logs) return;
    const running = await this.#dure.searchTasks({
      ...filters,
      and: [{ status: "RUNNING" }],
      limit: runningMax,
      definitions: false,
    });
    for (const task of running) await logs.followFromNow(task);
    while (!signal.aborted) {
      await logs.look();
      await sleep(lookEveryMs, undefined, { signal }).catch(() => undefined);
    }
  }

  #addLogs(task: Task, attempt: number, entries: readonly LogEntry[]): void {
    const { id, type } = task;
    for (const entry of entries) this.#output.record({ id, type, attempt, log: entry });
    if (this.#lastId !== id) this.#output.print(headOf(this.#output, task, entries[0]!.at));
    this.#lastId = id;
    for (const { at, level, message, fields } of entries) {
      const text = plainLine(`${formatInstant(at).slice(11)} ${level} ${message}`) + fieldsText(fields);
      this.#output.print(
        below(this.#output, text)
          .map((line) => margin + this.#output.colors.dim(line))
          .join("\n"),
      );
    }
  }
}

/** Above log lines that come while other tasks' lines stand between. */
function headOf({ colors }: Output, { type, id }: Task, at: Date): string {
  return [colors.dim(formatInstant(at).slice(11)), ".", plainLine(type), plainLine(id)].join("  ");
}

/** As lines that fit below another one. */
function below({ width }: Output, text: string): string[] {
  return wrapped(text, width - margin.length);
}

/** An error that does not fit behind the rest stands below it. */
function lineOf(output: Output, { change, task, isDeleted }: TaskChange): string {
  const { colors } = output;
  const status = isDeleted ? "deleted" : task.status;
  const at = isDeleted ? new Date() : task.updatedAt;
  const facts = [
    colors.dim(formatInstant(at).slice(11)),
    marks[change],
    paintStatus(output, status.padEnd(9), status),
    plainLine(task.type),
    plainLine(task.id),
  ].join("  ");
  const told = more(task);
  if (told === "") return facts;
  const line = `${facts}  ${told}`;
  return widthOf(stripVTControlCharacters(line)) <= output.width
    ? line
    : [facts, ...below(output, told).map((one) => margin + one)].join("\n");
}

function more(task: Task): string {
  if (task.status === "COMPLETED") return durationOf(task);
  if (task.status === "RUNNING") return task.progress ? progressText(task.progress) : "";
  return task.error === undefined ? "" : plainLine(task.error);
}

function durationOf(task: Task): string {
  const ms = durationMsOf(task, Date.now());
  return ms === undefined ? "" : formatDuration(ms);
}

function progressText({ done, total, message }: TaskProgress): string {
  const count = total === undefined ? `${done}` : `${done}/${total}`;
  return plainLine(message === undefined ? count : `${count} ${message}`);
}
