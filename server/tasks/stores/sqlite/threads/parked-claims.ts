/**
 * Claims that found nothing due wait here, on the writing thread, for as long as they allow. Whatever makes a task
 * claimable serves them in its own transaction: a task enqueued by the same process starts after one commit instead
 * of two. A change by another process, or the due time of a waiting task, has them tried again.
 */

import type { ClaimRequest } from "../../../core/store.ts";
import { type Claimed, claimableAt, claimTasks } from "../claim.ts";
import type { Request } from "./protocol.ts";
import type { WriteContext } from "./write-context.ts";

const nothing: ReturnType<typeof claimTasks> = {
  kind: "ok",
  value: { rows: [], lanes: [], claimedAt: 0, nextDueAt: undefined },
};

interface Parked {
  request: Request;
  claim: ClaimRequest;
  /** By `performance.now()`: when it was kept, and when it must be answered. */
  since: number;
  until: number;
  timer: NodeJS.Timeout | undefined;
}

export class ParkedClaims {
  readonly #again: (request: Request) => void;
  readonly #answer: (request: number, answer: ReturnType<typeof claimTasks>) => void;
  readonly #parked = new Map<string, Parked>();

  /** `again` puts a claim back among the requests. */
  constructor(
    again: (request: Request) => void,
    answer: (request: number, answer: ReturnType<typeof claimTasks>) => void,
  ) {
    this.#again = again;
    this.#answer = answer;
  }

  /** Keeps the claim when it allows to be kept and got nothing. */
  park(request: Request, answer: unknown): boolean {
    const claim = request[2] as ClaimRequest;
    const claimed = answer as ReturnType<typeof claimTasks>;
    if (!claim.waitMs || claimed.kind !== "ok" || claimed.value.rows.length > 0) return false;
    this.#keep(request, claim, claimed.value);
    return true;
  }

  get isEmpty(): boolean {
    return this.#parked.size === 0;
  }

  /** Claims for everyone who waits, inside the transaction that made something claimable. */
  serve(context: WriteContext, now: number): [request: Request, answer: unknown][] {
    const served: [Request, unknown][] = [];
    for (const [workerId, parked] of this.#parked) {
      const answer = claimTasks(context, parked.claim, now);
      if (answer.kind === "ok" && answer.value.rows.length === 0) {
        this.#expect(parked, answer.value.nextDueAt, now);
        continue;
      }
      this.#remove(workerId);
      served.push([parked.request, answer]);
    }
    return served;
  }

  /**
   * Another process has changed something: whoever has work now claims it. What is due by that process's clock may be
   * due a moment later by ours, and is waited for.
   */
  look(context: WriteContext, now: number): void {
    for (const [workerId, parked] of this.#parked) {
      const at = claimableAt(context, parked.claim, now);
      if (at !== undefined && at <= now) this.#retry(workerId);
      else this.#expect(parked, at, now);
    }
  }

  /** Answers the worker's claim now, with nothing: whoever stops must not be given another task. */
  end(workerId: string): void {
    const parked = this.#remove(workerId);
    if (parked) this.#answer(parked.request[0], nothing);
  }

  endAll(): void {
    for (const workerId of [...this.#parked.keys()]) this.end(workerId);
  }

  #keep(request: Request, claim: ClaimRequest, { nextDueAt }: Claimed): void {
    this.end(claim.workerId);
    const since = performance.now();
    const parked: Parked = { request, claim, since, until: since + claim.waitMs!, timer: undefined };
    this.#parked.set(claim.workerId, parked);
    this.#expect(parked, nextDueAt, request[3]);
  }

  /** Tries again when the next task is due, or when the claim must be answered. */
  #expect(parked: Parked, nextDueAt: number | undefined, now: number): void {
    clearTimeout(parked.timer);
    const leftMs = parked.until - performance.now();
    const dueInMs = nextDueAt === undefined ? leftMs : nextDueAt - now;
    parked.timer = setTimeout(
      () => this.#retry(parked.claim.workerId),
      Math.max(0, Math.min(leftMs, dueInMs)),
    );
  }

  #retry(workerId: string): void {
    const parked = this.#remove(workerId);
    if (!parked) return;
    const [id, verb, , keptAt] = parked.request;
    const instant = performance.now();
    const waitMs = Math.max(0, Math.floor(parked.until - instant));
    this.#again([id, verb, { ...parked.claim, waitMs }, keptAt + Math.ceil(instant - parked.since)]);
  }

  #remove(workerId: string): Parked | undefined {
    const parked = this.#parked.get(workerId);
    clearTimeout(parked?.timer);
    this.#parked.delete(workerId);
    return parked;
  }
}
