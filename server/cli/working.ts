/** A worker in this process, from its start to its stop. Shared by `dure worker` and `dure run`. */

import type { Dure } from "../dure.ts";
import type { WorkerOptions } from "../dure-options.ts";
import type { ErrorCode } from "../tasks/core/errors.ts";
import { DureError } from "../tasks/core/errors.ts";
import { collect, given, parseInteger } from "./arguments.ts";
import type { Context } from "./context.ts";
import { CommandError, exitModule, exitUnhealthy } from "./exit-codes.ts";
import { outliveReader } from "./output.ts";
import { parseRetention } from "./retention-rules.ts";
import { firstStop } from "./signals.ts";
import { counted } from "./text.ts";
import { parseSpan } from "./times.ts";

/** The options of everything that runs a worker. */
export interface WorkingOptions {
  concurrency?: string;
  queues?: string[];
  stopGrace?: string;
  name?: string;
  /** False with --no-full-text. */
  fullText?: boolean;
  retention?: string[];
  archiveTo?: string;
}

/** As createDure has it. */
const concurrencyMax = 10_000;

export const concurrencyOption = ["-c, --concurrency <n>", "tasks run at once (default: 10)"] as const;
export const queuesOption = [
  "-q, --queues <names>",
  "only these queues, separated by commas",
  collect,
] as const;
export const graceOption = [
  "--stop-grace <duration>",
  "how long a stop lets tasks go on (default: 30s)",
] as const;

/** What a program does that runs its own worker. */
const ownDoings: Partial<Record<ErrorCode, string>> = {
  WORKER_RUNNING: "starts a worker",
  INSTANCE_CLOSED: "closes the instance",
};

/** A worker that was told to stop or is no longer well. */
export interface Ended {
  exitCode: number;
  released: number;
}

export class Working {
  readonly dure: Dure;
  readonly #context: Context;
  readonly #unhealthy = Promise.withResolvers<"unhealthy">();

  /** Makes the instance; modules that are loaded from now on define their tasks in it. */
  constructor(context: Context, options: WorkingOptions) {
    this.#context = context;
    outliveReader();
    this.dure = context.openOrCreate({
      worker: { ...workerOptions(options), onUnhealthy: () => this.#unhealthy.resolve("unhealthy") },
      ...(options.fullText === false && { fullText: false }),
      retention: {
        ...given(options.retention, parseRetention),
        ...given(options.archiveTo, (archiveTo) => ({ archiveTo })),
      },
    });
  }

  /** The definitions of this process, in the order they were made. */
  get types(): string[] {
    return this.dure.instance.registry.ids();
  }

  /**
   * Starts the worker, after the modules were loaded.
   * @throws CommandError when one of them has done so itself, or has closed the instance
   */
  async start(): Promise<void> {
    try {
      await this.dure.start();
    } catch (error) {
      const did = error instanceof DureError ? ownDoings[error.code] : undefined;
      if (did === undefined) throw error;
      const message = `A module that was loaded ${did} itself. Here dure does that: let the module only define tasks, or run it with node.`;
      throw new CommandError(message, exitModule, { cause: error });
    }
  }

  /** Resolves when a signal came, the worker is unhealthy, or `done` resolved; the worker has stopped by then. */
  async until(done?: Promise<"done">): Promise<Ended> {
    const { output } = this.#context;
    const stop = firstStop(() => this.dure.stop({ now: true }));
    const reason = await Promise.race([stop, this.#unhealthy.promise, ...(done ? [done] : [])]);
    const isSignal = reason.startsWith("SIG");
    // `dure dev` says itself why it stops its worker.
    const silent = reason === "done" || process.connected;
    if (isSignal && !silent)
      output.note(`${reason}: finishing what is running. A second signal ends at once.`);
    const { released } = await this.dure.stop();
    if (!silent || released > 0) output.note(`Stopped. ${givenBack(released)}`);
    return { exitCode: reason === "unhealthy" ? exitUnhealthy : 0, released };
  }
}

function givenBack(released: number): string {
  if (released === 0) return "No task was given back.";
  return `${counted(released, "task")} ${released === 1 ? "was" : "were"} given back, uncharged.`;
}

function workerOptions({ concurrency, queues, stopGrace, name }: WorkingOptions): WorkerOptions {
  return {
    ...given(concurrency, (text) => ({
      concurrency: parseInteger(text, "--concurrency", 1, concurrencyMax),
    })),
    ...given(queues, (names) => ({ queues: names })),
    ...given(stopGrace, (text) => ({ stopGrace: parseSpan(text, "--stop-grace") })),
    ...given(name, (text) => ({ name: text })),
  };
}
