/**
 * What attempts that end add to the history, on the writing thread: gathered through a transaction, written once before it
 * commits, a row for each minute, type and status. Every so many rows are folded into the history, in the transaction that
 * wrote the last of them; so does the first that a process writes, for those that end before they have written so many.
 */
import { DurationSum } from "../../../core/counts/duration-counts.ts";
import { startOf } from "../../../core/port/store-history.ts";
import type { Connection } from "../connection.ts";
import { foldHistory, historySql as sql } from "./history.ts";

/** Rows of this thread after which it folds. */
const rowsBetween = 256;

export class HistoryTally {
  readonly #connection: Connection;
  readonly #sums = new Map<string, EndSum>();
  /** Attempts that end together are mostly of one type, and end alike. */
  #latest: EndSum | undefined;
  #unfolded = rowsBetween;
  /** The file had more than one transaction folds: the next ones go on. */
  #hasMore = false;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  /** Attempts that completed. @param times as in `CompletedGroup` */
  completed(type: string, at: number, times: readonly number[]): void {
    const sum = this.#sumOf(type, 3, at);
    for (let place = 0; place < times.length; place += 3)
      sum.add(at - times[place]!, times[place + 1]!, times[place + 2]!);
  }

  /** One attempt; `status` is its task's after it: 1 for one that is made again. */
  ended(type: string, status: number, at: number, startedAt: number, waitMs: number): void {
    this.#sumOf(type, status, at).add(at - startedAt, waitMs, 1);
  }

  /** One attempt of a dead worker, or of one that did not obey; how long it ran nobody knows. */
  lost(type: string, status: number, at: number): void {
    this.#sumOf(type, status, at).attempts += 1;
  }

  write(): void {
    const isDue = this.#hasMore || (this.#sums.size > 0 && this.#unfolded + this.#sums.size >= rowsBetween);
    this.#insert();
    if (!isDue) return;
    this.#unfolded = 0;
    this.#hasMore = foldHistory(this.#connection);
  }

  #insert(): void {
    if (this.#sums.size === 0) return;
    const insert = this.#connection.prepare(sql.insertHistoryChange);
    for (const { minute, type, status, attempts, waits, runs } of this.#sums.values()) {
      const counts = [JSON.stringify(waits.counts), JSON.stringify(runs.counts)];
      insert.run(minute, type, status, attempts, waits.max, runs.max, ...counts);
    }
    this.#unfolded += this.#sums.size;
    this.forget();
  }

  forget(): void {
    this.#sums.clear();
    this.#latest = undefined;
  }

  #sumOf(type: string, status: number, at: number): EndSum {
    const minute = startOf(at, "minute");
    const latest = this.#latest;
    if (latest?.type === type && latest.status === status && latest.minute === minute) return latest;
    const key = `${minute} ${status} ${type}`;
    let sum = this.#sums.get(key);
    if (!sum) {
      sum = new EndSum(minute, type, status);
      this.#sums.set(key, sum);
    }
    this.#latest = sum;
    return sum;
  }
}

class EndSum {
  readonly minute: number;
  readonly type: string;
  readonly status: number;
  attempts = 0;
  readonly waits = new DurationSum();
  readonly runs = new DurationSum();

  constructor(minute: number, type: string, status: number) {
    this.minute = minute;
    this.type = type;
    this.status = status;
  }

  /** Attempts that are alike. */
  add(runMs: number, waitMs: number, attempts: number): void {
    this.attempts += attempts;
    this.waits.count(waitMs, attempts);
    this.runs.count(runMs, attempts);
  }
}
