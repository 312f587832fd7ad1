/** Searches that name their tasks, by ids or idempotency keys: each is looked up, and nobody else's task is read. */
import { beforeEach, expect, test } from "vitest";
import type { Condition } from "../../server/tasks/core/filters/condition.ts";
import { meets, sortValueOf } from "../../server/tasks/core/filters/meets.ts";
import type { StoreSearch } from "../../server/tasks/core/store.ts";
import type { Task } from "../../server/tasks/core/task.ts";
import { compareText } from "../../server/tasks/core/values/compare.ts";
import { newDefinition, newSearch, newTask, startAt } from "../support/builders.ts";
import { countOf, tasksOf } from "../support/found.ts";
import { ok, onEachLastingStore, type World } from "../support/stores.ts";

const named = (name: "id" | "idempotencyKey", ...values: string[]): Condition => ({
  kind: "equals",
  field: { of: "task", name },
  values,
});
const begins = (name: "id" | "idempotencyKey", prefix: string): Condition => ({
  kind: "prefix",
  field: { of: "task", name },
  prefix,
});
const and = (...parts: Condition[]): Condition => ({ kind: "and", parts });
const or = (...parts: Condition[]): Condition => ({ kind: "or", parts });
const tagged: Condition = { kind: "equals", field: { of: "task", name: "tag" }, values: ["vip"] };

onEachLastingStore("tasks by name", (world) => {
  let all: Task[] = [];
  let generated: string[] = [];

  beforeEach(async () => {
    generated = await fill(world);
    all = await tasksOf(world.store.searchTasks(newSearch({ limit: 1_000 })));
  });

  const list = () =>
    named("id", "own-3", generated[7]!, "own-14", "own-3", "no\0body", "nobody", "unused", "");

  test.each<[string, () => Condition]>([
    ["ids", list],
    ["ids that are joined by or", () => or(named("id", "own-3"), named("id", generated[7]!, "own-20"))],
    ["ids, and something else", () => and(tagged, list())],
    ["some ids of others", () => and(list(), named("id", "own-14", generated[7]!, "own-1"))],
    ["keys, of several types", () => named("idempotencyKey", "key 4", "key 8", "nobody's", "zero\0")],
    ["ids of a key", () => and(named("idempotencyKey", "key 4"), list(), named("id", "own-4", "own-3"))],
    ["none", () => named("id")],
    ["chosen ids by what they begin with", () => begins("id", "own-1")],
    ["generated ids by what they begin with", () => begins("id", generated[7]!.slice(0, 9))],
    ["one by nearly all of it", () => begins("id", generated[7]!.slice(0, 25))],
    ["ids that nobody has", () => begins("id", "OWN-")],
    ["ids that begin with half a character", () => begins("id", "own-\ud83d")],
    ["an entry's id by what it begins with", () => begins("id", "un")],
    ["keys by what they begin with", () => begins("idempotencyKey", "key ")],
    ["keys that nobody has", () => begins("idempotencyKey", "key 9")],
    ["keys whose last character is the last", () => begins("idempotencyKey", "key \u{10ffff}")],
    ["some of those", () => and(begins("idempotencyKey", "key"), begins("id", "own-"), tagged)],
    ["ids and beginnings", () => or(named("id", "own-3", "own-14"), begins("id", "own-1"))],
  ])("%s are looked up, in any order, with any filter", async (_what, where) => {
    for (const facts of [
      {},
      { sortBy: "createdAt", descending: false },
      { sortBy: "id" },
      { sortBy: "priority" },
      { sortBy: "dueAt", descending: false },
      { sortBy: "updatedAt", types: ["resize-image"] },
      { statuses: ["COMPLETED", "RUNNING"] },
      { statuses: ["RUNNING"] },
      { queues: ["slow"], created: { start: startAt - 80_000 } },
      { definitions: false },
      { limit: 2 },
      { limit: 2, offset: 1 },
    ] satisfies Partial<StoreSearch>[]) {
      const search = newSearch({ limit: 100, ...facts, where: where() });
      const label = JSON.stringify(search);
      const wanted = all.filter((task) => fits(search, task) && meets(search.where!, { task }));
      const sorted = inOrder(search, wanted).map(({ id }) => id);
      const found = (await tasksOf(world.store.searchTasks(search))).map(({ id }) => id);
      expect(found, label).toEqual(sorted.slice(search.offset, search.offset + search.limit));
      const real = wanted.filter(({ isDefinition }) => !isDefinition).length;
      expect(await countOf(world.store.countTasks(search)), label).toBe(real);
      if (found.length < 2) continue;
      const first = inOrder(search, wanted)[0]!;
      const after = { value: sortValueOf(search.sortBy, first) ?? null, id: first.id, backwards: false };
      const rest = await tasksOf(world.store.searchTasks({ ...search, offset: 0, after }));
      expect(
        rest.map(({ id }) => id),
        label,
      ).toEqual(sorted.slice(1, 1 + search.limit));
    }
  });

  test("what one of them has no part in is walked for", async () => {
    const plan = async (where: Condition) => (await world.store.explainSearch(newSearch({ where }))).source;
    expect(await plan(or(list(), { kind: "not", part: tagged }))).toBe("walk");
    expect(await plan(or(list(), named("idempotencyKey", "key 4")))).toBe("walk");
    expect(await plan({ kind: "not", part: list() })).toBe("walk");
  });

  test("the plan says which index", async () => {
    const plan = (where: Condition) => world.store.explainSearch(newSearch({ where }));
    expect(await plan(and(tagged, list()))).toMatchObject({ source: "id", of: "id", candidates: 3 });
    expect(await plan(begins("id", "own-1"))).toMatchObject({ source: "id", of: "id", candidates: 4 });
    expect(await plan(begins("idempotencyKey", "key"))).toMatchObject({ source: "id", candidates: 3 });
    const keys = await plan(named("idempotencyKey", "key 4", "key 8"));
    expect(keys).toMatchObject({ source: "id", of: "idempotencyKey", indexes: ["tasks_idempotency"] });
  });
});

function fits({ types, statuses, queues, created, definitions }: StoreSearch, task: Task): boolean {
  return (
    (!types || types.includes(task.type)) &&
    (!statuses || statuses.includes(task.status)) &&
    (!queues || queues.includes(task.queue!)) &&
    (created?.start === undefined || task.createdAt.getTime() >= created.start) &&
    (definitions || !task.isDefinition)
  );
}

function inOrder({ sortBy, descending }: StoreSearch, tasks: readonly Task[]): Task[] {
  const sign = descending ? -1 : 1;
  const placeAt = (task: Task) => (sortBy === "id" ? 0 : Number(sortValueOf(sortBy, task)));
  return tasks
    .filter((task) => sortBy === "id" || sortValueOf(sortBy, task) !== undefined)
    .toSorted((a, b) => sign * (placeAt(a) - placeAt(b) || compareText(a.id, b.id)));
}

/** Forty tasks, some of which have ended or run, and a definition without one. */
async function fill(world: World): Promise<string[]> {
  ok(await world.store.saveDefinitions([newDefinition("unused"), newDefinition("resize-image")]));
  const tasks = Array.from({ length: 40 }, (_, n) =>
    newTask({
      ...(n % 2 === 0 || n === 3 || n === 1 ? { id: `own-${n}`, ownId: true } : {}),
      type: n % 3 === 0 ? "resize-image" : "send-receipt",
      queue: n % 4 === 0 ? "slow" : "default",
      priority: n % 5,
      createdAt: startAt - 90_000 + n * 1_000,
      dueAt: startAt - 10_000 - n * 1_000,
      tags: n % 4 === 3 ? ["vip"] : undefined,
      idempotencyKey: n % 4 === 0 ? `key ${n % 12}` : undefined,
    }),
  ).filter(({ idempotencyKey, type }, n, them) => {
    const isFirst = (one: (typeof them)[number]) =>
      one.idempotencyKey === idempotencyKey && one.type === type;
    return idempotencyKey === undefined || them.findIndex(isFirst) === n;
  });
  await world.enqueue(...tasks);
  const claimed = await world.claim({ types: ["resize-image", "send-receipt"], limit: 20 });
  await world.clock.advance(500);
  for (const one of claimed.slice(0, 12)) await world.settle(one, "completed");
  return tasks.map(({ id }) => id);
}
