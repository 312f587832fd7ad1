/**
 * Whether the database file and its write-ahead log are still those that were opened: one that was deleted or replaced
 * would take writes that nobody ever reads again. Asked before every transaction, so it must cost next to nothing.
 */
import { closeSync, openSync, readlinkSync, statSync } from "node:fs";
import { DureError } from "../../core/errors.ts";

export class SameFile {
  readonly #path: string;
  readonly #inode: bigint | undefined;
  #log: OpenLog | undefined;

  /** @param path of an open database, or ':memory:', which is always the same */
  constructor(path: string) {
    this.#path = path;
    this.#inode = inodeOf(path);
  }

  /** @throws DureError DATABASE_UNAVAILABLE when it is another, or gone */
  check(): void {
    if (this.#inode === undefined) return;
    if (inodeOf(this.#path) !== this.#inode) {
      throw new DureError(
        "DATABASE_UNAVAILABLE",
        `${this.#path} was deleted, moved or replaced while it was open. Nothing more is written to it; ` +
          `put the file back, or restart this process to begin with the one that is there.`,
        { details: { location: this.#path } },
      );
    }
    this.#checkLog(`${this.#path}-wal`);
  }

  close(): void {
    this.#log?.close();
    this.#log = undefined;
  }

  /** SQLite keeps the log for as long as the file is open anywhere; whoever opens it anew would make another one. */
  #checkLog(path: string): void {
    this.#log ??= OpenLog.at(path);
    if (!this.#log || this.#log.isAt(path)) return;
    throw new DureError(
      "DATABASE_UNAVAILABLE",
      `${path} was deleted, moved or replaced while it was open. Nothing more is written; stop every process ` +
        `that uses the database in good order, which puts what the log holds into the file, and start them again.`,
      { details: { location: path } },
    );
  }
}

/**
 * The log, held open only to be known again. Since Linux 6.13 whoever asks a file's times, as stat does, has the next write
 * set them anew, and its fsync then writes the inode too: a commit took 240 microseconds instead of 185
 * (bench/cases/one-by-one.ts). Where Linux says which path an open file has, that is read instead. Unlike the database
 * file's and the shared memory's, no lock of SQLite lies on the log that closing a file of ours could let go.
 */
class OpenLog {
  readonly #inode: bigint;
  readonly #file: number | undefined;
  readonly #target: string | undefined;

  private constructor(inode: bigint, path: string) {
    this.#inode = inode;
    if (process.platform !== "linux") return;
    try {
      this.#file = openSync(path, "r");
      this.#target = readlinkSync(this.#link);
    } catch {
      // No /proc, or no more files: the inode is asked each time.
    }
  }

  static at(path: string): OpenLog | undefined {
    const inode = inodeOf(path);
    if (inode === undefined) return undefined;
    return new OpenLog(inode, path);
  }

  isAt(path: string): boolean {
    if (this.#target !== undefined && this.#isLinkedAsBefore()) return true;
    return inodeOf(path) === this.#inode;
  }

  close(): void {
    if (this.#file !== undefined) closeSync(this.#file);
  }

  get #link(): string {
    return `/proc/self/fd/${this.#file}`;
  }

  /** The link of a file that was deleted or moved reads otherwise. */
  #isLinkedAsBefore(): boolean {
    try {
      return readlinkSync(this.#link) === this.#target;
    } catch {
      return false;
    }
  }
}

function inodeOf(path: string): bigint | undefined {
  if (path === ":memory:") return undefined;
  return statSync(path, { bigint: true, throwIfNoEntry: false })?.ino;
}
