/** `dure enqueue`: stores a task for a worker; with --wait, stays for its result. */
import { Buffer } from "node:buffer";
import type { Command } from "commander";
import type { Dure } from "../../dure.ts";
import type { EnqueueOptions } from "../../tasks/core/enqueue.ts";
import { resultOf } from "../../tasks/core/enqueue.ts";
import { DureError } from "../../tasks/core/errors.ts";
import type { AskedBy } from "../../tasks/core/port/store-audit.ts";
import type { Task } from "../../tasks/core/task.ts";
import { collectWhole, given, parseInteger, parsePayload } from "../arguments.ts";
import type { Action, Context } from "../context.ts";
import { withContext } from "../context.ts";
import { CommandError } from "../exit-codes.ts";
import { taskDocument } from "../task-view.ts";
import { formatInstant, formatRelative, parseInstant, parseSpan } from "../times.ts";
import { showStored } from "../values.ts";

/** Of a payload on stdin; far above what a store takes. */
const inputBytesMax = 64 * 1024 * 1024;

interface Options {
  delay?: string;
  runAt?: string;
  priority?: string;
  queue?: string;
  tag?: string[];
  key?: string;
  id?: string;
  maxAttempts?: string;
  from?: string;
  wait?: boolean;
  waitTimeout?: string;
}

/** Adds the command. */
export function addEnqueue(program: Command): void {
  program
    .command("enqueue")
    .summary("store a task for a worker")
    .description(
      "Stores a task and prints its id. With --wait it prints the task's result instead, once a worker has run it. " +
        "The definition's schema is not at hand here: a payload that does not fit fails in its handler.",
    )
    .argument("<type>", "the id of a definition; dure definitions lists them")
    .argument("[payload]", "JSON, or - to read it from stdin")
    .option("--delay <duration>", "not before this long from now: 30s, 5m, 2h, 7d")
    .option("--run-at <date>", "not before this instant")
    .option("-p, --priority <n>", "-1000 to 1000; higher goes first")
    .option("-q, --queue <name>", "another queue than the definition's")
    .option("-t, --tag <tag>", "a tag; may be given several times", collectWhole)
    .option("--key <key>", "idempotency key: the same key and payload give the same task")
    .option("--id <id>", "an id of your own")
    .option("--max-attempts <n>", "1 to 1000")
    .option("--from <id>", "the payload of this task, unless another is given: run it again")
    .option("-w, --wait", "wait for the end and print the result")
    .option("--wait-timeout <duration>", "with --wait: give up waiting; the task goes on")
    .addHelpText(
      "after",
      `
Examples:
  dure enqueue resize-image '{"url":"https://example.com/a.png","widthPx":640}'
  dure enqueue nightly-report --run-at 2026-12-01T02:00
  dure enqueue send-receipt - --key order-17 < receipt.json
  dure enqueue resize-image '{"widthPx":640}' --wait --wait-timeout 1m
  dure enqueue send-receipt --from order-17`,
    )
    .action(withContext(enqueue));
}

const enqueue: Action<Options> = async (context, options, [type, text]) => {
  if (options.waitTimeout !== undefined && !options.wait) {
    throw new CommandError("--wait-timeout was given without --wait.");
  }
  const settings = enqueueOptions(options);
  const written = await readPayload(text);
  const dure = context.open();
  const payload =
    text === undefined && options.from !== undefined ? await payloadOf(dure, options.from) : written;
  const again = options.from !== undefined && text === undefined;
  const by: AskedBy = again
    ? { ...context.by, action: "run-again", after: { from: options.from } }
    : context.by;
  const task = await dure.enqueueTask(type!, payload, { ...settings, by });
  if (options.wait) await waitForResult(context, dure, task, options.waitTimeout);
  else announce(context, task);
};

/** @throws DureError TASK_NOT_FOUND */
async function payloadOf(dure: Dure, id: string): Promise<unknown> {
  const task = await dure.getTaskById(id);
  if (task && !task.isDefinition) return task.payload;
  throw new DureError("TASK_NOT_FOUND", `There is no task "${id}" to take the payload of.`, {
    details: { id },
  });
}

function enqueueOptions(options: Options): EnqueueOptions {
  const { delay, runAt, priority, queue, tag, key, id, maxAttempts } = options;
  return {
    ...given(delay, (text) => ({ delay: parseSpan(text, "--delay") })),
    ...given(runAt, (text) => ({ runAt: parseInstant(text, "--run-at") })),
    ...given(priority, (text) => ({ priority: parseInteger(text, "--priority", -1_000, 1_000) })),
    ...given(queue, (name) => ({ queue: name })),
    ...given(tag, (tags) => ({ tags })),
    ...given(key, (idempotencyKey) => ({ idempotencyKey })),
    ...given(id, (own) => ({ id: own })),
    ...given(maxAttempts, (text) => ({ maxAttempts: parseInteger(text, "--max-attempts", 1, 1_000) })),
  };
}

async function readPayload(text: string | undefined): Promise<unknown> {
  if (text === undefined) return undefined;
  return parsePayload(
    text === "-" ? await readInput() : text,
    "The payload",
    "; or pass - and write it to stdin",
  );
}

async function readInput(): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of process.stdin as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > inputBytesMax)
      throw new CommandError("The payload on stdin is larger than 64 MiB. Pass a reference to it instead.");
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

function announce({ output }: Context, task: Task): void {
  output.document(taskDocument(task));
  output.print(task.id);
  const now = Date.now();
  const later = task.dueAt && task.dueAt.getTime() > now + 1_000 ? task.dueAt : undefined;
  const due = later ? `due ${formatRelative(later, now)}, at ${formatInstant(later)}` : "due now";
  if (task.status === "PENDING") output.note(`Enqueued ${task.type}, ${due}.`);
  else output.note(`That task was enqueued before and is ${task.status}.`);
}

async function waitForResult(
  context: Context,
  dure: Dure,
  task: Task,
  timeout: string | undefined,
): Promise<void> {
  const { output } = context;
  const workers = await dure.listWorkers();
  if (!workers.some(({ state, types }) => state === "alive" && types.includes(task.type))) {
    output.warn(`No worker that runs "${task.type}" is alive; waiting for one. "dure worker" starts one.`);
  }
  output.note(`Waiting for ${task.id} …`);
  const ended = await dure.waitForTask(task.id, {
    ...given(timeout, (text) => ({ timeout: parseSpan(text, "--wait-timeout") })),
  });
  output.document(taskDocument(ended));
  const result = resultOf(ended);
  output.print(showStored(result));
}
