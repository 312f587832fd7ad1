/** Real worker processes on a real database: started, killed, paused and signalled by the test, and judged at the end. */
import type { ChildProcess } from "node:child_process";
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setTimeout as sleep } from "node:timers/promises";
import { createDure } from "dure";
import type { Dure } from "../../server/dure.ts";
import type { WorkerOptions } from "../../server/dure-options.ts";
import type { Attempt } from "../../server/tasks/core/attempt.ts";
import type { EnqueueOptions } from "../../server/tasks/core/enqueue.ts";
import type { Task, TaskOptions } from "../../server/tasks/core/task.ts";
import type { Deed } from "../crash/deeds.ts";
import type { ProgramSettings } from "../crash/worker-program.ts";
import { Ledger } from "./crash-ledger.ts";
import { findViolations } from "./crash-oracle.ts";

const program = resolve(import.meta.dirname, "../crash/worker-program.ts");
/** Only what hangs takes so long; what a test promises about time it looks at itself. */
const waitMaxMs = 40_000;

/** How a worker process is started, where it differs from the others. */
export type WorkerSettings = Partial<
  Pick<ProgramSettings, "worker" | "maxBlockMs" | "jumpMs" | "definitions">
> & {
  /** Flags of Node, before the program. */
  nodeFlags?: readonly string[];
};

export class CrashWorld {
  readonly folder = mkdtempSync(join(tmpdir(), "dure-crash-"));
  /** A file, or a PostgreSQL's URL. */
  readonly database: string;
  readonly ledger = new Ledger(join(this.folder, "ledger"));
  /** An instance without a worker. */
  readonly dure: Dure;
  readonly acknowledged = new Set<string>();
  readonly processes: WorkerProcess[] = [];
  readonly #definitions: Record<string, TaskOptions>;

  /**
   * @param definitions by id; all have the same handler, see deeds.ts
   * @param database a PostgreSQL's URL; else a file of the world's own
   */
  constructor(definitions: Record<string, TaskOptions> = { "resize-image": {} }, database?: string) {
    this.#definitions = definitions;
    this.database = database ?? join(this.folder, "tasks.db");
    this.dure = createDure({ database: this.database });
    for (const [id, options] of Object.entries(definitions))
      this.dure.defineTask(id, async () => {}, options);
  }

  async enqueue(payload: Deed, options: EnqueueOptions & { type?: string } = {}): Promise<Task> {
    const { type = "resize-image", ...rest } = options;
    const task = await this.dure.enqueueTask(type, payload, rest);
    this.acknowledged.add(task.id);
    return task;
  }

  enqueueAll(payloads: readonly Deed[], options?: EnqueueOptions & { type?: string }): Promise<Task[]> {
    return Promise.all(payloads.map((payload) => this.enqueue(payload, options)));
  }

  /** A new worker process; resolves at once, `ready` says when it claims. */
  spawn({ nodeFlags = [], ...settings }: WorkerSettings = {}): WorkerProcess {
    const worker: WorkerOptions = { concurrency: 10, ...settings.worker };
    const program: ProgramSettings = {
      database: this.database,
      ledger: this.ledger.path,
      definitions: this.#definitions,
      ...settings,
      worker,
    };
    const started = new WorkerProcess(this.ledger, program, nodeFlags);
    this.processes.push(started);
    return started;
  }

  /** A new worker process that claims. */
  async start(settings?: WorkerSettings): Promise<WorkerProcess> {
    const worker = this.spawn(settings);
    await worker.ready();
    return worker;
  }

  /**
   * Starts a worker whenever there is none, as any supervisor does, until the task ends. Answers those that crashed;
   * the last one goes on.
   */
  async supervise(id: string, settings?: WorkerSettings): Promise<WorkerProcess[]> {
    const crashed: WorkerProcess[] = [];
    for (;;) {
      const worker = this.spawn(settings);
      const ended = this.ended(id).then(() => "task" as const);
      if ((await Promise.race([ended, worker.ended])) === "task") return crashed;
      crashed.push(worker);
    }
  }

  /**
   * SIGSTOP, at a moment when the process does not hold the file's write lock: nothing can take that from it, so that
   * everyone would wait until it goes on. PostgreSQL takes what it must; any moment will do.
   */
  async pause(worker: WorkerProcess): Promise<void> {
    if (this.database.includes("://")) {
      worker.pause();
      return;
    }
    for (;;) {
      worker.pause();
      if (await this.#canWrite()) return;
      worker.resume();
      await sleep(10 * Math.random());
    }
  }

  async #canWrite(): Promise<boolean> {
    const connection = new DatabaseSync(this.database, { timeout: 0 });
    try {
      for (let tries = 0; tries < 50; tries += 1) {
        await sleep(10);
        try {
          connection.exec("BEGIN IMMEDIATE; ROLLBACK");
          return true;
        } catch {
          // Somebody else may be writing; the one that is paused would write for ever.
        }
      }
      return false;
    } finally {
      connection.close();
    }
  }

  async task(id: string): Promise<Task> {
    const task = await this.dure.getTaskById(id);
    if (!task) throw new Error(`There is no task ${id}.`);
    return task;
  }

  attempts(id: string): Promise<Attempt[]> {
    return this.dure.listAttempts(id);
  }

  /** The outcomes of the task's attempts, oldest first. */
  async outcomes(id: string): Promise<(string | undefined)[]> {
    return (await this.attempts(id)).map(({ outcome }) => outcome);
  }

  /** Resolves with the task once it has ended. */
  ended(id: string): Promise<Task> {
    return this.dure.waitForTask(id, { timeout: waitMaxMs });
  }

  async allEnded(tasks: Iterable<{ id: string }>): Promise<Task[]> {
    return Promise.all(Array.from(tasks, ({ id }) => this.ended(id)));
  }

  /** Resolves once the handler of this task (of its given claim) has started. */
  started(id: string, fence?: number): Promise<void> {
    return this.until(`the start of ${id}`, () =>
      this.ledger.starts(id).some((line) => fence === undefined || line.fence === fence),
    );
  }

  async until(what: string, holds: () => boolean | Promise<boolean>, maxMs = waitMaxMs): Promise<void> {
    const end = performance.now() + maxMs;
    while (!(await holds())) {
      if (performance.now() > end) throw new Error(`Not within ${maxMs} ms: ${what}.\n${this.log()}`);
      await sleep(10);
    }
  }

  /** What the workers logged. */
  log(): string {
    try {
      return readFileSync(`${this.ledger.path}.log`, "utf8");
    } catch {
      return "";
    }
  }

  /** @throws Error with everything that must not be so; see crash-oracle.ts */
  async check(): Promise<void> {
    for (const { taskId } of this.ledger.of("acknowledged")) this.acknowledged.add(taskId);
    const violations = await findViolations(this.dure, this.ledger, this.acknowledged);
    if (violations.length > 0)
      throw new Error(`${violations.slice(0, 20).join("\n")}\n${this.log().slice(-4_000)}`);
  }

  /** Ends what still runs and deletes the folder. */
  async remove(): Promise<void> {
    for (const worker of this.processes) worker.kill();
    await Promise.all(this.processes.map((worker) => worker.ended));
    await this.dure.close();
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 });
  }
}

/** How a process ended. */
export interface ProcessEnd {
  code: number | null;
  signal: NodeJS.Signals | null;
}

export class WorkerProcess {
  readonly pid: number;
  readonly ended: Promise<ProcessEnd>;
  end: ProcessEnd | undefined;
  readonly #child: ChildProcess;
  readonly #ledger: Ledger;
  #stderr = "";

  constructor(ledger: Ledger, settings: ProgramSettings, nodeFlags: readonly string[]) {
    this.#ledger = ledger;
    const { PATH, DURE_TEST_THREADS, NODE_OPTIONS, NODE_COMPILE_CACHE } = process.env;
    this.#child = spawn(process.execPath, [...nodeFlags, program, JSON.stringify(settings)], {
      stdio: ["ignore", "ignore", "pipe", "ipc"],
      env: {
        ...{ PATH, DURE_TEST_THREADS, NODE_OPTIONS, NODE_COMPILE_CACHE },
        TMPDIR: tmpdir(),
      },
    });
    this.pid = this.#child.pid!;
    this.#child.stderr!.setEncoding("utf8").on("data", (text: string) => {
      this.#stderr += text;
    });
    this.ended = new Promise((done) => {
      this.#child.on("close", (code, signal) => {
        this.end = { code, signal };
        done(this.end);
      });
    });
  }

  /** What it wrote to stderr. */
  get said(): string {
    return this.#stderr;
  }

  /** The most memory it has had at once so far, in MiB; undefined where the kernel does not say. */
  get peakMemoryMb(): number | undefined {
    try {
      const [, kilobytes] =
        /^VmHWM:\s+(\d+) kB/m.exec(readFileSync(`/proc/${this.pid}/status`, "utf8")) ?? [];
      return kilobytes === undefined ? undefined : Number(kilobytes) / 1024;
    } catch {
      return undefined;
    }
  }

  /** Resolves once it claims. */
  async ready(): Promise<void> {
    const end = performance.now() + waitMaxMs;
    while (!this.isReady) {
      if (performance.now() > end)
        throw new Error(`The worker was not ready within ${waitMaxMs} ms: ${this.#stderr}`);
      if (this.end) throw new Error(`The worker ended before it was ready: ${this.#stderr}`);
      await sleep(5);
    }
  }

  get isReady(): boolean {
    return this.#ledger.of("ready").some(({ pid }) => pid === this.pid);
  }

  /** kill -9. */
  kill(): void {
    this.#child.kill("SIGKILL");
  }

  /** SIGTERM: stop in good order. */
  stop(): void {
    this.#child.kill("SIGTERM");
  }

  /** See `CrashWorld.pause`. */
  pause(): void {
    this.#child.kill("SIGSTOP");
  }

  resume(): void {
    this.#child.kill("SIGCONT");
  }

  /** Sets this process's clock to so much more than the machine's. */
  async jump(ms: number): Promise<void> {
    const before = this.#ledger.of("jumped").length;
    this.#child.send({ jumpMs: ms });
    while (this.#ledger.of("jumped").length === before) await sleep(5);
  }
}
