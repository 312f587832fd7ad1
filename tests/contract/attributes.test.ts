/** Attributes are found as `meets` says, whatever becomes of their tasks. */
import { expect, test } from "vitest";
import { lackingAttributes } from "../../server/tasks/core/attributes.ts";
import type { Comparable, Condition } from "../../server/tasks/core/filters/condition.ts";
import { toPlainFilters } from "../../server/tasks/core/filters/filter-condition.ts";
import { meets } from "../../server/tasks/core/filters/meets.ts";
import type { Attributes, StoreSearch } from "../../server/tasks/core/store.ts";
import { compareText } from "../../server/tasks/core/values/compare.ts";
import { newDefinition, newSearch, newTask, startAt } from "../support/builders.ts";
import { tasksOf } from "../support/found.ts";
import { ok, onEachStore, type World } from "../support/stores.ts";

const attribute = (name: string) => ({ of: "attribute", name }) as const;
const equals = (name: string, ...values: Comparable[]): Condition => ({
  kind: "equals",
  field: attribute(name),
  values,
});

const values: Attributes[] = [
  { userId: "u1", sizes: [1, 2, 1], wet: true },
  { userId: "u2", sizes: 2.5, wet: false },
  { userId: 1 },
  { userId: "1", sizes: [-1, 1e300, 0] },
  { userId: true },
  { userId: "한국어", sizes: -0 },
  { userId: ["u1", "u2", "한국"] },
  { userId: "" },
  { userId: "x\u0000y" },
  { userId: "한".repeat(1_000) },
  {},
];

const conditions: Condition[] = [
  equals("userId", "u1"),
  equals("userId", 1),
  equals("userId", "1", true),
  equals("userId", ""),
  equals("userId", "한국어"),
  equals("userId", "한".repeat(1_000)),
  equals("userId", "x\u0000y"),
  equals("wet", false),
  equals("sizes", 0, 1),
  equals("nothing", 1),
  { kind: "equals", field: attribute("wet"), values: [null] },
  { kind: "exists", field: attribute("sizes") },
  { kind: "prefix", field: attribute("userId"), prefix: "u" },
  { kind: "prefix", field: attribute("userId"), prefix: "한국" },
  { kind: "prefix", field: attribute("userId"), prefix: "" },
  { kind: "range", field: attribute("sizes"), from: { value: 1, isIncluded: false } },
  { kind: "range", field: attribute("sizes"), to: { value: 1, isIncluded: true } },
  { kind: "range", field: attribute("userId"), from: { value: "u1", isIncluded: true } },
  { kind: "range", field: attribute("userId"), to: { value: "u2", isIncluded: true } },
  {
    kind: "range",
    field: attribute("sizes"),
    from: { value: -1, isIncluded: true },
    to: { value: 2.5, isIncluded: false },
  },
  { kind: "not", part: equals("userId", "u1") },
  { kind: "or", parts: [equals("userId", "u2"), equals("wet", true)] },
  { kind: "and", parts: [equals("userId", "u1"), equals("sizes", 2)] },
];

/** Three tasks of each, in one instant, the next, and of another type. */
async function fill(world: World): Promise<Map<string, Attributes>> {
  const given = new Map<string, Attributes>();
  const tasks = values.flatMap((attributes, index) =>
    [0, 1, 2].map((copy) => {
      const task = newTask({
        createdAt: startAt - 1_000 * (index % 4),
        type: copy === 2 ? "send-receipt" : "resize-image",
        ...(copy === 1 && { id: `own-${index}` }),
        attributes,
      });
      given.set(task.id, attributes);
      return task;
    }),
  );
  await world.enqueue(...tasks);
  return given;
}

onEachStore("attributes", (world) => {
  /** What every condition finds, in this order and with these filters, is what it says of each task. */
  async function check(given: Map<string, Attributes>, facts: Partial<StoreSearch> = {}): Promise<void> {
    const search = newSearch({ limit: 1_000, ...facts });
    const all = await tasksOf(world.store.searchTasks(search));
    for (const where of conditions) {
      const found = await tasksOf(world.store.searchTasks({ ...search, where }));
      const wanted = all.filter((task) => meets(where, { task, attributes: given.get(task.id) ?? {} }));
      expect(
        found.map(({ id }) => id),
        JSON.stringify({ where, facts }).slice(0, 300),
      ).toEqual(wanted.map(({ id }) => id));
      expect(await world.store.countTasks({ ...search, where })).toEqual({
        count: wanted.length,
        errorMax: 0,
      });
    }
  }

  test("every condition finds the tasks that meet it, in every order", async () => {
    const given = await fill(world);
    await check(given);
    await check(given, { descending: false });
    await check(given, { sortBy: "id" });
    await check(given, { sortBy: "updatedAt", types: ["resize-image"] });
    await check(given, { created: { start: startAt - 2_000, end: startAt } });
  }, 60_000);

  test("half of a character is kept as U+FFFD, and found by what was given", async () => {
    const task = newTask({ attributes: { userId: "a\ud83d", sizes: ["\\ud83d", "\ude00b", 1] } });
    await world.enqueue(task, newTask({ attributes: { userId: "a" } }));
    const kept = { userId: "a\ufffd", sizes: new Set(["\\ud83d", "\ufffdb", 1]) };
    const [[, { userId, sizes }]] = (await world.store.readAttributes([task.id])) as [[string, Attributes]];
    expect({ userId, sizes: new Set([sizes].flat()) }).toEqual(kept);
    for (const match of ["a\ud83d", "a\ufffd", { prefix: "a\ude00" }, { contains: "A\ud83d" }]) {
      const { where } = toPlainFilters("searchTasks(options)", { attributes: { userId: match } });
      const found = await tasksOf(world.store.searchTasks(newSearch({ where: where! })));
      expect(
        found.map(({ id }) => id),
        JSON.stringify(match),
      ).toEqual([task.id]);
    }
  });

  test("they follow their tasks to every end and back", async () => {
    const given = await fill(world);
    const outcomes = ["completed", "completed", "failed", "cancelled", "timed-out", "released"] as const;
    const claimed = await world.claim({ limit: 14 });
    for (const [index, one] of claimed.slice(0, 12).entries()) {
      const outcome = outcomes[index % outcomes.length]!;
      const added = outcome === "completed" && index % 2 === 1 ? { sizes: [7, 2] } : undefined;
      await world.settle(one, outcome, added ? { attributes: added } : {});
      if (added) {
        const before = given.get(one.task.id)!;
        const sizes = [before.sizes ?? [], added.sizes].flat() as number[];
        given.set(one.task.id, { ...before, sizes });
      }
    }
    await check(given);
    await check(given, { statuses: ["COMPLETED"] });
    await check(given, { statuses: ["FAILED", "RUNNING"] });
    await check(given, { statuses: ["PENDING"] });
    const failed = await tasksOf(world.store.searchTasks(newSearch({ statuses: ["FAILED", "CANCELLED"] })));
    const [first, second] = failed;
    ok(await world.store.retryTask(first!.id));
    ok(await world.store.deleteTask(second!.id));
    const pending = await tasksOf(world.store.searchTasks(newSearch({ statuses: ["PENDING"] })));
    ok(await world.store.cancelTask(pending[0]!.id));
    await world.bury();
    await world.clock.advance(5_000);
    ok(await world.store.pruneTasks({ status: "COMPLETED", before: world.clock.now(), limit: 3 }));
    await check(given);
    await check(given, { statuses: ["CANCELLED", "FAILED"], sortBy: "id" });
  }, 60_000);

  test("pages follow one another, forwards and backwards", async () => {
    await fill(world);
    const where = equals("userId", "u1", "u2");
    const all = await tasksOf(world.store.searchTasks(newSearch({ where, limit: 100 })));
    expect(all.length).toBe(9);
    for (const [at, { id, createdAt }] of all.entries()) {
      const place = { value: createdAt.getTime(), id };
      const next = newSearch({ where, limit: 2, after: { ...place, backwards: false } });
      expect(await tasksOf(world.store.searchTasks(next))).toEqual(all.slice(at + 1, at + 3));
      const before = newSearch({ where, limit: 2, after: { ...place, backwards: true } });
      const found = await tasksOf(world.store.searchTasks(before));
      expect(found).toEqual(all.slice(Math.max(0, at - 2), at).reverse());
    }
  });

  test("many of one value come in order", async () => {
    const tasks = Array.from({ length: 1_500 }, (_, index) =>
      newTask({ createdAt: startAt - (index % 100), attributes: { tenant: index % 10 === 0 ? "b" : "a" } }),
    );
    const parts = (async function* () {
      for (let at = 0; at < tasks.length; at += 310) yield tasks.slice(at, at + 310);
    })();
    ok(await world.store.enqueueTasks(parts));
    const wanted = tasks
      .filter(({ attributes }) => attributes!.tenant === "a")
      .sort((a, b) => b.createdAt - a.createdAt || compareText(b.id, a.id))
      .map(({ id }) => id);
    const where = equals("tenant", "a");
    const found = await tasksOf(world.store.searchTasks(newSearch({ where, limit: 10, offset: 1_200 })));
    expect(found.map(({ id }) => id)).toEqual(wanted.slice(1_200, 1_210));
    expect(await world.store.countTasks(newSearch({ where }))).toEqual({ count: 1_350, errorMax: 0 });
  });

  test("a refused batch leaves no values behind", async () => {
    await world.enqueue(newTask({ id: "a", attributes: { userId: "u1" } }));
    const bad = newTask({ id: "a", payload: 2, attributes: { userId: "u9" } });
    const batch = [newTask({ attributes: { userId: "u9", other: 1 } }), bad];
    expect((await world.store.enqueueTasks(batch)).kind).toBe("rejected");
    expect(await world.store.countTasks(newSearch({ where: equals("userId", "u9") }))).toMatchObject({
      count: 0,
    });
    await world.enqueue(newTask({ attributes: { other: 1 } }));
    expect(await world.store.countTasks(newSearch({ where: equals("other", 1) }))).toMatchObject({
      count: 1,
    });
  });

  test("they move with their tasks", async () => {
    const given = await fill(world);
    const records = await world.store.readRecords({ limit: 100 });
    expect(new Map(records.map(({ id, attributes }) => [id, attributes ?? {}])).get("own-1")).toEqual(
      given.get("own-1"),
    );
    for (const { id } of records) {
      ok(await world.store.cancelTask(id));
      ok(await world.store.deleteTask(id));
    }
    ok(await world.store.writeRecords(records));
    await check(given);
  }, 60_000);

  test("what a definition has gained is filled in for older tasks", async () => {
    ok(await world.store.saveDefinitions([{ ...newDefinition(), attributes: ["userId"] }]));
    const types = ["resize-image", "send-receipt"];
    expect(await world.store.readUnfilled({ types, limit: 10 })).toEqual([]);
    for (let user = 0; user < 25; user++) {
      await world.enqueue(
        newTask({ createdAt: startAt - user, payload: { user }, attributes: { userId: `u${user}` } }),
      );
    }
    await world.settle((await world.claim({ limit: 1 }))[0]!, "completed");
    await world.claim({ limit: 1 });
    ok(await world.store.saveDefinitions([{ ...newDefinition(), attributes: ["userId", "user"] }]));
    const byUser = newSearch({ where: equals("user", 0) });
    expect(await world.store.searchTasks(byUser)).toMatchObject({ tasks: [], unfilled: 25 });
    expect(await world.store.countTasks(byUser)).toEqual({ count: 0, errorMax: 25, unfilled: 25 });
    expect(await world.store.explainSearch(byUser)).toMatchObject({ unfilled: 25 });
    expect(await world.store.searchTasks({ ...byUser, types: ["send-receipt"] })).not.toHaveProperty(
      "unfilled",
    );
    const byOther = newSearch({ where: equals("userId", "u3") });
    expect(await world.store.searchTasks(byOther)).not.toHaveProperty("unfilled");
    const seen = new Set<string>();
    for (let round = 0; round < 10; round++) {
      // The newest have been filled in: a page that needs no others is whole.
      const newest = { start: startAt - 8 };
      const ofNewest = await world.store.searchTasks({ ...byUser, created: newest });
      if (round === 1) expect(ofNewest).toMatchObject({ tasks: [{ payload: { user: 0 } }] });
      expect(ofNewest.unfilled !== undefined).toBe(round === 0);
      const firstOne = await world.store.searchTasks({ ...byUser, limit: 1 });
      expect(firstOne.unfilled !== undefined).toBe(round === 0);
      const unfilled = await world.store.readUnfilled({ types, limit: 10 });
      if (unfilled.length === 0) break;
      expect((await world.store.stats()).filling).toHaveLength(1);
      for (const { task, attributes } of unfilled) {
        expect(attributes).toEqual(["user"]);
        seen.add(task.id);
      }
      const filled = unfilled.map(({ ref, task }) => ({
        ref,
        attributes: (task.payload.user % 2 === 0 ? { user: task.payload.user } : {}) as Attributes,
      }));
      ok(await world.store.writeAttributes(filled));
    }
    expect(seen.size).toBe(25);
    expect(await world.store.readUnfilled({ types, limit: 10 })).toEqual([]);
    expect((await world.store.stats()).filling).toEqual([]);
    expect(await world.store.searchTasks(byUser)).not.toHaveProperty("unfilled");
    expect(await world.store.explainSearch(byUser)).not.toHaveProperty("unfilled");
    const where = equals("user", 0, 1, 2, 24);
    const found = await tasksOf(world.store.searchTasks(newSearch({ where })));
    expect(found.map(({ payload }) => payload.user)).toEqual([0, 2, 24]);
    const kept = newSearch({ where: equals("userId", "u3") });
    expect(await world.store.countTasks(kept)).toMatchObject({ count: 1 });
    expect((await world.store.listDefinitions())[0]!.attributes).toEqual(["userId", "user"]);
  });

  test("who lacks them is told, found by workers of its type, and supplied once", async () => {
    const types = ["resize-image", "send-receipt"];
    ok(await world.store.saveDefinitions([{ ...newDefinition(), attributes: ["user", "sent"] }]));
    const firstAt = startAt - 100;
    const lacking = (user: number, more: object = {}) =>
      newTask({ createdAt: firstAt + user, payload: { user }, attributes: lackingAttributes, ...more });
    await world.enqueue(newTask({ createdAt: firstAt - 1, payload: { user: 7 }, attributes: { user: 7 } }));
    await world.enqueue(...Array.from({ length: 12 }, (_, user) => lacking(user)));
    await world.enqueue(lacking(20, { id: "own", ownId: true, queue: "slow", dueAt: startAt + 3_600_000 }));
    const byUser = newSearch({ where: equals("user", 7) });
    const search = async (more: object = {}) => {
      const { tasks, unfilled = 0 } = await world.store.searchTasks({ ...byUser, ...more });
      return [tasks.length, unfilled];
    };
    expect(await search()).toEqual([1, 13]);
    expect(await search({ limit: 1, created: { end: firstAt } })).toEqual([1, 0]);
    expect(await search({ created: { start: firstAt + 10 } })).toEqual([0, 3]);
    expect(await search({ statuses: ["FAILED"] })).toEqual([0, 0]);
    expect(await search({ types: ["send-receipt"] })).toEqual([0, 0]);
    expect(await search({ where: equals("userId", 7) })).toEqual([0, 0]);
    expect(await world.store.countTasks(byUser)).toEqual({ count: 1, errorMax: 13, unfilled: 13 });
    expect(await world.store.explainSearch(byUser)).toMatchObject({ unfilled: 13 });
    expect((await world.store.stats()).filling).toEqual([{ type: "resize-image", tasks: 13 }]);
    expect(await world.store.readUnfilled({ types: ["send-receipt"], limit: 5 })).toEqual([]);

    const [, done, failed, gone] = await world.claim({ limit: 5 });
    await world.settle(done!, "completed", { attributes: { user: done!.task.payload.user, sent: true } });
    await world.settle(failed!, "failed");
    await world.settle(gone!, "failed");
    ok(await world.store.deleteTask(gone!.task.id));
    expect(await search({ statuses: ["FAILED"] })).toEqual([0, 1]);
    expect(await search()).toEqual([1, 12]);
    const copied = (await world.store.readRecords({ ids: ["own"] }))[0]!;
    ok(await world.store.cancelTask("own"));
    ok(await world.store.deleteTask("own"));
    ok(await world.store.writeRecords([copied]));

    const supplied: string[] = [];
    for (;;) {
      const unfilled = await world.store.readUnfilled({ types, limit: 5 });
      if (unfilled.length === 0) break;
      supplied.push(...unfilled.map(({ task }) => task.id));
      const filled = unfilled.map(({ ref, task: { payload }, attributes }) => {
        expect(attributes).toEqual(["user", "sent"]);
        return { ref, attributes: (payload.user < 20 ? { user: payload.user } : {}) as Attributes };
      });
      ok(await world.store.writeAttributes(filled));
      ok(await world.store.writeAttributes(filled));
    }
    expect(new Set(supplied).size).toBe(supplied.length);
    expect(supplied).toHaveLength(12);
    expect(supplied).toEqual(expect.arrayContaining(["own", done!.task.id, failed!.task.id]));
    expect(await search()).toEqual([2, 0]);
    expect(await world.store.countTasks(newSearch({ where: equals("user", 1, 2, 3, 11) }))).toEqual({
      count: [1, 2, 3, 11].filter((user) => user !== gone!.task.payload.user).length,
      errorMax: 0,
    });
    expect(await search({ statuses: ["FAILED"], where: equals("user", failed!.task.payload.user) })).toEqual([
      1, 0,
    ]);
    expect(await world.store.readAttributes(["own", done!.task.id])).toEqual([
      [done!.task.id, { user: done!.task.payload.user, sent: true }],
    ]);
    expect((await world.store.stats()).filling).toEqual([]);
    const findings = await world.store.checkHealth({ full: true });
    expect(findings.find(({ check }) => check === "attributes")).toMatchObject({ level: "ok" });
  });

  test("that it lacks them is no attribute of a task", async () => {
    ok(await world.store.saveDefinitions([{ ...newDefinition(), attributes: ["user"] }]));
    await world.enqueue(newTask({ attributes: lackingAttributes }));
    const [claimed] = await world.claim({ limit: 1 });
    await world.settle(claimed!, "completed");
    expect(await world.store.readAttributes([claimed!.task.id])).toEqual([]);
    const [archived] = await world.store.readPrunable({ status: "COMPLETED", limit: 1 });
    expect(archived).toHaveProperty("task.id", claimed!.task.id);
    expect(archived).not.toHaveProperty("attributes");
  });
});
