/** `dure tail`: what changes in a search, a line for each change, until it is ended. */
import type { Command } from "commander";
import type { Dure } from "../../dure.ts";
import { formatDuration } from "../../tasks/core/duration.ts";
import type { Task, TaskProgress } from "../../tasks/core/task.ts";
import type { TaskChange, WatchOptions } from "../../tasks/core/watch.ts";
import { collect, given, parseStatuses } from "../arguments.ts";
import type { Action } from "../context.ts";
import { withContext } from "../context.ts";
import type { Output } from "../output.ts";
import { firstStop } from "../signals.ts";
import { paintStatus, taskDocument } from "../task-view.ts";
import { plainLine } from "../text.ts";
import { durationMsOf, formatInstant, parseSpan } from "../times.ts";

interface Options {
  type?: string[];
  status?: string[];
  queue?: string[];
  since?: string;
  logs?: boolean;
}

/** Of what --since reaches back to, at most this many are shown. */
const earlierMax = 1_000;
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
    .option("--logs", "the log lines of attempts that have ended, below their task")
    .addHelpText(
      "after",
      `
Examples:
  dure tail
  dure tail 'status:failed type:send*' --logs
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
  const changes = dure.watchTasks({
    ...filters,
    ...given(cursor, (from) => ({ since: from })),
    signal: stop.signal,
    onBegin: () => context.output.note("Waiting for changes; Ctrl-C ends it."),
  });
  for await (const change of changes) {
    const { id, version } = change.task;
    // Since a cursor, tasks also leave that were never seen here.
    if (shown && change.change === "left" && !shown.has(id)) continue;
    if (shown?.get(id) === version && !change.isDeleted) continue;
    shown?.set(id, version);
    await lines.add(change);
  }
};

class Lines {
  readonly #dure: Dure;
  readonly #output: Output;
  readonly #logs: boolean;

  constructor(dure: Dure, output: Output, logs: boolean) {
    this.#dure = dure;
    this.#output = output;
    this.#logs = logs;
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
    if (this.#logs && task.status !== "RUNNING" && !change.isDeleted) await this.#addLogs(task.id);
  }

  async #addLogs(id: string): Promise<void> {
    if (this.#output.json) return;
    const last = (await this.#dure.listAttempts(id)).at(-1);
    for (const { at, level, message } of last?.logs ?? []) {
      const text = plainLine(`${formatInstant(at).slice(11)} ${level} ${message}`);
      this.#output.print(`           ${this.#output.colors.dim(text)}`);
    }
  }
}

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
    more(task),
  ];
  return facts.filter((fact) => fact !== "").join("  ");
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
