/**
 * Group commit: tasks that arrive one by one while a statement is under way go out together in the next. One caller
 * who waits for each pays one round trip; a hundred share few. A batch that arrives in parts is a transaction of its
 * own, in which the next part is made while the server stores this one.
 */

import { enqueuedChange } from "../../core/port/store-audit.ts";
import { gathered } from "../../core/port/store-new-task.ts";
import type { By, NewTask } from "../../core/store.ts";
import type { Task } from "../../core/task.ts";
import type { AttributeIndexing } from "./attributes/attribute-indexing.ts";
import type { Noted } from "./attributes/attribute-work.ts";
import { recordAll } from "./audit.ts";
import type { OpenTransaction } from "./connections/database.ts";
import { ConnectionLost, isUniqueViolation } from "./connections/postgres-errors.ts";
import type { Context } from "./context.ts";
import { type Enqueued, insertCarefully, insertTasks, Refused, sizeOfTask } from "./enqueue.ts";
import {
  beginStoring,
  Copying,
  type CopyPart,
  copyPartOf,
  isCopied,
  type Storing,
  tallyTasks,
} from "./enqueue-copy.ts";
import { portions } from "./portions.ts";
import { type FullQueue, queueOverfull, readRoom } from "./queue-depth.ts";

const batchSizeMax = 1_000;
const inFlightMax = 2;

interface Waiting {
  tasks: readonly NewTask[];
  /** Whether a refusal tells which of them it is about. */
  isList: boolean;
  by: By | undefined;
  resolve(answer: Enqueued): void;
  reject(error: unknown): void;
}

interface Sorted {
  fitting: Waiting[];
  unsure: Waiting[];
  full: [call: Waiting, details: Record<string, unknown>][];
}

function sizeOfCall({ tasks }: Waiting): number {
  return tasks.reduce((size, task) => size + sizeOfTask(task), 0);
}

export class EnqueueBatch {
  readonly #context: Context;
  readonly #indexing: AttributeIndexing;
  #waiting: Waiting[] = [];
  #inFlight = 0;
  readonly #underWay = new Set<Promise<unknown>>();

  constructor(context: Context, indexing: AttributeIndexing) {
    this.#context = context;
    this.#indexing = indexing;
  }

  enqueue(tasks: readonly NewTask[] | AsyncIterable<readonly NewTask[]>, by?: By): Promise<Enqueued> {
    const answer = Array.isArray(tasks)
      ? this.#enqueueSoon(tasks, tasks.length > 1, by)
      : this.#enqueueParts(tasks as AsyncIterable<readonly NewTask[]>, by);
    this.#underWay.add(answer);
    const done = () => void this.#underWay.delete(answer);
    answer.then(done, done);
    return answer;
  }

  /** Resolves when all that is under way is answered. */
  async idle(): Promise<void> {
    while (this.#underWay.size > 0) await Promise.allSettled([...this.#underWay]);
  }

  #enqueueSoon(tasks: readonly NewTask[], isList: boolean, by: By | undefined): Promise<Enqueued> {
    if (tasks.length === 0) return Promise.resolve({ kind: "ok", value: [] });
    return new Promise((resolve, reject) => {
      this.#waiting.push({ tasks, isList, by, resolve, reject });
      // What is enqueued in the same turn goes out together.
      if (this.#waiting.length === 1) queueMicrotask(() => this.#flush());
    });
  }

  #flush(): void {
    while (this.#waiting.length > 0 && this.#inFlight < inFlightMax) {
      const group = this.#nextGroup();
      this.#inFlight += 1;
      void this.#store(group).finally(() => {
        this.#inFlight -= 1;
        this.#flush();
      });
    }
  }

  #nextGroup(): Waiting[] {
    let size = 0;
    let calls = 0;
    for (const { tasks } of this.#waiting) {
      if (calls > 0 && size + tasks.length > batchSizeMax) break;
      size += tasks.length;
      calls += 1;
    }
    const [group] = portions(this.#waiting.slice(0, calls), sizeOfCall);
    return this.#waiting.splice(0, group!.length);
  }

  /** Never rejects; each caller gets its own answer. */
  async #store(group: Waiting[]): Promise<void> {
    const isOneStatement = group.length > 1 || portions(group[0]!.tasks, sizeOfTask).length === 1;
    const isPlain = isOneStatement && group.every((call) => call.tasks.every(({ ownId }) => !ownId));
    const left = isPlain ? await this.#storeTogether(group) : group;
    for (const call of left) this.#storeAlone(call).then(call.resolve, call.reject);
  }

  /** One statement for those that are new. Answers which are left: some may be stored already. */
  async #storeTogether(group: Waiting[]): Promise<Waiting[]> {
    let open = group;
    try {
      const { fitting, unsure, full } = await this.#findRoom(group);
      for (const [call, details] of full) call.resolve({ kind: "rejected", reason: "queue-full", details });
      open = [...fitting, ...unsure];
      if (fitting.length > 0) await this.#storeNew(fitting);
      return unsure;
    } catch (error) {
      // What may have been stored is asked for once more, with care: the answer tells.
      const isUnknown = error instanceof ConnectionLost;
      if (isUnknown || isUniqueViolation((error as { cause?: unknown }).cause ?? error)) return open;
      for (const call of open) call.reject(error);
      return [];
    }
  }

  /** Which calls find room in their queues. Without, those are refused that cannot be stored already. */
  async #findRoom(group: Waiting[]): Promise<Sorted> {
    const sorted: Sorted = { fitting: [], unsure: [], full: [] };
    const room = await readRoom(
      this.#context.database,
      group.flatMap((call) => call.tasks),
    );
    for (const call of group) {
      const full = room?.take(call.tasks);
      if (!full) sorted.fitting.push(call);
      else if (call.tasks.some(({ idempotencyKey }) => idempotencyKey !== undefined))
        sorted.unsure.push(call);
      else sorted.full.push([call, { ...full }]);
    }
    return sorted;
  }

  /** In one statement; with what the audit log says of those that somebody asks for, in one transaction. */
  async #storeNew(calls: readonly Waiting[]): Promise<void> {
    const context = this.#context;
    const { database } = context;
    const tasks = calls.flatMap((call) => call.tasks);
    if (calls.some(({ by }) => by)) {
      await database.transaction(async (session) => {
        await insertTasks(context, session, tasks);
        await recordAll(context, session, calls.flatMap(enqueuedBy));
      });
      context.tasksAdded();
    } else {
      const told = context.tellBehind(tasks);
      await insertTasks(context, database, tasks, told);
      context.tasksAdded({ wereTold: told !== undefined });
    }
    for (const call of calls) call.resolve({ kind: "ok", value: call.tasks.map(() => null) });
  }

  #storeAlone({ tasks, isList, by }: Waiting): Promise<Enqueued> {
    return this.#transact(async (session) => {
      const answers = await insertCarefully(this.#context, session, tasks);
      refuse(await queueOverfull(session, tasks, answers));
      const added = tasks.filter((_, index) => answers[index] === null);
      await recordAll(this.#context, session, enqueuedBy({ tasks: added, by }));
      return answers;
    }, !isList);
  }

  async #enqueueParts(parts: AsyncIterable<readonly NewTask[]>, by: By | undefined): Promise<Enqueued> {
    // By hand, so in one piece.
    if (by) return this.#enqueueSoon(await gathered(parts), true, by);
    const rest = parts[Symbol.asyncIterator]();
    // What was taken from the iterable is kept: the transaction may have to be done again, or with more care.
    const taken: (readonly NewTask[])[] = [];
    while (taken.length < 2) {
      const next = await rest.next();
      // A single part needs no transaction of its own: one statement, and one round trip.
      if (next.done) return this.#enqueueSoon(taken[0] ?? [], true, undefined);
      taken.push(next.value);
    }
    const insert = (carefully: boolean) =>
      this.#transact((session) => this.#insertParts(session, taken, rest, carefully));
    return this.#indexing.behind(async () => {
      try {
        return await insert(false);
      } catch (error) {
        if (!isUniqueViolation((error as { cause?: unknown }).cause ?? error)) throw error;
        return insert(true);
      }
    });
  }

  async #insertParts(
    session: OpenTransaction,
    taken: (readonly NewTask[])[],
    rest: AsyncIterator<readonly NewTask[]>,
    carefully: boolean,
  ): Promise<(Task | null)[]> {
    const answers: (Task | null)[] = [];
    const copied: NewTask[] = [];
    const noted: Noted[] = [];
    const began = await beginStoring(this.#context, session);
    const copying = new Copying(session);
    let storing: Promise<void> = Promise.resolve();
    try {
      for (let index = 0; ; index += 1) {
        if (index === taken.length) {
          const next = await rest.next();
          if (next.done) break;
          taken.push(next.value);
        }
        const part = taken[index]!;
        const copy = !carefully && isCopied(part) ? await this.#copyPart(part, began, noted) : undefined;
        await storing;
        if (copy) for (const task of part) copied.push(task);
        storing = this.#insertPart(session, copying, part, copy, carefully, answers);
        // Its error is met at the next turn; until then it must not count as unhandled.
        storing.catch(() => undefined);
      }
      await storing;
      await copying.end();
    } catch (error) {
      await storing.catch(() => undefined);
      await copying.abort();
      throw error;
    }
    if (copied.length > 0) await tallyTasks(this.#context, session, copied);
    if (noted.length > 0) await this.#indexing.note(session, noted);
    refuse(await queueOverfull(session, taken.flat(), answers));
    return answers;
  }

  async #copyPart(part: readonly NewTask[], began: Storing, noted: Noted[]): Promise<CopyPart> {
    const copy = await copyPartOf(this.#context, part, began, this.#indexing.hasRoom(noted.length));
    for (const one of copy.noted) noted.push(one);
    return copy;
  }

  async #insertPart(
    session: OpenTransaction,
    copying: Copying,
    part: readonly NewTask[],
    copy: CopyPart | undefined,
    carefully: boolean,
    answers: (Task | null)[],
  ): Promise<void> {
    if (copy) {
      for (const _ of part) answers.push(null);
      await copying.add(copy);
      return;
    }
    await copying.end();
    if (!carefully && part.every(({ ownId }) => !ownId)) {
      for (const _ of part) answers.push(null);
      await insertTasks(this.#context, session, part);
    } else {
      for (const answer of await insertCarefully(this.#context, session, part, {
        offset: answers.length,
      }))
        answers.push(answer);
    }
  }

  async #transact(
    work: (session: OpenTransaction) => Promise<(Task | null)[]>,
    alone = false,
  ): Promise<Enqueued> {
    const { database } = this.#context;
    try {
      const answer: Enqueued = await database.written<(Task | null)[], never>(async () => ({
        kind: "ok",
        value: await database.transaction(work),
      }));
      if (answer.kind === "ok") this.#context.tasksAdded();
      return answer;
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      const { index, ...details } = error.details;
      return { kind: "rejected", reason: error.reason, details: alone ? details : { index, ...details } };
    }
  }
}

/** What the audit log says of new tasks. */
export function enqueuedBy({ tasks, by }: Pick<Waiting, "tasks" | "by">): Parameters<typeof recordAll>[2] {
  const change = enqueuedChange(tasks);
  return by && change ? [{ by, change }] : [];
}

/** @throws Refused */
function refuse(full: FullQueue | undefined): void {
  if (full) throw new Refused("queue-full", { ...full });
}
