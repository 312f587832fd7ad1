/**
 * The log lines of attempts, each told once: while an attempt runs as soon as they are stored, which changes no task and is
 * therefore looked for, and the rest once it has ended.
 */
import type { Dure } from "../dure.ts";
import type { Attempt, LogEntry } from "../tasks/core/attempt.ts";
import type { Task } from "../tasks/core/task.ts";

/** So many that run are looked at, the latest. */
const followedMax = 100;
/** Of so many tasks it is known what was told. */
const toldMax = 10_000;

export type TellLog = (task: Task, attempt: number, entries: readonly LogEntry[]) => void;

export class LiveLogs {
  readonly #dure: Dure;
  readonly #tell: TellLog;
  readonly #begunAt: Date;
  readonly #followed = new Map<string, Task>();
  readonly #told = new Map<string, { fence: number; count: number }>();
  /** What is asked at the same time is told one after the other. */
  #turn: Promise<void> = Promise.resolve();

  /** @param begunAt no attempt that started since then is passed over; on another clock than the worker's one may be */
  constructor(dure: Dure, tell: TellLog, begunAt = new Date()) {
    this.#dure = dure;
    this.#tell = tell;
    this.#begunAt = begunAt;
  }

  /** Tells of a task that runs what is logged from now on. */
  async followFromNow(task: Task): Promise<void> {
    const last = (await this.#dure.listAttempts(task.id)).at(-1);
    if (last) this.#keepTold(task.id, last.fence, last.logs.length);
    this.#follow(task);
  }

  /** A task was told of: one that runs is followed, of another one the rest is told. */
  async met(task: Task): Promise<void> {
    if (task.status === "RUNNING") return this.#follow(task);
    this.#followed.delete(task.id);
    await this.#inTurn(task);
  }

  /** It is looked at no longer. */
  leave(id: string): void {
    this.#followed.delete(id);
  }

  /** Tells what those that run have logged since the last look. */
  async look(): Promise<void> {
    for (const task of [...this.#followed.values()]) {
      if (this.#followed.has(task.id)) await this.#inTurn(task);
    }
  }

  #follow(task: Task): void {
    this.#followed.delete(task.id);
    this.#followed.set(task.id, task);
    forgetOldest(this.#followed, followedMax);
  }

  #inTurn(task: Task): Promise<void> {
    const turn = this.#turn.then(() => this.#tellNew(task));
    this.#turn = turn.catch(() => undefined);
    return turn;
  }

  async #tellNew(task: Task): Promise<void> {
    const attempts = await this.#dure.listAttempts(task.id);
    const told = this.#told.get(task.id);
    // The attempts of one that was never met before may have ended long ago; of these only the latest is told of.
    const isNew = ({ startedAt }: Attempt) => startedAt >= this.#begunAt;
    const from = told?.fence ?? (attempts.find(isNew) ?? attempts.at(-1))?.fence ?? 0;
    const last = attempts.at(-1);
    this.#keepTold(task.id, last?.fence ?? 0, last?.logs.length ?? 0);
    for (const { fence, logs, number } of attempts.filter(({ fence }) => fence >= from)) {
      const entries = logs.slice(told?.fence === fence ? told.count : 0);
      if (entries.length > 0) this.#tell(task, number, entries);
    }
  }

  #keepTold(id: string, fence: number, count: number): void {
    this.#told.delete(id);
    this.#told.set(id, { fence, count });
    forgetOldest(this.#told, toldMax);
  }
}

function forgetOldest(map: Map<string, unknown>, max: number): void {
  if (map.size > max) map.delete(map.keys().next().value!);
}
