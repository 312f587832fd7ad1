import { beforeEach, expect, test } from "vitest";
import { summarizeTasksIn } from "../../server/tasks/core/counts/summary.ts";
import type { Instance } from "../../server/tasks/core/instance.ts";
import type { Buckets, ClaimedTask, CountKey, StoreSearch } from "../../server/tasks/core/store.ts";
import type { Task, TaskStatusName } from "../../server/tasks/core/task.ts";
import { newSearch, newTask, newTasks, settlementOf, startAt } from "../support/builders.ts";
import { tasksOf } from "../support/found.ts";
import { seeded } from "../support/seeded.ts";
import { ok, onEachLastingStore, type World } from "../support/stores.ts";
import { listCounts, type TaskCount } from "../support/task-counts.ts";

const hourMs = 3_600_000;
const types = ["resize-image", "send-receipt"];
const aligned = Math.floor(startAt / hourMs) * hourMs;

onEachLastingStore("summarizeTasks", (world) => {
  let all: Task[] = [];

  beforeEach(async () => {
    const tasks = Array.from({ length: 60 }, (_, n) => {
      const createdAt = startAt - 6 * hourMs + n * 360_000;
      return newTask({
        ...(n % 4 === 0 && { id: `own-${n}` }),
        type: n % 10 === 4 ? "nightly-report" : types[n % 2]!,
        queue: n % 5 === 0 ? "slow" : "default",
        createdAt,
        dueAt: createdAt,
      });
    });
    await world.enqueue(...tasks);
    const claimed = await world.claim({ types, limit: 40 });
    await world.clock.advance(1.5 * hourMs);
    const retryAt = startAt + 9 * hourMs;
    ok(
      await world.store.settleTasks(
        claimed.slice(30, 33).map((one) => settlementOf(one, "failed", { retryAt })),
      ),
    );
    ok(await world.store.editTask("own-4", { priority: 3 }));
    await world.clock.advance(0.5 * hourMs);
    ok(
      await world.store.settleTasks(
        claimed.slice(0, 30).map((one, n) => settlementOf(one, n % 3 === 0 ? "failed" : "completed")),
      ),
    );
    all = await tasksOf(world.store.searchTasks(newSearch({ limit: 1_000 })));
  });

  test("takes no notice of an order that its query says", async () => {
    ok(await world.store.enqueueTasks(newTasks(1_100, { payload: { n: 1 }, priority: 2 })));
    const parts = { clock: world.clock, registry: { get: () => undefined }, store: async () => world.store };
    const instance = parts as unknown as Instance;
    for (const sort of [
      "updated",
      "+updated",
      "completed",
      "duration",
      "started",
      "+priority",
      "due",
      "id",
    ]) {
      const query = `payload.n:>=0 sort:${sort}`;
      const counted = await summarizeTasksIn(instance, { query, budget: "20s" });
      expect(counted, sort).toMatchObject({ total: { count: 1_100, errorMax: 0 }, complete: true });
      const timed = await summarizeTasksIn(instance, {
        query: `sort:${sort}`,
        percentiles: true,
        budget: "20s",
      });
      expect(timed.total.count, sort).toBe(1_160);
    }
  });

  const filters: Partial<StoreSearch>[] = [
    {},
    { types: ["send-receipt", "nobody"] },
    { statuses: ["RUNNING", "FAILED"] },
    { queues: ["slow"] },
    { created: { start: startAt - 3 * hourMs, end: startAt - hourMs } },
    { created: { start: aligned - 4 * hourMs, end: aligned - hourMs } },
    { created: { start: aligned - 4 * hourMs - 1, end: aligned - hourMs + 1 }, statuses: ["PENDING"] },
    { created: { start: startAt - 3 * hourMs + 1, end: aligned - 2 * hourMs } },
    // Less than half of two hours, and no whole one.
    { created: { start: aligned - 2.25 * hourMs, end: aligned - 1.75 * hourMs } },
    { created: { start: aligned - 3 * hourMs + 1, end: aligned - 2 * hourMs - 1 } },
    {
      created: { start: aligned - 2.5 * hourMs, end: aligned - 1.5 * hourMs },
      statuses: ["RUNNING", "FAILED"],
    },
    // Most of the first and of the last hour, and most of one.
    { created: { start: aligned - 4.8 * hourMs, end: aligned - 1.3 * hourMs } },
    {
      created: { start: aligned - 3.9 * hourMs, end: aligned - 1.2 * hourMs },
      statuses: ["PENDING", "RUNNING"],
    },
    { types: ["send-receipt"], created: { start: aligned - 1.9 * hourMs, end: aligned - 1.1 * hourMs } },
    { created: { end: startAt - 3 * hourMs } },
    { created: { start: startAt, end: startAt } },
    { updated: { start: startAt } },
    { updated: { start: startAt - 3 * hourMs + 17_001, end: startAt + 2 * hourMs } },
    { updated: { start: startAt - 4.8 * hourMs - 1, end: startAt + 1 }, statuses: ["PENDING", "RUNNING"] },
    { types: ["resize-image"], updated: { start: startAt - hourMs, end: startAt + 2 * hourMs + 1 } },
    { statuses: ["FAILED", "COMPLETED"], updated: { end: startAt + 3 * hourMs } },
    { updated: { start: startAt + 2 * hourMs, end: startAt + 2 * hourMs + 1 } },
    { types: ["resize-image"], created: { start: startAt - 5 * hourMs }, updated: { end: startAt + hourMs } },
  ];
  const stretches: (Buckets | undefined)[] = [
    undefined,
    { time: "createdAt", bucketMs: hourMs },
    { time: "createdAt", bucketMs: 24 * hourMs },
    { time: "createdAt", bucketMs: 60_000 },
    { time: "updatedAt", bucketMs: 60_000 },
    { time: "updatedAt", bucketMs: hourMs },
  ];

  test("counts each group as a look at every task does", async () => {
    for (const filter of filters) {
      for (const buckets of stretches) {
        const search = newSearch(filter);
        const counts = await listCounts(world.store, search, buckets);
        expect({ search, buckets, counts: sorted(counts) }).toEqual({
          search,
          buckets,
          counts: sorted(expected(all, search, buckets)),
        });
        const { count } = await world.store.countTasks(search);
        expect({ search, count }).toEqual({ search, count: expected(all, search, undefined).length });
      }
    }
  });

  test("counts by some keys alone", () => expectBySomeKeys());

  async function expectBySomeKeys(): Promise<void> {
    for (const search of filters.map(newSearch)) {
      const buckets: Buckets = { time: search.updated ? "updatedAt" : "createdAt", bucketMs: hourMs };
      for (const by of [["status"], ["type", "queue"], []] as CountKey[][]) {
        const byKeys = toKeys(by);
        const counts = (await listCounts(world.store, search, buckets, by)).map(byKeys);
        const wanted = expected(all, search, buckets).map(byKeys);
        expect({ search, by, counts: sorted(counts) }).toEqual({ search, by, counts: sorted(wanted) });
      }
    }
  }

  test("counts by some keys alone where a type runs and nothing of it waits", async () => {
    await world.claim({ types: ["nightly-report", "resize-image"], limit: 100 });
    all = await tasksOf(world.store.searchTasks(newSearch({ limit: 1_000 })));
    const nightly = all.filter(({ type }) => type === "nightly-report");
    expect(new Set(nightly.map(({ status }) => status))).toEqual(new Set(["RUNNING"]));
    await expectBySomeKeys();
    await world.claim({ types: ["send-receipt"], limit: 100 });
    all = await tasksOf(world.store.searchTasks(newSearch({ limit: 1_000 })));
    await expectBySomeKeys();
  });

  test("stretches that have many tasks each, and few", async () => {
    const type = (n: number) => (n % 50 === 0 ? "nightly-report" : "resize-image");
    const dense = Array.from({ length: 400 }, (_, n) => {
      const createdAt = startAt + 90 * hourMs + n * 700;
      return newTask({ type: type(n), createdAt, dueAt: createdAt });
    });
    await world.enqueue(...dense);
    await world.clock.advance(91 * hourMs);
    const claimed = await world.claim({ types: ["resize-image"], limit: 300 });
    for (let n = 0; n < claimed.length; n += 100) {
      const some = claimed
        .slice(n, n + 100)
        .map((one) => settlementOf(one, n === 0 ? "failed" : "completed"));
      ok(await world.store.settleTasks(some));
      await world.clock.advance(70_000);
    }
    const tasks = await tasksOf(world.store.searchTasks(newSearch({ limit: 1_000 })));
    const [from, to] = [startAt + 89 * hourMs, world.clock.now()];
    for (const [start, end] of [
      [startAt + 90 * hourMs + 1_234, startAt + 90 * hourMs + 200_001],
      [to - 250_000, to - 10],
      [from, to],
    ] as const) {
      for (const time of ["createdAt", "updatedAt"] as const) {
        for (const bucketMs of [10_000, 60_000]) {
          const buckets: Buckets = { time, bucketMs };
          const search = newSearch(
            time === "createdAt" ? { created: { start, end } } : { updated: { start, end } },
          );
          const counts = await listCounts(world.store, search, buckets);
          expect(sorted(counts)).toEqual(sorted(expected(tasks, search, buckets)));
        }
      }
    }
  });

  test("stretches of time before 1970 begin before what is in them", async () => {
    const instants = [-90_500, -60_000, -30_000, -1, 0, 30_000];
    ok(await world.store.enqueueTasks(instants.map((createdAt) => newTask({ createdAt, dueAt: createdAt }))));
    const search = newSearch({ created: { end: 60_000 } });
    const tasks = await tasksOf(world.store.searchTasks({ ...search, limit: 10 }));
    for (const time of ["createdAt", "updatedAt"] as const) {
      const buckets: Buckets = { time, bucketMs: 60_000 };
      const counts = await listCounts(world.store, search, buckets);
      expect(sorted(counts)).toEqual(sorted(expected(tasks, search, buckets)));
      expect(counts.map(({ at }) => at).sort((a, b) => a! - b!)).toEqual([-120_000, -60_000, 0]);
    }
  });

  test("few types among many, and whole days with parts of others", async () => {
    const random = seeded(5);
    const tasks = Array.from({ length: 400 }, (_, n) => {
      const createdAt = startAt - Math.floor(4 * 24 * hourMs * random());
      return newTask({ type: `type-${n % 9}`, createdAt, dueAt: createdAt });
    });
    ok(await world.store.enqueueTasks(tasks));
    const added = await tasksOf(world.store.searchTasks(newSearch({ limit: 1_000 })));
    for (let question = 0; question < 72; question += 1) {
      const start = startAt - Math.floor(4 * 24 * hourMs * random());
      const end = start + Math.floor([2, 24, 72][question % 3]! * hourMs * random());
      const of = [["type-3"], ["type-3", "type-5"], undefined][Math.floor(question / 3) % 3];
      const bucketMs = [undefined, 60_000, hourMs, 24 * hourMs][Math.floor(question / 9) % 4];
      const search = newSearch({ ...(of && { types: of }), created: { start, end } });
      const buckets = bucketMs ? { time: "createdAt" as const, bucketMs } : undefined;
      const byType = toKeys(["type"]);
      const counts = (await listCounts(world.store, search, buckets, ["type"])).map(byType);
      const wanted = expected(added, search, buckets).map(byType);
      expect({ search, buckets, counts: sorted(counts) }).toEqual({
        search,
        buckets,
        counts: sorted(wanted),
      });
    }
  });

  test("keeps the counts by time through retries, cancels, deletions and prunes", async () => {
    const of = (status: string) => all.filter((task) => task.status === status).map(({ id }) => id);
    const [retried, deleted] = of("FAILED");
    ok(await world.store.retryTask(retried!));
    ok(await world.store.deleteTask(deleted!));
    ok(await world.store.cancelTask(of("PENDING")[0]!));
    ok(await world.store.pruneTasks({ status: "COMPLETED", before: world.clock.now() + 1, limit: 7 }));
    const left = await tasksOf(world.store.searchTasks(newSearch({ limit: 1_000 })));
    for (const buckets of stretches) {
      const counts = await listCounts(world.store, newSearch(), buckets);
      expect(sorted(counts)).toEqual(sorted(expected(left, newSearch(), buckets)));
    }
    const findings = await world.store.checkHealth({ full: true });
    expect(findings.filter(({ level }) => level === "error")).toEqual([]);
    expect(left.length).toBe(60 - 8);
  });

  test("keeps the counts by time through random lives, across hours and days", async () => {
    const random = seeded(7);
    const pick = <Value>(values: readonly Value[]): Value => values[Math.floor(random() * values.length)]!;
    const lives = new Lives(world, random);
    // Of each kind one after the other, and then as chance has it; the day ends soon.
    await world.clock.advance(23 * hourMs + 58 * 60_000);
    for (let round = 0; round < 4; round += 1) {
      for (let step = 0; step < 24; step += 1) {
        await lives.step(step < 8 && round === 0 ? step : undefined);
        await world.clock.advance(
          pick([0, 1, 900, 31_000, 60_000, 17 * 60_000, round === 2 ? 11 * hourMs : 1]),
        );
      }
      const tasks = await tasksOf(world.store.searchTasks(newSearch({ limit: 1_000 })));
      const now = world.clock.now();
      for (let question = 0; question < 12; question += 1) {
        const [from, to] = [now - random() * 30 * hourMs, now - (random() - 0.2) * hourMs].map(Math.floor);
        const range = pick([{}, { start: from! }, { end: to! }, { start: from!, end: to! }]);
        const time = pick(["createdAt", "updatedAt"] as const);
        const filter = pick([{}, { statuses: ["PENDING", "FAILED"] as const }, { types: ["resize-image"] }]);
        const search = newSearch({
          ...filter,
          ...(time === "createdAt" ? { created: range } : { updated: range }),
        });
        const buckets = pick([
          undefined,
          ...[60_000, hourMs, 24 * hourMs].map((bucketMs) => ({ time, bucketMs })),
        ]);
        const by = pick<CountKey[]>([["type", "queue", "status"], ["type"], ["status"], ["queue", "status"]]);
        const byKeys = toKeys(by);
        const counts = (await listCounts(world.store, search, buckets, by)).map(byKeys);
        const wanted = expected(tasks, search, buckets).map(byKeys);
        expect({ search, buckets, by, counts: sorted(counts) }).toEqual({
          ...{ search, buckets, by, counts: sorted(wanted) },
        });
      }
    }
    expect(world.store.keepsMinutes).toBe(true);
  });
});

/** Tasks that come, run, end, come back and go as chance has it. */
class Lives {
  readonly #world: World;
  readonly #random: () => number;
  #held: ClaimedTask[] = [];

  constructor(world: World, random: () => number) {
    this.#world = world;
    this.#random = random;
  }

  async step(kind = Math.floor(this.#random() * 8)): Promise<void> {
    const { store, clock } = this.#world;
    if (kind === 0) await this.#enqueue();
    else if (kind === 1) this.#held.push(...(await this.#world.claim({ types, limit: 1 + this.#draw(12) })));
    else if (kind === 2 || kind === 3) await this.#settle();
    else if (kind === 4) await this.#each(["PENDING", "RUNNING"], (id) => store.cancelTask(id));
    else if (kind === 5) await this.#each(["FAILED", "CANCELLED"], (id) => store.retryTask(id));
    else if (kind === 6) await this.#each(["COMPLETED", "FAILED", "CANCELLED"], (id) => store.deleteTask(id));
    else {
      const before = clock.now() - this.#draw(2 * hourMs);
      ok(await store.pruneTasks({ status: "COMPLETED", before, limit: 1 + this.#draw(9) }));
      // There, and then, changes are folded.
      await store.stats();
    }
  }

  async #enqueue(): Promise<void> {
    const now = this.#world.clock.now();
    const tasks = Array.from({ length: 1 + this.#draw(30) }, (_, n) => {
      // Some arrive late, some are due later, and the clock of some is ahead.
      const createdAt = now + [0, 0, -50_000, -26 * hourMs, 40_000][this.#draw(5)]! - n;
      const dueAt = createdAt + [0, 0, 0, hourMs][this.#draw(4)]!;
      return newTask({ type: types[this.#draw(2)]!, maxAttempts: 1 + this.#draw(2), createdAt, dueAt });
    });
    ok(await this.#world.store.enqueueTasks(tasks));
  }

  async #settle(): Promise<void> {
    const some = this.#held.splice(0, 1 + this.#draw(9));
    const outcomes = ["completed", "completed", "failed", "released", "cancelled"] as const;
    const retryAt = this.#world.clock.now() + this.#draw(hourMs);
    const settlements = some.map((one) =>
      settlementOf(one, outcomes[this.#draw(5)]!, this.#draw(2) === 0 ? { retryAt } : {}),
    );
    ok(await this.#world.store.settleTasks(settlements));
  }

  async #each(statuses: TaskStatusName[], change: (id: string) => Promise<unknown>): Promise<void> {
    const search = newSearch({ statuses, limit: 1 + this.#draw(4), offset: this.#draw(9) });
    for (const { id } of await tasksOf(this.#world.store.searchTasks(search))) await change(id);
  }

  /** A number from 0 on, below another. */
  #draw(below: number): number {
    return Math.floor(this.#random() * below);
  }
}

function expected(all: readonly Task[], search: StoreSearch, buckets: Buckets | undefined): TaskCount[] {
  const within = (at: Date, range: { start?: number; end?: number } | undefined) =>
    at.getTime() >= (range?.start ?? -Infinity) && at.getTime() < (range?.end ?? Infinity);
  return all
    .filter(({ type }) => !search.types || search.types.includes(type))
    .filter(({ status }) => !search.statuses || search.statuses.includes(status))
    .filter(({ queue }) => !search.queues || search.queues.includes(queue!))
    .filter((task) => within(task.createdAt, search.created) && within(task.updatedAt, search.updated))
    .map((task) => ({
      type: task.type,
      queue: task.queue!,
      status: task.status,
      ...(buckets && { at: Math.floor(task[buckets.time].getTime() / buckets.bucketMs) * buckets.bucketMs }),
      count: 1,
    }));
}

/** A count by these keys alone: a store may tell more apart than it is asked to. */
function toKeys(by: readonly CountKey[]): (count: TaskCount) => TaskCount {
  return ({ at, count, ...keys }) => ({
    ...Object.fromEntries(by.map((key) => [key, keys[key]])),
    ...(at !== undefined && { at }),
    count,
  });
}

/** By name, each group once. */
function sorted(counts: readonly TaskCount[]): [string, number][] {
  const groups = new Map<string, number>();
  for (const { type, queue, status, at, count } of counts) {
    const name = `${type} ${queue} ${status} ${at}`;
    groups.set(name, (groups.get(name) ?? 0) + count);
  }
  return [...groups].sort(([a], [b]) => (a < b ? -1 : 1));
}
