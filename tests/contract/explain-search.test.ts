/** Which way a search is served: what the plan says is what the search does. */
import { beforeEach, expect, test } from "vitest";
import type { Condition } from "../../server/tasks/core/filters/condition.ts";
import type { StoreSearch } from "../../server/tasks/core/store.ts";
import { searchableText } from "../../server/tasks/core/values/searchable-text.ts";
import { newDefinition, newSearch, newTask, someError, startAt } from "../support/builders.ts";
import { ok, onEachLastingStore, type World } from "../support/stores.ts";

const equals = (
  field: Extract<Condition, { kind: "equals" }>["field"],
  value: string | number,
): Condition => ({
  kind: "equals",
  field,
  values: [value],
});
const user7 = equals({ of: "attribute", name: "userId" }, 7);
const width: Condition = {
  kind: "range",
  field: { of: "payload", path: ["widthPx"] },
  from: { value: 600, isIncluded: true },
};
const timedOut: Condition = { kind: "text", text: "etimedout" };
const both = (...parts: Condition[]): Condition => ({ kind: "and", parts });

onEachLastingStore("explainSearch", (world) => {
  const plan = (facts: Partial<StoreSearch>) => world.store.explainSearch(newSearch(facts));

  beforeEach(() => fill(world));

  test("an id is one look", async () => {
    expect(await plan({ id: "task-7" })).toMatchObject({ source: "id", candidates: 1, isSorted: false });
    expect(await plan({ id: "task-7", where: width })).toMatchObject({ source: "id", candidates: 1 });
  });

  test.each<[Partial<StoreSearch>, RegExp]>([
    [{ types: ["resize-image"] }, /created|fresh/],
    [{ types: ["resize-image"], sortBy: "updatedAt" }, /updated|fresh|created/],
    [{ types: ["send-receipt"], sortBy: "id" }, /own_id|created|fresh|tasks_pkey/],
    [{ statuses: ["COMPLETED"] }, /created/],
    [{ statuses: ["COMPLETED"], sortBy: "updatedAt" }, /updated/],
  ])("filters and an order that indexes have are read from them: %j", async (facts, index) => {
    const found = await plan({ ...facts, limit: 5 });
    expect(found).toMatchObject({ source: "order", candidates: 5, isSorted: false });
    expect(found.indexes.join(" ")).toMatch(index);
  });

  test("a list of all is read from the index of ids, and reads no more than there is", async () => {
    const found = await plan({ limit: 10_000 });
    expect(found).toMatchObject({ source: "order", candidates: 60 });
    expect(found.indexes).not.toEqual([]);
  });

  test("an attribute is found by its index, together with what is not", async () => {
    for (const where of [user7, both(width, user7), both(user7, { kind: "not", part: width })]) {
      const found = await plan({ where });
      expect(found).toMatchObject({ source: "attributes", of: "attribute userId", candidates: 3 });
      expect(found.indexes.join()).toMatch(/^attributes/);
      expect((await world.store.searchTasks(newSearch({ where: user7 }))).tasks).toHaveLength(3);
    }
  });

  test("the rarer of an attribute and a text leads", async () => {
    expect(await plan({ where: both(timedOut, user7) })).toMatchObject({ source: "attributes" });
  });

  test("a text is found by its index", async () => {
    const found = await plan({ where: timedOut });
    expect(found).toMatchObject({ source: "texts" });
    expect(found.indexes.join()).toMatch(/^texts/);
  });

  test("a group of errors is found by the text that its messages share", async () => {
    const claimed = await world.claim({ limit: 6 });
    for (const [place, one] of claimed.entries()) {
      const message =
        place < 4 ? `mailbox ${place} has been full for days` : `printer ${place} has been full for days`;
      await world.settle(one, "failed", { error: { ...someError, message } });
      // Two are found though their texts wait to be indexed.
      if (place === 1) await index(world);
    }
    const where: Condition = {
      kind: "group",
      field: { of: "task", name: "error" },
      fingerprint: "mailbox … has been full for days",
    };
    const found = await plan({ where });
    expect(found).toMatchObject({ source: "texts", of: "full text" });
    const tasks = (await world.store.searchTasks(newSearch({ where }))).tasks;
    const wanted = claimed.slice(0, 4).map(({ task }) => task.id);
    expect(tasks.map(({ id }) => id).sort()).toEqual(wanted.sort());
  });

  test("a rare value at a path that is not declared is found by the texts", async () => {
    await world.enqueue(newTask({ id: "printed", payload: { order: { number: 4711 }, widthPx: 640 } }));
    await index(world);
    const where = equals({ of: "payload", path: ["order", "number"] }, 4711);
    for (const asked of [where, both(width, where)]) {
      expect(await plan({ where: asked })).toMatchObject({ source: "texts", of: "full text", candidates: 1 });
      const { tasks } = await world.store.searchTasks(newSearch({ where: asked }));
      expect(tasks.map(({ id }) => id)).toEqual(["printed"]);
    }
  });

  test.each<[string, Condition]>([
    ["a path that is not declared", width],
    ["a text of two characters", { kind: "text", text: "et" }],
    ["an attribute that must not be there", { kind: "not", part: user7 }],
    ["an attribute or something else", { kind: "or", parts: [user7, width] }],
  ])("%s is walked for", async (_what, where) => {
    const found = await plan({ where, types: ["resize-image"] });
    expect(found).toMatchObject({ source: "walk", candidates: 30, isSorted: false });
    expect(found.indexes).not.toEqual([]);
  });

  test("RUNNING tasks are few: they are looked at one by one", async () => {
    await world.claim({ limit: 2 });
    expect(await plan({ where: user7, statuses: ["RUNNING"] })).toMatchObject({
      source: "walk",
      candidates: 2,
    });
  });

  test("an order of which nothing tells where its first tasks are sorts all that pass the filters", async () => {
    const where: Condition = { kind: "text", text: "re" };
    expect(await plan({ sortBy: "relevance", types: ["send-receipt"], where })).toMatchObject({
      ...{ source: "walk", candidates: 30, isSorted: true },
    });
  });

  test.each<[string, Partial<StoreSearch>, string]>([
    ["an attribute", { where: user7, sortBy: "duration" }, "attributes"],
    ["an attribute", { where: user7, sortBy: "priority" }, "attributes"],
    ["a text", { where: timedOut, sortBy: "relevance" }, "texts"],
    ["a text", { where: timedOut, sortBy: "startedAt" }, "texts"],
  ])("what %s finds is sorted where its index has another order: %j", async (_what, facts, source) => {
    const found = await plan(facts);
    expect(found).toMatchObject({ source, isSorted: true });
    expect(found.candidates).toBeLessThan(20);
  });

  test("by start and by due time, what is answered is read", async () => {
    for (const [sortBy, index] of [
      ["startedAt", "tasks_started"],
      ["dueAt", "tasks_due"],
    ] as const) {
      const found = await plan({ sortBy, limit: 5 });
      expect(found).toMatchObject({ source: "order", candidates: 5, isSorted: false });
      expect(found.indexes).toContain(index);
    }
  });

  test("those that started within a range are gathered", async () => {
    const field = { of: "task", name: "startedAt" } as const;
    const [from, to] = [startAt, startAt + 3_600_000].map((value) => ({ value, isIncluded: true }));
    const found = await plan({ where: { kind: "range", field, from: from!, to: to! } });
    expect(found).toMatchObject({ source: "walk", of: "startedAt", candidates: 30, isSorted: false });
    expect(found.indexes).toContain("tasks_started");
  });

  test("by how long they ran, as far as an index has that", async () => {
    const slowest = await plan({ sortBy: "duration" });
    // PostgreSQL has an index of all.
    expect(["slow tasks_slow", "order tasks_duration"]).toContain(`${slowest.source} ${slowest.indexes[0]}`);
    const field = { of: "task", name: "duration" } as const;
    const where: Condition = { kind: "range", field, from: { value: 5_000, isIncluded: true } };
    const found = await plan({ where });
    expect(found).toMatchObject({ source: "slow", candidates: 15 });
  });
});

/** 30 of each type, half of them COMPLETED; every tenth of user 7; texts indexed. */
async function fill(world: World): Promise<void> {
  const types = ["resize-image", "send-receipt"];
  ok(
    await world.store.saveDefinitions(
      types.map((type) => ({
        ...newDefinition(type),
        attributes: type === "resize-image" ? ["userId"] : [],
      })),
    ),
  );
  for (const type of types) {
    const tasks = Array.from({ length: 30 }, (_, place) =>
      newTask({
        id: type === "resize-image" ? `task-${place}` : `receipt-${place}`,
        type,
        payload: { widthPx: 640, note: place % 5 === 0 ? "ETIMEDOUT" : "fine" },
        ...(type === "resize-image" && { attributes: { userId: place % 10 === 7 ? 7 : 100 + place } }),
      }),
    );
    await world.enqueue(...tasks);
    const claimed = await world.claim({ types: [type], limit: 15 });
    await world.clock.advance(type === "resize-image" ? 10 : 6_000);
    for (const one of claimed) await world.settle(one, "completed");
  }
  await index(world);
}

async function index(world: World): Promise<void> {
  for (;;) {
    const unindexed = await world.store.readUnindexed({ limit: 100 });
    if (unindexed.length === 0) return;
    ok(
      await world.store.writeTexts(
        unindexed.map(({ ref, task, attempts, json }) => ({
          ref,
          text: searchableText(task, attempts, json),
        })),
      ),
    );
  }
}
