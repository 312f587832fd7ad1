/**
 * A lock file per worker, held by its process. The kernel frees the lock when the process dies, however it dies,
 * so whoever can take a worker's lock knows for certain that the worker is dead and may take its tasks back at
 * once. A process that is only paused keeps its lock; the lease is for that.
 *
 * The lock is SQLite's own exclusive file lock on a small file beside the database. Nothing here opens that file
 * with `fs`: closing any other descriptor of it in the same process would drop the lock.
 */
import { chmodSync, existsSync, mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { isBusy } from "./sqlite-errors.ts";

export class WorkerLocks {
  readonly #folder: string | undefined;
  readonly #held = new Map<string, DatabaseSync>();
  readonly #discardable = new Set<string>();

  /** `database`: the file that the workers share; ':memory:' needs no locks, its workers die with it. */
  constructor(database: string) {
    this.#folder = database === ":memory:" ? undefined : `${database}-workers`;
  }

  hold(workerId: string): void {
    if (!this.#folder || this.#held.has(workerId)) return;
    mkdirSync(this.#folder, { recursive: true, mode: 0o700 });
    const lock = tryLock(this.#file(workerId));
    if (!lock) throw new Error(`The lock of worker ${workerId} is held by another process.`);
    chmodSync(this.#file(workerId), 0o600);
    this.#held.set(workerId, lock);
  }

  /** In place of a thread that died with it; whoever took it meanwhile buries that worker. */
  retake(workerId: string): void {
    if (!this.#folder || this.#held.has(workerId) || !existsSync(this.#file(workerId))) return;
    try {
      const lock = tryLock(this.#file(workerId));
      if (lock) this.#held.set(workerId, lock);
    } catch {
      // Not to be had: that worker is buried, and its process takes another incarnation.
    }
  }

  release(workerId: string): void {
    this.#held.get(workerId)?.close();
    this.#held.delete(workerId);
    this.discard(workerId);
  }

  /** Lets go without removing: whoever sees the lock free knows that these workers are gone. */
  letGoAll(): void {
    for (const lock of this.#held.values()) lock.close();
    this.#held.clear();
  }

  /** True only when the worker's process is certainly gone. */
  isFree(workerId: string): boolean {
    if (!this.#folder || this.#held.has(workerId) || !existsSync(this.#file(workerId))) return false;
    const lock = tryLock(this.#file(workerId));
    lock?.close();
    return lock !== undefined;
  }

  /** Buried workers, whose files go once that is committed. */
  discardLater(workerIds: readonly string[]): void {
    for (const workerId of workerIds) this.#discardable.add(workerId);
  }

  takeDiscardable(): string[] {
    const taken = [...this.#discardable];
    this.#discardable.clear();
    return taken;
  }

  /** Removes what a dead or stopped worker left behind. */
  discard(workerId: string): void {
    if (this.#folder && !this.#held.has(workerId)) rmSync(this.#file(workerId), { force: true });
  }

  #file(workerId: string): string {
    return join(this.#folder!, `${workerId}.lock`);
  }
}

function tryLock(file: string): DatabaseSync | undefined {
  const lock = new DatabaseSync(file, { timeout: 0 });
  try {
    lock.exec("BEGIN EXCLUSIVE");
    return lock;
  } catch (error) {
    lock.close();
    if (isBusy(error)) return undefined;
    throw error;
  }
}
