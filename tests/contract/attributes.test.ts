/** Attributes: found by their values, whatever becomes of their tasks, and filled in for the tasks before. */
import { describe, expect, test } from "vitest";
import type { Comparable, Condition } from "../../server/tasks/core/condition.ts";
import type { Attributes, NewTask, StoreSearch } from "../../server/tasks/core/store.ts";
import { newDefinition, newSearch, newTask, settlementOf } from "../support/builders.ts";
import { countOf, tasksOf } from "../support/found.ts";
import { detailsOf, ok, onEachStore, type World } from "../support/stores.ts";

const attribute = (name: string) => ({ of: "attribute", name }) as const;
const equals = (name: string, ...values: (Comparable | null)[]): Condition => ({
  kind: "equals",
  field: attribute(name),
  values,
});
const range = (name: string, from?: string | number, to?: string | number): Condition => ({
  kind: "range",
  field: attribute(name),
  ...(from !== undefined && { from: { value: from, isIncluded: true } }),
  ...(to !== undefined && { to: { value: to, isIncluded: false } }),
});

function taskWith(id: string, attributes: Attributes | undefined, facts: Partial<NewTask> = {}): NewTask {
  return { ...newTask({ id }), ...(attributes && { attributes }), ...facts };
}

async function idsOf(world: World, where: Condition, more: Partial<StoreSearch> = {}): Promise<string[]> {
  const search = newSearch({ where, definitions: false, ...more });
  const found = (await tasksOf(world.store.searchTasks(search))).map(({ id }) => id);
  if (search.offset === 0 && found.length < search.limit) {
    expect(await countOf(world.store.countTasks(search))).toBe(found.length);
  }
  return found;
}

/** Sorted, where the order is not what matters. */
async function setOf(world: World, where: Condition, more: Partial<StoreSearch> = {}): Promise<string[]> {
  return (await idsOf(world, where, more)).sort();
}

onEachStore("searching by attributes", (world) => {
  test("values of different types differ, and a list has each of its items", async () => {
    await world.enqueue(
      taskWith("a", { value: "1" }),
      taskWith("b", { value: 1 }),
      taskWith("c", { value: true }),
      taskWith("d", { value: ["1", 2, false] }),
      taskWith("e", { other: "1" }),
      taskWith("f", undefined),
    );
    expect(await setOf(world, equals("value", "1"))).toEqual(["a", "d"]);
    expect(await setOf(world, equals("value", 1))).toEqual(["b"]);
    expect(await setOf(world, equals("value", true, false))).toEqual(["c", "d"]);
    expect(await setOf(world, equals("value", 3))).toEqual([]);
    expect(await setOf(world, equals("value", null))).toEqual(["e", "f"]);
    expect(await setOf(world, equals("value", 1, null))).toEqual(["b", "e", "f"]);
    expect(await setOf(world, { kind: "not", part: equals("value", "1") })).toEqual(["b", "c", "e", "f"]);
    expect(await setOf(world, { kind: "exists", field: attribute("value") })).toEqual(["a", "b", "c", "d"]);
    expect(await setOf(world, equals("unknown", "1"))).toEqual([]);
  });

  test("ranges are of one type, prefixes of texts, and text in it whatever its case", async () => {
    const numbers = [-2.5, -1, 0, 0.5, 3, 20, 1e21];
    await world.enqueue(
      ...numbers.map((value, at) => taskWith(`n${at}`, { value })),
      taskWith("s0", { value: "Seoul" }),
      taskWith("s1", { value: "서울시 강남구" }),
      taskWith("s2", { value: "b".repeat(1_000) }),
    );
    expect(await setOf(world, range("value", -1, 3))).toEqual(["n1", "n2", "n3"]);
    expect(await setOf(world, range("value", 3))).toEqual(["n4", "n5", "n6"]);
    expect(await setOf(world, range("value", undefined, 0))).toEqual(["n0", "n1"]);
    expect(await setOf(world, range("value", "S", "T"))).toEqual(["s0"]);
    expect(await setOf(world, range("value", "b".repeat(999), "b".repeat(1_001)))).toEqual(["s2"]);
    expect(await setOf(world, range("value", undefined, "b".repeat(1_000)))).toEqual(["s0"]);
    const prefix = (text: string): Condition => ({ kind: "prefix", field: attribute("value"), prefix: text });
    expect(await setOf(world, prefix("서울"))).toEqual(["s1"]);
    expect(await setOf(world, prefix("b".repeat(900)))).toEqual(["s2"]);
    expect(await setOf(world, prefix(`${"b".repeat(900)}c`))).toEqual([]);
    expect(await setOf(world, { kind: "contains", field: attribute("value"), text: "강남" })).toEqual(["s1"]);
    expect(await setOf(world, { kind: "contains", field: attribute("value"), text: "seo" })).toEqual(["s0"]);
  });

  test("with types, statuses, queues and times, in every order, in pages", async () => {
    for (let at = 0; at < 30; at += 1) {
      const createdAt = world.clock.now();
      await world.enqueue(
        taskWith(
          `t${String(at).padStart(2, "0")}`,
          { user: at % 3, at },
          {
            type: at % 2 ? "resize-image" : "send-receipt",
            queue: at % 5 ? "default" : "slow",
            priority: at % 4,
            createdAt,
            dueAt: createdAt,
          },
        ),
      );
      if (at % 3) await world.clock.advance(1_000);
    }
    const all = Array.from({ length: 30 }, (_, at) => `t${String(at).padStart(2, "0")}`);
    const fits = (test: (at: number) => boolean) => all.filter((_, at) => test(at));
    const user = equals("user", 1);
    expect(await idsOf(world, user)).toEqual(fits((at) => at % 3 === 1).reverse());
    expect(await idsOf(world, user, { descending: false })).toEqual(fits((at) => at % 3 === 1));
    expect(await setOf(world, user, { types: ["resize-image"] })).toEqual(
      fits((at) => at % 3 === 1 && at % 2 === 1),
    );
    expect(await setOf(world, user, { queues: ["slow"] })).toEqual(
      fits((at) => at % 3 === 1 && at % 5 === 0),
    );
    expect(await setOf(world, user, { statuses: ["COMPLETED"] })).toEqual([]);
    const both: Condition = { kind: "and", parts: [equals("user", 1, 2), range("at", 10, 20)] };
    expect(await idsOf(world, both)).toEqual(fits((at) => at % 3 !== 0 && at >= 10 && at < 20).reverse());
    const either: Condition = { kind: "or", parts: [user, range("at", 25)] };
    expect(await idsOf(world, either)).toEqual(fits((at) => at % 3 === 1 || at >= 25).reverse());
    expect(await idsOf(world, user, { sortBy: "id", limit: 3, offset: 2 })).toEqual(
      fits((at) => at % 3 === 1)
        .reverse()
        .slice(2, 5),
    );
    const byPriority = fits((at) => at % 3 === 1).sort(
      (a, b) => (Number(b.slice(1)) % 4) - (Number(a.slice(1)) % 4) || (a < b ? 1 : -1),
    );
    expect(await idsOf(world, user, { sortBy: "priority" })).toEqual(byPriority);
    const first = await tasksOf(world.store.searchTasks(newSearch({ where: user, limit: 4 })));
    const last = first.at(-1)!;
    const after = { value: last.createdAt.getTime(), id: last.id, backwards: false };
    expect(await idsOf(world, user, { after, limit: 4 })).toEqual(
      fits((at) => at % 3 === 1)
        .reverse()
        .slice(4, 8),
    );
    const start = first[2]!.createdAt.getTime();
    expect(await setOf(world, user, { created: { start } })).toEqual(fits((at) => at % 3 === 1).slice(-3));
  });

  test("a value is found in the status that its task has now", async () => {
    await world.enqueue(...["a", "b", "c", "d"].map((id) => taskWith(id, { user: "u1" })));
    const found = async () => ({
      pending: await setOf(world, equals("user", "u1"), { statuses: ["PENDING"] }),
      running: await setOf(world, equals("user", "u1"), { statuses: ["RUNNING"] }),
      ended: await setOf(world, equals("user", "u1"), { statuses: ["COMPLETED", "FAILED", "CANCELLED"] }),
    });
    expect(await found()).toEqual({ pending: ["a", "b", "c", "d"], running: [], ended: [] });
    const [first, second] = await world.claim({ limit: 2 });
    const running = [first!.task.id, second!.task.id].sort();
    const pending = ["a", "b", "c", "d"].filter((id) => !running.includes(id));
    expect(await found()).toEqual({ pending, running, ended: [] });
    await world.settle(first!, "completed", { attributes: { total: 7 } });
    await world.settle(second!, "failed");
    ok(await world.store.cancelTask(pending[0]!));
    expect(await found()).toEqual({
      pending: [pending[1]],
      running: [],
      ended: [...running, pending[0]].sort(),
    });
    expect(await setOf(world, equals("total", 7))).toEqual([first!.task.id]);
    ok(await world.store.retryTask(pending[0]!));
    expect((await found()).pending).toEqual([...pending].sort());
    ok(await world.store.deleteTask(first!.task.id));
    expect((await found()).ended).toEqual([second!.task.id]);
  });

  test("tasks of dead workers, released ones and pruned ones", async () => {
    await world.enqueue(
      taskWith("a", { user: 1 }),
      taskWith("b", { user: 1 }, { rerunAfterCrash: false }),
      taskWith("c", { user: 1 }),
    );
    const claimed = await world.claim();
    const released = claimed.find(({ task }) => task.id === "c")!;
    await world.settle(released, "released");
    await world.bury();
    expect(await setOf(world, equals("user", 1), { statuses: ["PENDING"] })).toEqual(["a", "c"]);
    expect(await setOf(world, equals("user", 1), { statuses: ["FAILED"] })).toEqual(["b"]);
    ok(await world.store.pruneTasks({ status: "FAILED", before: world.clock.now() + 1, limit: 10 }));
    expect(await setOf(world, equals("user", 1))).toEqual(["a", "c"]);
  });

  test("a task that was stored before keeps what it has", async () => {
    const task = taskWith("a", { user: 1 });
    await world.enqueue(task);
    expect(ok(await world.store.enqueueTasks([task, taskWith("b", { user: 1 })]))).toHaveLength(2);
    expect(await setOf(world, equals("user", 1))).toEqual(["a", "b"]);
  });

  test("records move with their attributes", async () => {
    const attributes = { user: "u1", sizes: [1, 2.5], wet: false, long: "한".repeat(1_000) };
    await world.enqueue(taskWith("a", attributes));
    const records = await world.store.readRecords({ limit: 10 });
    expect(records[0]!.attributes).toEqual(attributes);
    ok(await world.store.writeRecords([{ ...records[0]!, id: "moved" }]));
    expect(await setOf(world, equals("sizes", 2.5))).toEqual(["a", "moved"]);
    expect(await setOf(world, equals("long", attributes.long))).toEqual(["a", "moved"]);
  });
});

onEachStore("readUnfilled and writeAttributes", (world) => {
  const types = ["resize-image"];

  /** As a worker does it; answers how many were looked through. */
  async function fill(limit = 2): Promise<number> {
    for (let count = 0; ; ) {
      const unfilled = await world.store.readUnfilled({ types, limit });
      if (unfilled.length === 0) return count;
      count += unfilled.length;
      const filled = unfilled.map(({ ref, task, attributes }) => {
        expect(attributes).toEqual(["widthPx"]);
        const { widthPx } = task.payload as { widthPx?: number };
        return { ref, attributes: (widthPx === undefined ? {} : { widthPx }) as Attributes };
      });
      ok(await world.store.writeAttributes(filled));
    }
  }

  const declare = async (...attributes: string[]) =>
    ok(await world.store.saveDefinitions([{ ...newDefinition(), attributes }]));

  test("a definition tells its attributes", async () => {
    await declare("user", "widthPx");
    const [definition] = await world.store.listDefinitions();
    expect(definition!.attributes).toEqual(["user", "widthPx"]);
  });

  describe("an attribute that a definition gains", () => {
    test("is filled in for the tasks before, whatever their status", async () => {
      ok(await world.store.saveDefinitions([newDefinition()]));
      const tasks = Array.from({ length: 7 }, (_, at) => newTask({ id: `t${at}`, payload: { widthPx: at } }));
      await world.enqueue(...tasks, newTask({ id: "none", payload: {}, priority: -5 }));
      const [first, running] = await world.claim({ limit: 2 });
      await world.settle(first!, "completed");
      expect(await world.store.readUnfilled({ types, limit: 10 })).toEqual([]);
      await declare("widthPx");
      expect(await world.store.readUnfilled({ types: ["send-receipt"], limit: 10 })).toEqual([]);
      expect(await fill()).toBe(8);
      expect(await fill()).toBe(0);
      expect(await setOf(world, range("widthPx", 0))).toEqual(tasks.map(({ id }) => id));
      await world.settle(running!, "completed");
      const ended = [first!.task.id, running!.task.id].sort();
      expect(await setOf(world, range("widthPx", 0), { statuses: ["COMPLETED"] })).toEqual(ended);
      for (const id of ended) ok(await world.store.deleteTask(id));
      expect(await setOf(world, range("widthPx", 0))).toHaveLength(5);
    });

    test("is filled in once, and a task that has it keeps it", async () => {
      await world.enqueue(newTask({ id: "before", payload: { widthPx: 1 } }));
      await declare("widthPx");
      await world.enqueue(taskWith("after", { widthPx: 640 }));
      await fill();
      await declare("widthPx");
      expect(await fill()).toBe(0);
      expect(await setOf(world, equals("widthPx", 1, 640))).toEqual(["after", "before"]);
    });

    test("what was read and not written comes again", async () => {
      await world.enqueue(newTask({ id: "a", payload: { widthPx: 1 } }));
      await declare("widthPx");
      expect(await world.store.readUnfilled({ types, limit: 10 })).toHaveLength(1);
      expect(await fill()).toBe(1);
    });
  });

  test("a task that is gone meanwhile is passed over", async () => {
    await world.enqueue(
      newTask({ id: "a", payload: { widthPx: 1 } }),
      newTask({ id: "b", payload: { widthPx: 1 } }),
    );
    await declare("widthPx");
    const unfilled = await world.store.readUnfilled({ types, limit: 10 });
    ok(await world.store.cancelTask("a"));
    const deleted = await world.store.deleteTask("a");
    expect(detailsOf(deleted)).toBeUndefined();
    ok(await world.store.writeAttributes(unfilled.map(({ ref }) => ({ ref, attributes: { widthPx: 1 } }))));
    expect(await setOf(world, equals("widthPx", 1))).toEqual(["b"]);
  });

  test("results give theirs only when they complete a task", async () => {
    await world.enqueue(taskWith("a", { user: 1 }, { maxAttempts: 2 }));
    const [claimed] = await world.claim();
    ok(
      await world.store.settleTasks([
        settlementOf(claimed!, "failed", { retryAt: world.clock.now(), attributes: { total: 1 } }),
      ]),
    );
    expect(await setOf(world, equals("total", 1))).toEqual([]);
    const [again] = await world.claim();
    await world.settle(again!, "completed", { attributes: { total: 2 } });
    expect(await setOf(world, equals("total", 2))).toEqual(["a"]);
  });
});
