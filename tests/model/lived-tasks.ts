/**
 * Thousands of tasks with lives as chance has them: moved in from elsewhere, enqueued, claimed, settled, lost with their workers,
 * cancelled, retried, edited, deleted, pruned, their texts indexed now and then; many at one instant.
 */
import { createIds } from "../../server/tasks/core/ids.ts";
import type {
  Attributes,
  ClaimedTask,
  NewTask,
  Settlement,
  TaskRecord,
  UnindexedTask,
} from "../../server/tasks/core/store.ts";
import type { Task, TaskStatusName } from "../../server/tasks/core/task.ts";
import { searchableText } from "../../server/tasks/core/values/searchable-text.ts";
import { encodeValue } from "../../server/tasks/core/values/value.ts";
import { newSearch, newTask, newWorker, settlementOf } from "../support/builders.ts";
import type { Chance } from "../support/chance.ts";
import { tasksOf } from "../support/found.ts";
import type { Known } from "../support/plain-search.ts";
import { ok, type World } from "../support/stores.ts";

export const hourMs = 3_600_000;
const minuteMs = 60_000;

export const types = [
  "resize-image",
  "send-receipt",
  "nightly-report",
  "email.welcome",
  "email.reminder",
  "리포트-생성",
];
/** The first are of two thirds of all tasks. */
const shares = [0, 0, 0, 0, 1, 1, 2, 3, 4, 5];
export const queues = ["default", "mail", "media"];
export const plans = ["free", "team", "enterprise"];
export const words = [
  ...[
    "receipt",
    "영수증",
    "결제 승인",
    "tea cup",
    "Tea",
    "ETIMEDOUT",
    "KRW",
    "a",
    "ok",
    "Über",
    "ΟΔΟΣ",
    "100%",
    "a_b",
  ],
  ...["order", "re", "rate limit", "rate", "hang up", "🖼️", "x".repeat(70), '"quoted"', "-0", "640"],
];
const errors = [
  "connect ETIMEDOUT 10.0.0.1",
  "429 rate limit",
  "결제 승인이 거절되었습니다",
  "socket hang up",
];
const ended: TaskStatusName[] = ["COMPLETED", "FAILED", "CANCELLED"];
const shelf = ["a", "b", "c", "d"];

export class LivedTasks {
  readonly #world: World;
  readonly #chance: Chance;
  readonly #given = new Map<string, Attributes>();
  /** By id and version. */
  readonly #texts = new Map<string, string>();
  /** Whose tasks may have ids that were chosen: among those of the others, and of nobody, lists of all tasks are read. */
  readonly #choosing: readonly string[];
  #held: ClaimedTask[] = [];
  #made = 0;
  #workers = 0;

  constructor(world: World, chance: Chance) {
    this.#world = world;
    this.#chance = chance;
    this.#choosing = chance.pick([queues, ["media"], []]);
  }

  /** Until there are so many. */
  async fill(size: number): Promise<void> {
    const before = this.#made;
    while (this.#made - before < size / 3) await this.#moveIn(Math.ceil(size / 12));
    while (this.#made - before < size) await this.step(0.3);
  }

  /** One change; a task more or less. @param enqueues how many of the steps bring new tasks, of 1 */
  async step(enqueues = 0.1, most = 60): Promise<void> {
    const { clock, store } = this.#world;
    const chance = this.#chance;
    const some = 1 + chance.below(most / 3);
    await clock.advance(chance.pick([0, 0, 1, 7, 900, 31_000, minuteMs, 17 * minuteMs]));
    if (chance.happens(enqueues)) return this.#enqueue(1 + chance.below(3 * most));
    const steps = [
      () => this.#claim(1 + chance.below(2 * most)),
      () => this.#settle(1 + chance.below(2 * most)),
      () => this.#settle(1 + chance.below(2 * most)),
      () => this.#each(["PENDING", "RUNNING"], some, (id) => store.cancelTask(id)),
      () => this.#each(["FAILED", "CANCELLED"], some, (id) => store.retryTask(id)),
      () => this.#each(ended, some, (id) => store.deleteTask(id)),
      () => this.#each(["PENDING"], some, (id) => store.editTask(id, this.#edit())),
      () => this.#prune(some),
      () => this.#loseWorker(),
      () => this.index(1 + chance.below(100), 1),
      () => store.stats(),
    ];
    await chance.pick(steps)();
  }

  /** Indexes texts of so many tasks at a time, as workers do. */
  async index(limit = 500, rounds = Number.POSITIVE_INFINITY): Promise<void> {
    for (let round = 0; round < rounds; round += 1) {
      const unindexed = await this.#world.store.readUnindexed({ limit });
      if (unindexed.length === 0) return;
      const texts = unindexed.map((one) => ({ ref: one.ref, text: textOf(one) }));
      ok(await this.#world.store.writeTexts(texts));
    }
  }

  /** All there are, as they are now. */
  async known(): Promise<Known[]> {
    const { store } = this.#world;
    const tasks = await tasksOf(store.searchTasks(newSearch({ limit: 100_000 })));
    const attributes = (id: string) => this.#given.get(id) ?? {};
    return Promise.all(
      tasks.map(async (task) => ({
        ...{ task, attributes: attributes(task.id), text: await this.#textOf(task) },
      })),
    );
  }

  async #textOf(task: Task): Promise<string> {
    const key = `${task.id} ${task.version}`;
    const known = this.#texts.get(key);
    if (known !== undefined) return known;
    const isFresh = task.version === 1;
    const text = searchableText(task, isFresh ? [] : await this.#world.store.listAttempts(task.id));
    this.#texts.set(key, text);
    return text;
  }

  async #enqueue(count: number): Promise<void> {
    const tasks = Array.from({ length: count }, () => this.#task());
    ok(await this.#world.store.enqueueTasks(this.#chance.happens(0.5) ? inParts(tasks) : tasks));
    for (const { id, attributes } of tasks) if (attributes) this.#given.set(id, attributes);
  }

  #task(): NewTask {
    const chance = this.#chance;
    const now = this.#world.clock.now();
    // Some arrive late, and the clock of some is ahead.
    const createdAt = now + chance.pick([0, 0, 0, -1, -50_000, -26 * hourMs, 40_000]);
    const payload = this.#payload();
    const names = this.#names();
    return newTask({
      ...this.#own(createdAt, names.queue),
      ...names,
      createdAt,
      dueAt: createdAt + chance.pick([0, 0, 0, 0, 1, -500, 5_000, hourMs, 40 * hourMs]),
      maxAttempts: 1 + chance.below(3),
      payload,
      tags: chance.happens(0.3)
        ? chance.some(["vip", "slow", "Ü 한국", "re"], 1 + chance.below(2))
        : undefined,
      ...(chance.happens(0.7) && { attributes: attributesOf(payload) }),
    });
  }

  #names() {
    const chance = this.#chance;
    return {
      type: types[chance.pick(shares)]!,
      queue: queues[chance.pick([0, 0, 0, 1, 2])]!,
      priority: chance.pick([0, 0, 0, 1, -5, 10]),
      description: chance.happens(0.1) ? this.#text() : undefined,
      idempotencyKey: chance.happens(0.1) ? `key-${this.#made}` : undefined,
    };
  }

  #own(createdAt: number, queue: string): { id: string; ownId: boolean } {
    this.#made += 1;
    const chance = this.#chance;
    if (chance.happens(0.8) || !this.#choosing.includes(queue)) {
      const bytes = (count: number) => Uint8Array.from({ length: count }, () => chance.below(256));
      return { id: createIds(() => createdAt, bytes).taskId(), ownId: false };
    }
    return { id: `${chance.pick(["own", "order", "z", "리포트", "Own"])}-${this.#made}`, ownId: true };
  }

  #text(): string {
    return Array.from({ length: 1 + this.#chance.below(3) }, () => this.#chance.pick(words)).join(" ");
  }

  #payload() {
    const chance = this.#chance;
    return {
      ...(chance.happens(0.9) && { user: { id: chance.below(30), plan: chance.pick(plans) } }),
      ...(chance.happens(0.8) && { amount: chance.pick([0, -1, 0.5, 640, chance.below(1_000)]) }),
      ...(chance.happens(0.8) && { note: this.#text() }),
      ...(chance.happens(0.3) && { shelves: chance.some(shelf, chance.below(4)) }),
      ...(chance.happens(0.3) && { isGift: chance.pick([true, false, null]) }),
      ...(chance.happens(0.2) && {
        lines: [{ of: chance.pick(words), count: chance.below(3) }, { count: 7 }],
      }),
    };
  }

  /** As they lay in another store, days old. */
  async #moveIn(count: number): Promise<void> {
    const dayAt = this.#world.clock.now() - (1 + this.#chance.below(4)) * 24 * hourMs;
    const records = Array.from({ length: count }, () => this.#record(dayAt));
    ok(await this.#world.store.writeRecords(records));
    for (const { id, attributes } of records) if (attributes) this.#given.set(id, attributes);
  }

  #record(dayAt: number): TaskRecord {
    const chance = this.#chance;
    const createdAt =
      dayAt +
      chance.pick([0, chance.below(90) * 1_000, chance.below(24) * hourMs, chance.below(24 * hourMs)]);
    const { description, idempotencyKey, ...names } = this.#names();
    const payload = this.#payload();
    const shared = {
      ...this.#own(createdAt, names.queue),
      ...names,
      ...(description !== undefined && { description }),
      ...(idempotencyKey !== undefined && { idempotencyKey }),
      dueAt: createdAt + chance.pick([0, 0, 0, hourMs, -1]),
      ...{ createdAt, maxAttempts: 3, crashes: chance.pick([0, 0, 0, 1]), snoozes: 0, rerunAfterCrash: true },
      payload: encodeValue(payload, "payload"),
      ...(chance.happens(0.7) && { attributes: attributesOf(payload) }),
      ...(chance.happens(0.2) && { tags: JSON.stringify(["vip"]) }),
    };
    if (chance.happens(0.15))
      return {
        ...shared,
        status: "PENDING",
        updatedAt: createdAt,
        attempts: 0,
        fence: 0,
        version: 1,
        history: [],
      };
    const startedAt = createdAt + chance.pick([0, 1, 1_500, chance.below(hourMs)]);
    const completedAt =
      startedAt + chance.pick([0, 1, 999, 1_000, 1_001, chance.below(minuteMs), chance.below(9 * hourMs)]);
    const times = { updatedAt: completedAt, completedAt };
    if (chance.happens(0.1))
      return { ...shared, ...times, status: "CANCELLED", attempts: 0, fence: 0, version: 2, history: [] };
    const workerId = `old-${chance.below(3)}`;
    const lived = { ...shared, ...times, startedAt, workerId, attempts: 1, fence: 1, version: 3 };
    const attempt = { fence: 1, number: 1, workerId, startedAt, endedAt: completedAt };
    if (chance.happens(0.7))
      return {
        ...lived,
        status: "COMPLETED",
        result: encodeValue(this.#result(), "result"),
        history: [{ ...attempt, outcome: "completed" }],
      };
    const error = `${chance.pick(errors)} ${chance.below(100)}`;
    const stored = JSON.stringify({ name: "Error", message: error, stack: `at send (${chance.below(9)})` });
    return { ...lived, status: "FAILED", error, history: [{ ...attempt, outcome: "failed", error: stored }] };
  }

  #result() {
    const chance = this.#chance;
    return { ok: chance.happens(0.5), rows: chance.below(20), name: chance.pick(words) };
  }

  async #claim(limit: number): Promise<void> {
    const wanted = this.#chance.some(types, 1 + this.#chance.below(types.length));
    this.#held.push(...(await this.#world.claim({ types: wanted, limit })));
  }

  async #settle(count: number): Promise<void> {
    if (this.#held.length === 0) return;
    const first = this.#chance.below(this.#held.length);
    const settlements = this.#held.splice(first, count).map((one) => this.#settlement(one));
    const settled = ok(await this.#world.store.settleTasks(settlements));
    for (const [n, { taskId, attributes }] of settlements.entries()) {
      const isKept = settled[n]!.kind === "settled" && attributes !== undefined;
      if (isKept) this.#given.set(taskId, { ...this.#given.get(taskId), ...attributes });
    }
  }

  #settlement(one: ClaimedTask): Settlement {
    const chance = this.#chance;
    const { clock } = this.#world;
    const later = { retryAt: clock.now() + chance.pick([0, 1, 5_000, chance.below(hourMs)]) };
    const message = `${chance.pick(errors)} ${chance.below(100)}`;
    const error = { name: "Error", message, stack: `Error\n    at 함수 (file.ts:${chance.below(9)}:1)` };
    const logs = chance.happens(0.2) && {
      logs: [{ at: new Date(clock.now()), level: "info" as const, message: this.#text() }],
    };
    switch (chance.below(8)) {
      case 0:
        return settlementOf(one, "snoozed", { ...later, ...logs });
      case 1:
        return settlementOf(one, "released");
      case 2:
        return settlementOf(one, "cancelled", { ...logs });
      case 3:
        return settlementOf(one, "failed", { error, ...logs });
      case 4:
        return settlementOf(one, chance.pick(["failed", "timed-out"] as const), { error, ...later, ...logs });
      default: {
        const result = this.#result();
        const attributes = chance.happens(0.5) && { attributes: { rows: result.rows } };
        return settlementOf(one, "completed", {
          result: encodeValue(result, "result"),
          ...attributes,
          ...logs,
        });
      }
    }
  }

  #edit() {
    const chance = this.#chance;
    const dueAt = this.#world.clock.now() + chance.pick([0, 1, hourMs]);
    return chance.pick([{ priority: chance.pick([0, 3]) }, { dueAt }, { priority: 10, dueAt }]);
  }

  async #prune(most: number): Promise<void> {
    const before = this.#world.clock.now() - this.#chance.below(48 * hourMs);
    const status = this.#chance.pick(["COMPLETED", "FAILED", "CANCELLED"] as const);
    const one = { types: this.#chance.some(types, 1 + this.#chance.below(2)) };
    const request = { status, before, limit: most, ...(this.#chance.happens(0.5) && one) };
    ok(await this.#world.store.pruneTasks(request));
  }

  /** It claims a few, and dies. */
  async #loseWorker(): Promise<void> {
    this.#workers += 1;
    const workerId = `lost-${this.#workers}`;
    ok(await this.#world.store.registerWorker(newWorker(workerId)));
    await this.#world.claim({ workerId, types, limit: 3 });
    await this.#world.bury(workerId);
  }

  async #each(
    statuses: TaskStatusName[],
    most: number,
    change: (id: string) => Promise<unknown>,
  ): Promise<void> {
    const search = newSearch({ statuses, limit: 200, offset: this.#chance.below(100) });
    const { tasks } = await this.#world.store.searchTasks(search);
    for (const { id } of this.#chance.some(tasks, most)) await change(id);
  }
}

function attributesOf({ user, amount, shelves, isGift }: any): Attributes {
  return {
    ...(user && { userId: user.id, plan: user.plan }),
    ...(amount !== undefined && { amount }),
    ...(shelves && { shelves }),
    ...(typeof isGift === "boolean" && { isGift }),
  };
}

function textOf({ task, attempts, json }: UnindexedTask): string {
  return searchableText(task, attempts, json);
}

/** As a large batch arrives, whose attributes PostgreSQL indexes behind it; those with ids of their own apart. */
async function* inParts(tasks: readonly NewTask[]): AsyncGenerator<readonly NewTask[]> {
  const others = tasks.filter(({ ownId }) => !ownId);
  const half = Math.ceil(others.length / 2);
  for (const part of [others.slice(0, half), others.slice(half), tasks.filter(({ ownId }) => ownId)])
    if (part.length > 0) yield part;
}
