/**
 * Tells that another process has committed. The folder is watched, and `PRAGMA data_version` says whether a change
 * of the write-ahead log was somebody else's; a slow poll is the truth where watching does not work.
 */
import { type FSWatcher, watch } from "node:fs";
import { basename, dirname } from "node:path";
import type { Connection } from "./connection.ts";

const pollMs = 250;
/** Changes closer together than this are told once. */
const quietMs = 2;

export class Wake {
  readonly #connection: Connection;
  readonly #tell: () => void;
  #watcher: FSWatcher | undefined;
  #poll: NodeJS.Timeout | undefined;
  #soon: NodeJS.Timeout | undefined;
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
        if (file === name || file === null) this.#lookSoon();
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

  #lookSoon(): void {
    this.#soon ??= setTimeout(() => {
      this.#soon = undefined;
      this.#look();
    }, quietMs);
  }

  #look(): void {
    try {
      const version = this.#connection.dataVersion();
      if (version === this.#version) return;
      this.#version = version;
    } catch {
      return;
    }
    this.#tell();
  }
}
