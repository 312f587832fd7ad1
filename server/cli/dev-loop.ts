/**
 * The child of `dure dev` and when it is started again: at once after a change, later and later after a crash, and
 * only by a change after a module that did not load. At most one child lives at a time.
 */
import type { ChildProcess } from "node:child_process";
import { spawn } from "node:child_process";
import { once } from "node:events";
import type { FSWatcher } from "node:fs";
import { watch } from "node:fs";
import { fileURLToPath } from "node:url";
import { formatDuration } from "../tasks/core/duration.ts";
import { exitUnhealthy } from "./exit-codes.ts";
import type { Output } from "./output.ts";

/** Editors write a file in several steps. */
const settleMs = 150;
const firstWaitMs = 1_000;
const longestWaitMs = 60_000;
/** A child that lived this long has not crashed at its start. */
const livedMs = 10_000;
const watched = /\.(?:m?[jt]s|json)$/;
const main = fileURLToPath(import.meta.resolve(import.meta.url.endsWith(".ts") ? "./main.ts" : "./main.js"));

export class DevLoop {
  readonly #output: Output;
  readonly #folders: readonly string[];
  readonly #args: readonly string[];
  #watchers: FSWatcher[] = [];
  #child: ChildProcess | undefined;
  #timer: NodeJS.Timeout | undefined;
  #waitMs = firstWaitMs;
  #stopped = false;
  #restarting = false;

  /** @param args those of `dure worker` */
  constructor(output: Output, folders: readonly string[], args: readonly string[]) {
    this.#output = output;
    this.#folders = folders;
    this.#args = args;
  }

  start(): void {
    this.#watchers = this.#folders.map((folder) =>
      watch(folder, { recursive: true }, (_event, file) => {
        if (file === null || watched.test(file)) this.#changed(file);
      }),
    );
    for (const watcher of this.#watchers)
      watcher.on("error", (error) => this.#output.warn(`Not watching: ${error.message}`));
    this.#spawn();
  }

  /** Stops the child the usual way; a repeated call tells it to end at once. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    for (const watcher of this.#watchers) watcher.close();
    await this.#end();
  }

  #changed(file: string | null): void {
    if (this.#stopped) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#restart(file), settleMs);
  }

  async #restart(file: string | null): Promise<void> {
    if (this.#restarting) {
      this.#changed(file);
      return;
    }
    this.#restarting = true;
    this.#output.note(`${file ?? "A file"} changed; starting again.`);
    this.#waitMs = firstWaitMs;
    await this.#end();
    this.#restarting = false;
    if (!this.#stopped) this.#spawn();
  }

  async #end(): Promise<void> {
    const child = this.#child;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    child.kill("SIGTERM");
    await once(child, "exit");
  }

  /**
   * In a process group of its own, so that Ctrl-C reaches it once, through us; with a channel, so that it stops when
   * we are gone.
   */
  #spawn(): void {
    const startedAt = Date.now();
    const args = [...process.execArgv, main, "worker", ...this.#args];
    const child = spawn(process.execPath, args, {
      stdio: ["ignore", "inherit", "inherit", "ipc"],
      detached: true,
    });
    this.#child = child;
    child.on("error", (error) => this.#output.warn(`The worker could not be started: ${error.message}`));
    child.on("exit", (code, signal) => {
      if (this.#child !== child || this.#stopped || this.#restarting) return;
      this.#ended(code, signal, Date.now() - startedAt);
    });
  }

  /** The child ended by itself. */
  #ended(code: number | null, signal: NodeJS.Signals | null, afterMs: number): void {
    if (signal === null && code !== null && code !== exitUnhealthy && afterMs < livedMs) {
      this.#output.note("Waiting for a change.");
      return;
    }
    if (afterMs >= livedMs) this.#waitMs = firstWaitMs;
    const waitMs = this.#waitMs * (0.75 + Math.random() * 0.5);
    this.#waitMs = Math.min(longestWaitMs, this.#waitMs * 2);
    this.#output.warn(
      `The worker ended (${signal ?? `exit code ${code}`}); starting again in ${formatDuration(waitMs)}, or after a change.`,
    );
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#spawn(), waitMs);
  }
}
