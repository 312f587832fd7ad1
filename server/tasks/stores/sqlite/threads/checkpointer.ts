/**
 * Moves the write-ahead log into the database file, on a thread of its own: on the writing thread it would cost
 * half of the throughput (bench/layouts.ts) and hold up every commit behind it. Passes go on until little is left;
 * the writer then does the small rest itself, since only a log without a rest can be begun anew.
 */
import { statSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";

/** Frames (pages of 4 KiB) in the log before it is worth moving them: 32 MiB. */
const framesMin = 8_000;
const logBytesMin = framesMin * 4_096;
/** What may be left for the writer. */
const restMax = 800;
const passesMax = 4;
/** A log that is held up for so long is no longer a matter of a search that ends soon. */
const heldUpMsMax = 30_000;
const mebibyte = 1024 * 1024;
/** The log is looked at when something was written, at most this often. */
const lookMs = 100;

const thisFile = new URL(import.meta.url);

/** The writing thread's end. The other thread is started once the log is long enough to need it. */
export class Checkpointer {
  readonly #path: string;
  readonly #finish: () => void;
  #worker: Worker | undefined;
  #lookedAt = 0;
  #looking = false;
  /** Since when passes have moved nothing of a long log, for then somebody reads in a transaction that was begun before. */
  #heldUpSince: number | undefined;

  /** `finish` is called when the writer should move the rest. */
  constructor(path: string, finish: () => void) {
    this.#path = path;
    this.#finish = finish;
  }

  /** Something was written. */
  wrote(): void {
    const now = performance.now();
    if (this.#looking || now - this.#lookedAt < lookMs) return;
    this.#lookedAt = now;
    const log = statSync(`${this.#path}-wal`, { throwIfNoEntry: false });
    if (!log || log.size < logBytesMin) return;
    this.#looking = true;
    this.#worker ??= this.#start();
    this.#worker.postMessage("look");
  }

  /** What to tell people of a log that cannot be moved; undefined while it can. */
  trouble(heldUpMs = heldUpMsMax): string | undefined {
    if (this.#heldUpSince === undefined || performance.now() - this.#heldUpSince < heldUpMs) return undefined;
    const log = statSync(`${this.#path}-wal`, { throwIfNoEntry: false });
    return (
      `The write-ahead log of ${this.#path} has grown to ${Math.round((log?.size ?? 0) / mebibyte)} MiB and cannot be moved into the file: ` +
      "some program reads the file in one long transaction, a backup tool perhaps. End it; until then the log grows."
    );
  }

  async close(): Promise<void> {
    await this.#worker?.terminate();
  }

  #start(): Worker {
    const worker = new Worker(thisFile, {
      workerData: { checkpoint: this.#path },
      name: "dure-checkpointer",
      resourceLimits: { maxYoungGenerationSizeMb: 2, maxOldGenerationSizeMb: 64 },
    });
    worker.unref();
    worker.on("message", (moved: unknown) => {
      // Under --watch, Node tells here which modules the thread loads.
      if (!isMoved(moved)) return;
      this.#looking = false;
      this.#heldUpSince = moved === "held up" ? (this.#heldUpSince ?? performance.now()) : undefined;
      if (moved === "nearly all") this.#finish();
    });
    worker.on("error", () => {
      this.#worker = undefined;
      this.#looking = false;
    });
    return worker;
  }
}

/** How far a look came: only a little is left; the log is short, or others write as fast; or a reader holds up a long one. */
type Moved = "nearly all" | "some" | "held up";

function isMoved(message: unknown): message is Moved {
  return message === "nearly all" || message === "some" || message === "held up";
}

/** `NOOP` only counts; an SQLite that does not know it makes a pass instead, which does no harm. */
function checkpoint(database: DatabaseSync, mode: "NOOP" | "PASSIVE"): { frames: number; rest: number } {
  const row = database.prepare(`PRAGMA wal_checkpoint(${mode})`).get() as {
    log: number;
    checkpointed: number;
  };
  return { frames: row.log, rest: row.log - row.checkpointed };
}

function moveMost(database: DatabaseSync): Moved {
  let state = checkpoint(database, "NOOP");
  if (state.frames < framesMin) return "some";
  for (let pass = 0; pass < passesMax && state.rest > restMax; pass++) {
    const before = state.rest;
    state = checkpoint(database, "PASSIVE");
    if (state.rest >= before) return state.rest >= framesMin ? "held up" : "some";
  }
  return "nearly all";
}

if (!isMainThread && typeof workerData?.checkpoint === "string") {
  const database = new DatabaseSync(workerData.checkpoint, { timeout: 0 });
  database.exec("PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0");
  parentPort!.on("message", () => {
    try {
      parentPort!.postMessage(moveMost(database));
    } catch {
      parentPort!.postMessage("some" satisfies Moved);
    }
  });
}
