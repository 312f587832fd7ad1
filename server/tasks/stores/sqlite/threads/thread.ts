/**
 * The store's own thread: one that writes, or one that reads. Requests that have arrived together run in one
 * transaction, so that one fsync serves them all, and each is answered only after it. Heartbeats run here too:
 * the main thread may be blocked by a handler without losing its leases.
 */
import { type MessagePort, parentPort, receiveMessageOnPort, workerData } from "node:worker_threads";
import type { Beat, ClaimRequest } from "../../../core/store.ts";
import { threadTimeMs } from "../../shared/thread-time.ts";
import { TaskAttributes } from "../attributes/attributes.ts";
import { Connection } from "../connection.ts";
import { HistoryTally } from "../counts/history-tally.ts";
import type { NewRun } from "../enqueue.ts";
import { Instants } from "../instants.ts";
import { Lanes, Tally } from "../lanes.ts";
import { toDureError } from "../sqlite-errors.ts";
import { WorkerLocks } from "../worker-locks.ts";
import { Checkpointer } from "./checkpointer.ts";
import { ClaimsAhead } from "./claims-ahead.ts";
import { Leases } from "./leases.ts";
import { ParkedClaims } from "./parked-claims.ts";
import type { Reply, Request, ThreadError, ThreadOptions } from "./protocol.ts";
import { Streams } from "./stream.ts";
import { readVerbs, undoable, writeVerbs } from "./verbs.ts";
import { Wake } from "./wake.ts";
import type { WriteContext } from "./write-context.ts";

/** Requests in one transaction; more wait for the next. */
const requestsMax = 512;
const ioError = 10;
/** So long after the last write the index of attributes is filled. */
const indexAfterMs = 2;
const indexAgainMs = 1_000;
/** Steps of the index between two batches of requests, where it is far behind: as many tasks as the largest batches bring. */
const stepsMax = 20;

class StoreThread {
  readonly #port: MessagePort;
  readonly #options: ThreadOptions;
  readonly #streams: Streams;
  readonly #leases: Leases;
  readonly #parked: ParkedClaims;
  readonly #locks: WorkerLocks;
  readonly #checkpointer: Checkpointer | undefined;
  #checkpointDue = false;
  /** The store's clock, as the latest request told it. */
  #latestNow = 0;
  /** By `performance.now()`: when it told so. */
  #latestAt = 0;
  #connection: Connection;
  #instants: Instants;
  #context: WriteContext;
  #wake: Wake;
  #watching = false;
  #queue: Request[] = [];
  #scheduled = false;
  #indexing: NodeJS.Timeout | undefined;
  #reply: Reply = { answers: [], changed: false };

  constructor(port: MessagePort, options: ThreadOptions) {
    this.#port = port;
    this.#options = options;
    this.#locks = new WorkerLocks(options.path);
    this.#connection = new Connection(options);
    this.#instants = new Instants(this.#connection);
    this.#context = this.#newContext();
    if (options.role === "writer" && options.path !== ":memory:") {
      this.#checkpointer = new Checkpointer(options.path, () => {
        this.#checkpointDue = true;
      });
    }
    this.#wake = this.#newWake();
    this.#leases = new Leases(new Int32Array(options.pulse), (workerId, loopDelayMs) =>
      this.#receive([[0, "beat", { workerId, loopDelayMs, askedAt: threadTimeMs() }, Date.now()]]),
    );
    this.#parked = new ParkedClaims(
      (request) => this.#receive([request]),
      (request, answer) => this.#answer(request, null, answer),
    );
    this.#streams = new Streams({
      context: this.#context,
      begin: () => this.#begin(),
      commit: () => this.#commit(),
      rollback: () => this.#rollback(),
      answer: (request, error, value) => this.#answer(request, error, value),
      free: () => this.#receive([]),
    });
    if (options.role === "writer") {
      this.#context.attributes.suspectBehind();
      this.#indexSoon();
    }
    port.on("message", (requests: Request[]) => this.#receive(requests));
  }

  #receive(requests: Request[]): void {
    for (let more: Request[] | undefined = requests; more; more = receiveMessageOnPort(this.#port)?.message) {
      for (const request of more) this.#accept(request);
    }
    this.#run();
    this.#send();
  }

  readonly #ownVerbs: Record<string, (argument: any, id: number) => void> = {
    enqueuePart: ({ stream, runs }) => this.#streams.part(stream, runs),
    enqueueEnd: (stream, id) => this.#streams.end(stream, id),
    enqueueAbort: (stream, id) => this.#streams.abort(stream, id),
    endClaimWait: (workerId) => this.#endClaimWait(workerId),
    holdLease: (lease) => {
      this.#locks.retake(lease.workerId);
      this.#leases.hold(lease);
    },
    releaseLease: (workerId, id) => {
      this.#leases.release(workerId);
      this.#answer(id, null, null);
    },
    watch: (watching) => {
      this.#watching = watching;
      if (watching) this.#wake.start();
      else this.#wake.stop();
    },
    close: (_, id) => void this.#close(id),
  };

  /** Parts of a batch and the thread's own matters are seen to at once; verbs wait for their transaction. */
  #accept(request: Request): void {
    const [id, verb, argument, now] = request;
    this.#latestNow = now;
    this.#latestAt = performance.now();
    const own = this.#ownVerbs[verb];
    if (own) own(argument, id);
    else this.#queue.push(request);
  }

  /** The claim may have come in the same message, or wait behind a batch: then it is not held back either. */
  #endClaimWait(workerId: string): void {
    this.#parked.end(workerId);
    for (const [, verb, argument] of this.#queue) {
      const claim = argument as ClaimRequest;
      if (verb === "claimTasks" && claim.workerId === workerId) claim.waitMs = 0;
    }
  }

  #run(): void {
    if (this.#streams.isOpen) return;
    if (this.#queue.length > 0) this.#runQueue();
    // Writes wait for it then, though not for long at once: heartbeats are made here too.
    for (let steps = 0; steps < stepsMax && this.#context.attributes.isFarBehind; steps += 1)
      if (!this.#indexMore()) break;
    if (this.#queue.length > 0) this.#runLater();
    else this.#indexSoon();
  }

  #runQueue(): void {
    const requests = this.#takeRequests();
    const writes = requests.filter(([, verb]) => verb in writeVerbs).sort(claimsLast);
    if (writes.length > 0) this.#write(writes);
    for (const request of requests) if (!(request[1] in writeVerbs)) this.#read(request);
  }

  /** The index of attributes is filled when nothing else is to be done. */
  #indexSoon(afterMs = indexAfterMs): void {
    if (this.#indexing || !this.#context.attributes.isBehind) return;
    this.#indexing = setTimeout(() => {
      this.#indexing = undefined;
      if (this.#streams.isOpen || this.#queue.length > 0) return;
      this.#indexSoon(this.#indexMore() ? indexAfterMs : indexAgainMs);
      this.#send();
    }, afterMs);
  }

  /** Answers whether it went well. */
  #indexMore(): boolean {
    try {
      this.#begin();
      this.#context.attributes.indexMore();
      this.#commit();
      return true;
    } catch {
      // A full disk, or a file that is gone: the next write meets it too, and tells its caller.
      this.#rollback();
      return false;
    }
  }

  /** At most one claim, so that the worker runs what it brought while the next one is under way. */
  #takeRequests(): Request[] {
    const waiting = this.#queue;
    const firstClaim = waiting.findIndex(([, verb]) => verb === "claimTasks");
    this.#queue = waiting.filter((request, place) => isLater(request, place, firstClaim));
    return waiting.filter((request, place) => !isLater(request, place, firstClaim));
  }

  #runLater(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.#receive([]);
    });
  }

  /** One transaction for all; when it fails, each on its own, so that only the culprit is answered with the error. */
  #write(requests: Request[]): void {
    const answers: [Request, unknown][] = [];
    if (!this.#beginFor(requests)) return;
    try {
      for (const request of requests) answers.push([request, this.#runWrite(request)]);
    } catch (error) {
      this.#rollback();
      if (requests.length === 1) this.#answer(requests[0]![0], error, null);
      else for (const request of requests) this.#write([request]);
      return;
    }
    try {
      this.#commit();
    } catch (error) {
      this.#commitFailed(requests, error);
      return;
    }
    for (const [request, value] of answers) this.#written(request, value);
  }

  /** When there is no transaction to be had, none of the requests is to blame, and none is tried alone. */
  #beginFor(requests: Request[]): boolean {
    try {
      this.#begin();
      return true;
    } catch (error) {
      this.#rollback();
      for (const [id] of requests) this.#answer(id, error, null);
      return false;
    }
  }

  #written(request: Request, value: unknown): void {
    const [id, verb] = request;
    if (verb === "beat") this.#beatDone(request, value);
    else if (verb !== "claimTasks" || !this.#parked.park(request, value))
      this.#reply.answers.push([id, null, value]);
  }

  #runWrite([, verb, argument, now]: Request): unknown {
    const context = this.#context;
    const at = this.#instants.of(now);
    if (verb === "claimTasks") this.#connection.refuseNewer();
    if (undoable.has(verb)) return this.#runUndoable(verb, argument, at);
    return writeVerbs[verb as keyof typeof writeVerbs](context, argument as never, at);
  }

  #runUndoable(verb: string, argument: unknown, now: number): unknown {
    const context = this.#context;
    const alone = isOne(argument);
    context.undo = () => undefined;
    if (alone) return writeVerbs[verb as keyof typeof writeVerbs](context, argument as never, now);
    const tally = context.tally.save();
    this.#connection.exec("SAVEPOINT verb");
    context.undo = () => {
      this.#connection.exec("ROLLBACK TO verb");
      context.tally.restore(tally);
      context.lanes.forget();
      context.attributes.forget();
    };
    try {
      return writeVerbs[verb as keyof typeof writeVerbs](context, argument as never, now);
    } finally {
      if (this.#connection.inTransaction) this.#connection.exec("RELEASE verb");
    }
  }

  /**
   * A commit that failed on the disk may or may not be there: it is answered as unknown, and the connection is
   * opened anew, since what it has in memory is no longer to be believed.
   */
  #commitFailed(requests: Request[], error: unknown): void {
    this.#rollback();
    const unknown = ((error as { errcode?: number }).errcode ?? 0) % 256 === ioError;
    const failure = toThreadError(toDureError(error, this.#options.path));
    for (const [id] of requests) {
      this.#reply.answers.push(
        unknown ? [id, null, { kind: "unknown", cause: failure }] : [id, failure, null],
      );
    }
    if (unknown) this.#reopen();
  }

  #reopen(): void {
    this.#wake.stop();
    this.#connection.close();
    this.#connection = new Connection(this.#options);
    this.#instants = new Instants(this.#connection);
    Object.assign(this.#context, this.#newContext());
    this.#wake = this.#newWake();
    if (this.#watching) this.#wake.start();
  }

  #beatDone([id, , argument]: Request, beat: unknown): void {
    const { workerId, askedAt } = argument as { workerId: string; askedAt?: number };
    if (id !== 0) this.#reply.answers.push([id, null, beat]);
    this.#reply.beats ??= [];
    const trouble = this.#checkpointer?.trouble();
    const told = { ...(beat as Beat), ...(trouble !== undefined && { trouble }) };
    this.#reply.beats.push([workerId, told, askedAt ?? threadTimeMs()]);
  }

  #read([id, verb, argument, now]: Request): void {
    try {
      const run = readVerbs[verb as keyof typeof readVerbs];
      if (!run) throw new Error(`There is no verb ${verb}.`);
      this.#answer(
        id,
        null,
        this.#connection.snapshot(() => run(this.#connection, argument as never, now)),
      );
    } catch (error) {
      this.#answer(id, error, null);
    }
  }

  #begin(): void {
    if (this.#checkpointDue) {
      this.#checkpointDue = false;
      this.#connection.checkpoint();
    }
    this.#connection.beginWrite();
    this.#instants.begin();
    this.#context.attributes.begin();
    this.#context.changed = false;
  }

  /** Claims that wait for what has just become claimable are served in the same transaction. */
  #commit(): void {
    const served =
      this.#context.changed && !this.#parked.isEmpty && !this.#connection.isOutdated
        ? this.#parked.serve(this.#context, this.#instants.of(this.#latestNow))
        : [];
    try {
      this.#context.history.write();
      this.#context.tally.write(this.#instants.latest);
      this.#connection.commit();
    } catch (error) {
      for (const [[id]] of served) this.#answer(id, error, null);
      throw error;
    }
    this.#checkpointer?.wrote();
    for (const [[id], answer] of served) this.#reply.answers.push([id, null, answer]);
    if (this.#context.changed) this.#reply.changed = true;
  }

  #rollback(): void {
    this.#instants.forget();
    this.#context.history.forget();
    this.#context.tally.forget();
    this.#context.lanes.forget();
    this.#context.attributes.forget();
    this.#connection.rollback();
  }

  #answer(request: number, error: unknown, value: unknown): void {
    this.#reply.answers.push([
      request,
      error === null ? null : toThreadError(toDureError(error, this.#options.path)),
      value,
    ]);
  }

  #send(): void {
    const reply = this.#reply;
    if (reply.answers.length === 0 && !reply.changed && !reply.beats) return;
    this.#reply = { answers: [], changed: false };
    this.#port.postMessage(reply);
  }

  async #close(request: number): Promise<void> {
    while (this.#queue.length > 0 && !this.#streams.isOpen) this.#run();
    clearTimeout(this.#indexing);
    this.#parked.endAll();
    this.#leases.releaseAll();
    this.#wake.stop();
    this.#locks.letGoAll();
    await this.#checkpointer?.close();
    try {
      this.#connection.close();
      this.#answer(request, null, null);
    } catch (error) {
      this.#answer(request, error, null);
    }
    this.#send();
    this.#port.close();
  }

  #newContext(): WriteContext {
    const connection = this.#connection;
    return {
      connection,
      lanes: new Lanes(connection),
      tally: new Tally(connection),
      history: new HistoryTally(connection),
      attributes: new TaskAttributes(connection),
      ahead: new ClaimsAhead(),
      locks: this.#locks,
      changed: false,
      undo: () => undefined,
    };
  }

  #newWake(): Wake {
    return new Wake(this.#connection, () => {
      if (!this.#streams.isOpen)
        this.#parked.look(this.#context, this.#latestNow + (performance.now() - this.#latestAt));
      this.#reply.changed = true;
      this.#send();
    });
  }
}

function isLater([, verb]: Request, place: number, firstClaim: number): boolean {
  return place >= requestsMax || (verb === "claimTasks" && place !== firstClaim);
}

/** Whether the argument of an undoable verb is one thing, which is written whole or not at all. */
function isOne(argument: unknown): boolean {
  if (!Array.isArray(argument) || argument.length !== 1) return false;
  const { ids, queueDepthMax } = argument[0] as Partial<NewRun>;
  // What a queue has room for is known once the task is counted.
  return ids === undefined || (ids.length === 1 && queueDepthMax === undefined);
}

/** A claim finds what arrived together with it. */
function claimsLast([, a]: Request, [, b]: Request): number {
  return Number(a === "claimTasks") - Number(b === "claimTasks");
}

function toThreadError(error: unknown): ThreadError {
  const { name, message, stack, code, details } = error as ThreadError;
  return {
    name,
    message,
    ...(typeof code === "string" && details ? { code, details } : {}),
    ...(stack === undefined ? {} : { stack }),
  };
}

try {
  new StoreThread(parentPort!, workerData as ThreadOptions);
  parentPort!.postMessage("ready");
} catch (error) {
  parentPort!.postMessage({ failed: toThreadError(error) });
}
