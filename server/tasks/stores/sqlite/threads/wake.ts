/**
 * Tells that another process has committed. The folder is watched, and `PRAGMA data_version` says whether a change
 * of the write-ahead log was somebody else's; a slow poll is the truth where watching does not work.
 */
import { type FSWatcher, watch } from "node:fs";
import { basename, dirname } from "node:path";
import type { Connection } from "../connection.ts";

const pollMs = 250;
/**
 * After a change of the log: the first look, and by doubling the last. The change is seen when the log is written,
 * but the commit only counts once that is synced to disk, which may take a while, and nothing tells us then.
 */
const firstLookMs = 2;
const lastLookMs = 128;

export class Wake {
  readonly #connection: Connection;
  readonly #tell: () => void;
  #watcher: FSWatcher | undefined;
  #poll: NodeJS.Timeout | undefined;
  #soon: NodeJS.Timeout | undefined;
  #soonMs = 0;
  #version = -1;

  constructor(connection: Connection, tell: () => void) {
    this.#connection = connection;
    this.#tell = tell;
  }

  start(): void {
    if (this.#poll || this.#connection.path === ":memory:") return;
    this.#version = this.#connection.dataVersion();
    this.#poll = setInterval(() => this.#look(), pollMs);
    const name = `${basename(this.#connection.path)}-wal`;
    try {
      this.#watcher = watch(dirname(this.#connection.path), (_event, file) => {
        if (file === name || file === null) this.#lookIn(firstLookMs);
      });
      this.#watcher.on("error", () => this.#unwatch());
    } catch {
      this.#unwatch();
    }
  }

  stop(): void {
    clearInterval(this.#poll);
    clearTimeout(this.#soon);
    this.#poll = undefined;
    this.#soon = undefined;
    this.#unwatch();
  }

  #unwatch(): void {
    this.#watcher?.close();
    this.#watcher = undefined;
  }

  /** A look that is due later is made earlier. */
  #lookIn(ms: number): void {
    if (this.#soon && this.#soonMs <= ms) return;
    clearTimeout(this.#soon);
    this.#soonMs = ms;
    this.#soon = setTimeout(() => {
      this.#soon = undefined;
      if (!this.#look() && ms < lastLookMs) this.#lookIn(2 * ms);
    }, ms);
  }

  /** Whether another process has committed since the last look. */
  #look(): boolean {
    try {
      const version = this.#connection.dataVersion();
      if (version === this.#version) return false;
      this.#version = version;
    } catch {
      return false;
    }
    this.#tell();
    return true;
  }
}
