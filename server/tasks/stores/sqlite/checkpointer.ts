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

  async close(): Promise<void> {
    await this.#worker?.terminate();
  }

  #start(): Worker {
    const worker = new Worker(thisFile, {
      workerData: { checkpoint: this.#path },
      name: "dure-checkpointer",
      resourceLimits: { maxYoungGenerationSizeMb: 2 },
    });
    worker.unref();
    worker.on("message", (little: unknown) => {
      // Under --watch, Node tells here which modules the thread loads.
      if (typeof little !== "boolean") return;
      this.#looking = false;
      if (little) this.#finish();
    });
    worker.on("error", () => {
      this.#worker = undefined;
      this.#looking = false;
    });
    return worker;
  }
}

/** `NOOP` only counts; an SQLite that does not know it makes a pass instead, which does no harm. */
function checkpoint(database: DatabaseSync, mode: "NOOP" | "PASSIVE"): { frames: number; rest: number } {
  const row = database.prepare(`PRAGMA wal_checkpoint(${mode})`).get() as {
    log: number;
    checkpointed: number;
  };
  return { frames: row.log, rest: row.log - row.checkpointed };
}

/** True when the log is worth beginning anew and only a little rest keeps it from that. */
function moveMost(database: DatabaseSync): boolean {
  let state = checkpoint(database, "NOOP");
  if (state.frames < framesMin) return false;
  for (let pass = 0; pass < passesMax && state.rest > restMax; pass++) {
    const before = state.rest;
    state = checkpoint(database, "PASSIVE");
    if (state.rest >= before) return false;
  }
  return true;
}

if (!isMainThread && typeof workerData?.checkpoint === "string") {
  const database = new DatabaseSync(workerData.checkpoint, { timeout: 0 });
  database.exec("PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0");
  parentPort!.on("message", () => {
    try {
      parentPort!.postMessage(moveMost(database));
    } catch {
      parentPort!.postMessage(false);
    }
  });
}
