/**
 * Claims over many lanes. To ask every lane at each claim costs a look at each of them, which is nothing for a few and
 * far too much for ten thousand (a queue for each tenant). So the order in which the next tasks of all lanes are to run
 * is found once and kept for the claims that follow, until something might come before them:
 *
 * - Lanes in which a task became PENDING since are asked as well, at each claim; when they have become many, they are
 *   asked once and what they have is put among what is kept.
 * - A task of a higher priority that was not due yet may be due by now: then all is looked at anew.
 * - Another process may have enqueued: what is kept may lead for another moment, but never to "nothing is due".
 *
 * What is kept is only a place to look at: each task is compared with its row before it is taken.
 */
import type { WorkerLanes } from "../lanes.ts";
import { sql } from "../statements.ts";
import type { WriteContext } from "./write-context.ts";

/** A task that is due, and its place in the order. */
export interface DueTask {
  lane: number;
  priority: number;
  dueAt: number;
  seq: number;
}

/** What may be claimed now, in the order it is to run, and when the next one will be due. */
export interface Found {
  due: DueTask[];
  nextDueAt: number | undefined;
}

/** Finds the first `limit` due tasks of lanes that have these priorities at their heads. */
export type FindDue = (lanes: readonly number[] | undefined, limit: number) => Found;

/** Up to so many lanes are simply asked. */
export const fewLanes = 64;
/** As many are kept as there are lanes, so that a look at all of them is paid for by as many claimed tasks. */
const keptTasks = { min: 1_000, max: 100_000 } as const;
/** So long what is kept leads after another process has written, and as many times as long as a look at all lanes took. */
const staleMs = 100;
const staleLooks = 4;

export class ClaimsAhead {
  #of: WorkerLanes | undefined;
  #kept: DueTask[] = [];
  /** The last place in the order up to which all that was due is kept; undefined when that was all. */
  #upTo: DueTask | undefined;
  #nextDueAt: number | undefined;
  #now = 0;
  #version = 0;
  #staleAt = 0;
  readonly #keptMin: number;

  constructor(keptMin: number = keptTasks.min) {
    this.#keptMin = keptMin;
  }

  /** @param findDue looks at lanes, or at all that have tasks */
  find(context: WriteContext, lanes: WorkerLanes, limit: number, now: number, findDue: FindDue): Found {
    if (!this.#holds(context, lanes, now)) this.#look(context, lanes, limit, now, findDue);
    else if (context.tally.readied.size > fewLanes) this.#putAmong(context, lanes, limit, findDue);
    let found = this.#take(context, lanes, limit, findDue);
    if (found.due.length < limit && this.#upTo) {
      this.#look(context, lanes, limit, now, findDue);
      found = this.#take(context, lanes, limit, findDue);
    }
    return found;
  }

  /** The order of what waits was changed. */
  forget(): void {
    this.#of = undefined;
  }

  #holds(context: WriteContext, lanes: WorkerLanes, now: number): boolean {
    if (this.#of !== lanes || now < this.#now || now >= (this.#nextDueAt ?? Number.POSITIVE_INFINITY))
      return false;
    if (context.connection.dataVersion() === this.#version) return true;
    return this.#kept.length > 0 && performance.now() < this.#staleAt;
  }

  #look(context: WriteContext, lanes: WorkerLanes, limit: number, now: number, findDue: FindDue): void {
    const began = performance.now();
    this.#version = context.connection.dataVersion();
    context.tally.readied.clear();
    const wanted = this.#wanted(lanes, limit);
    const { due, nextDueAt } = findDue(undefined, wanted);
    this.#of = lanes;
    this.#kept = due;
    this.#upTo = due.length < wanted ? undefined : due.at(-1);
    this.#nextDueAt = nextDueAt;
    this.#now = now;
    const ended = performance.now();
    this.#staleAt = ended + Math.max(staleMs, staleLooks * (ended - began));
  }

  /** What the lanes of late have now takes the place of what was kept of them. */
  #putAmong(context: WriteContext, lanes: WorkerLanes, limit: number, findDue: FindDue): void {
    const { readied } = context.tally;
    const asked = new Set([...readied].filter((lane) => lanes.has(lane)));
    readied.clear();
    const wanted = this.#wanted(lanes, limit);
    const { due, nextDueAt } = findDue([...asked], wanted);
    if (due.length === wanted) this.#upTo = earlier(this.#upTo, due.at(-1)!);
    const others = this.#kept.filter(({ lane }) => !asked.has(lane));
    const all = [...others, ...due].sort(inOrder);
    const upTo = this.#upTo;
    this.#kept = upTo ? all.filter((task) => inOrder(task, upTo) <= 0) : all;
    if (nextDueAt !== undefined) this.#nextDueAt = Math.min(nextDueAt, this.#nextDueAt ?? nextDueAt);
  }

  #wanted(lanes: WorkerLanes, limit: number): number {
    return Math.max(limit, this.#keptMin, Math.min(lanes.all.length, keptTasks.max));
  }

  #take(context: WriteContext, lanes: WorkerLanes, limit: number, findDue: FindDue): Found {
    const readied = [...context.tally.readied].filter((lane) => lanes.has(lane));
    const fresh = readied.length > 0 ? findDue(readied, limit) : { due: [], nextDueAt: undefined };
    this.#dropTaken(context, limit);
    const known = new Set(fresh.due.map(({ seq }) => seq));
    const kept = this.#kept.slice(0, limit + known.size).filter(({ seq }) => !known.has(seq));
    const due = [...fresh.due, ...kept].sort(inOrder).slice(0, limit);
    const next = [this.#nextDueAt, fresh.nextDueAt].filter((at) => at !== undefined);
    return { due, nextDueAt: next.length > 0 ? Math.min(...next) : undefined };
  }

  /** Leaves at the head of the list what still waits as it was seen, enough for a claim. */
  #dropTaken(context: WriteContext, limit: number): void {
    const statement = context.connection.prepare(sql.stillDue);
    const sound: DueTask[] = [];
    let looked = 0;
    const wanted = 2 * limit;
    while (sound.length < wanted && looked < this.#kept.length) {
      const part = this.#kept.slice(looked, looked + wanted);
      looked += part.length;
      const rows = statement.all(JSON.stringify(part.map(({ seq }) => seq))) as unknown as [
        seq: number,
        lane: number,
        priority: number,
        dueAt: number,
      ][];
      const bySeq = new Map(rows.map((row) => [row[0], row]));
      sound.push(...part.filter((task) => isAsSeen(task, bySeq.get(task.seq))));
    }
    this.#kept = [...sound, ...this.#kept.slice(looked)];
  }
}

function earlier(a: DueTask | undefined, b: DueTask): DueTask {
  return a && inOrder(a, b) < 0 ? a : b;
}

/** The order in which tasks run. */
export function inOrder(a: DueTask, b: DueTask): number {
  return b.priority - a.priority || a.dueAt - b.dueAt || a.seq - b.seq;
}

function isAsSeen(task: DueTask, row: [number, number, number, number] | undefined): boolean {
  return row !== undefined && row[1] === task.lane && row[2] === task.priority && row[3] === task.dueAt;
}
