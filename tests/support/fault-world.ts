/**
 * Workers and callers on a PostgreSQL whose server or network fails: several instances in this process, each with
 * connections of its own, as on machines of their own. The handlers' own record tells what really ran, so the oracle
 * of the crash tests judges here too.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "vitest";
import type { Dure } from "../../server/dure.ts";
import type { DureOptions } from "../../server/dure-options.ts";
import { createDure, DureError } from "../../server/index.ts";
import type { TaskOptions } from "../../server/tasks/core/task.ts";
import { createPostgresStore } from "../../server/tasks/stores/postgres/store.ts";
import { newTask, newWorker } from "./builders.ts";
import type { LedgerLine } from "./crash-ledger.ts";
import { findViolations } from "./crash-oracle.ts";
import { claimRequest, ok } from "./stores.ts";

export interface FaultWorldOptions {
  /** The string that the instances under test are given. */
  url: string;
  /** Where the oracle looks, when that is another way; the faults must not blind it. */
  checkUrl?: string;
  /** How many of the instances are workers. Default 2. */
  workers?: number;
  worker?: NonNullable<DureOptions["worker"]>;
  /** Of the one definition, "resize-image". Its tasks fail now and then where they have attempts left. */
  definition?: TaskOptions;
}

export interface Load {
  /** Ends the load and waits for the calls under way. */
  end(): Promise<void>;
}

const endMaxMs = 30_000;

export class FaultWorld {
  /** Enqueues, reads and cancels; no worker runs in it. */
  readonly caller: Dure;
  readonly workers: Dure[];
  /** Of tasks whose enqueue was acknowledged. */
  readonly acknowledged = new Set<string>();
  /** Codes of calls that ended in an error, and how often. */
  readonly refusals = new Map<string, number>();
  /** Lines of the instances' loggers. */
  readonly logged: string[] = [];
  readonly #starts: LedgerLine[] = [];
  readonly #judge: Dure;
  readonly #definition: TaskOptions;
  readonly #url: string;
  /** How long each task takes; tests may change it. */
  workMs = 5;
  #made = 0;

  private constructor(options: FaultWorldOptions) {
    const { url, checkUrl = url, workers = 2, worker, definition } = options;
    this.#url = url;
    this.#definition = { maxAttempts: 3, backoff: { first: "20ms", factor: 1 }, ...definition };
    this.caller = this.#instance(url);
    this.workers = Array.from({ length: workers }, () =>
      this.#instance(url, { concurrency: 10, lease: "3s", ...worker }),
    );
    this.#judge = this.#instance(checkUrl);
  }

  /** Instances that have opened the database, and workers that claim. */
  static async open(options: FaultWorldOptions): Promise<FaultWorld> {
    const world = new FaultWorld(options);
    await world.caller.stats();
    await Promise.all(world.workers.map((dure) => dure.start()));
    await world.#judge.stats();
    return world;
  }

  #instance(database: string, worker?: NonNullable<DureOptions["worker"]>): Dure {
    const log = (message: string, fields?: unknown) =>
      void this.logged.push(`${message} ${JSON.stringify(fields ?? {})}`);
    const dure = createDure({
      database,
      ...(worker && { worker }),
      logger: { info: log, warn: log, error: log },
    });
    dure.defineTask("resize-image", (task, { fence }) => this.#handle(task.id, fence), this.#definition);
    return dure;
  }

  async #handle(taskId: string, fence: number): Promise<string> {
    this.#starts.push({ event: "start", taskId, fence, pid: process.pid, at: performance.now() });
    await sleep(this.workMs * 2 * Math.random());
    if (fence === 1 && Math.random() < 0.1) throw new Error("as chance would have it");
    return "done";
  }

  /** How often handlers were started for this task. */
  startsOf(taskId: string): number {
    return this.#starts.filter((start) => start.taskId === taskId).length;
  }

  get starts(): number {
    return this.#starts.length;
  }

  /** One task; an error is a DureError or fails the test. Answers its id, or undefined when the call was refused. */
  async enqueue(payload: unknown = undefined): Promise<string | undefined> {
    this.#made += 1;
    try {
      const { id } = await this.caller.enqueueTask("resize-image", payload ?? { place: this.#made });
      this.acknowledged.add(id);
      return id;
    } catch (error) {
      this.#refused(error);
      return undefined;
    }
  }

  #refused(error: unknown): void {
    if (!(error instanceof DureError)) throw error;
    this.refusals.set(error.code, (this.refusals.get(error.code) ?? 0) + 1);
  }

  /** So many callers who enqueue one task after another, with a pause in between. */
  load({ callers = 4, pauseMs = 5 } = {}): Load {
    let over = false;
    const call = async () => {
      while (!over) {
        if ((await this.enqueue()) === undefined) await sleep(50);
        await sleep(pauseMs * 2 * Math.random());
      }
    };
    const calls = Array.from({ length: callers }, call);
    return {
      end: async () => {
        over = true;
        await Promise.all(calls);
      },
    };
  }

  /** A worker dies with a task, of a type that no other defines; resolves when another has taken that back. */
  async loseWorker(): Promise<void> {
    const type = "send-receipt";
    const task = newTask({ type, createdAt: Date.now() });
    const store = createPostgresStore({ url: this.#url });
    try {
      await store.open();
      ok(await store.registerWorker({ ...newWorker("lost"), types: [type], leaseMs: 300 }));
      ok(await store.enqueueTasks([task]));
      this.acknowledged.add(task.id);
      expect(
        ok(await store.claimTasks(claimRequest({ workerId: "lost", types: [type] }))).claimed,
      ).toHaveLength(1);
    } finally {
      await store.close();
    }
    await this.until(
      "a task taken back",
      async () => (await this.caller.getTaskById(task.id))?.crashes === 1,
    );
    await this.caller.cancelTask(task.id);
  }

  /** Resolves once the workers have started another task: they go on by themselves. */
  async workersGoOn(maxMs = 15_000): Promise<number> {
    const from = performance.now();
    const before = this.#starts.length;
    await this.until(
      "a start after the fault",
      async () => {
        await this.enqueue();
        return this.#starts.length > before;
      },
      maxMs,
    );
    return performance.now() - from;
  }

  async until(what: string, holds: () => boolean | Promise<boolean>, maxMs = endMaxMs): Promise<void> {
    const end = performance.now() + maxMs;
    while (!(await holds())) {
      if (performance.now() > end)
        throw new Error(`Not within ${maxMs} ms: ${what}.\n${this.logged.slice(-20).join("\n")}`);
      await sleep(20);
    }
  }

  /** Everything stored comes to its end, nothing acknowledged is lost, nothing was settled twice. */
  async check(): Promise<void> {
    await this.until("the end of every task", async () => {
      const open = await this.#judge.countTasks({ status: ["PENDING", "RUNNING"], definitions: false });
      return open === 0;
    });
    const ledger = { starts: () => this.#starts };
    const violations = await findViolations(this.#judge, ledger, this.acknowledged);
    const { size } = this.acknowledged;
    const stored = await this.#judge.countTasks({ definitions: false });
    const refused = [...this.refusals.values()].reduce((sum, count) => sum + count, 0);
    // A call that was refused may have stored its task; none stores two.
    if (stored < size || stored > size + refused)
      violations.push(`${stored} tasks are stored, ${size} were acknowledged and ${refused} refused.`);
    if (violations.length > 0)
      throw new Error(`${violations.slice(0, 20).join("\n")}\n${this.logged.slice(-20).join("\n")}`);
  }

  async close(): Promise<void> {
    await Promise.all([this.caller, this.#judge, ...this.workers].map((dure) => dure.close()));
  }
}
