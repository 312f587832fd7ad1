/** Full text: indexed behind the writes, as the tasks are; found whatever the case and the language. */
import { expect, test } from "vitest";
import { type Condition, foldText } from "../../server/tasks/core/condition.ts";
import { searchableText } from "../../server/tasks/core/searchable-text.ts";
import type { StoreSearch } from "../../server/tasks/core/store.ts";
import { newSearch, newTask, someError } from "../support/builders.ts";
import { countOf, tasksOf } from "../support/found.ts";
import { ok, onEachStore, type World } from "../support/stores.ts";

/** Indexes all there is, as a worker does; answers the ids, sorted. */
async function index(world: World, limit = 100): Promise<string[]> {
  const ids: string[] = [];
  for (;;) {
    const found = await world.store.readUnindexed({ limit });
    if (found.length === 0) return ids.sort();
    expect(found.length).toBeLessThanOrEqual(limit);
    ids.push(...found.map(({ task }) => task.id));
    const texts = found.map(({ ref, task, attempts }) => ({ ref, text: searchableText(task, attempts) }));
    ok(await world.store.writeTexts(texts));
  }
}

const textIs = (text: string): Condition => ({ kind: "text", text: foldText(text) });

async function find(
  world: World,
  where: Condition | string,
  more: Partial<StoreSearch> = {},
): Promise<string[]> {
  const condition = typeof where === "string" ? textIs(where) : where;
  const search = newSearch({ where: condition, definitions: false, ...more });
  const found = (await tasksOf(world.store.searchTasks(search))).map(({ id }) => id);
  if (search.offset === 0 && found.length < search.limit)
    expect(await countOf(world.store.countTasks(search))).toBe(found.length);
  return found;
}

/** A task that is created now. */
function taskNow(world: World, id: string, payload: unknown = {}) {
  const createdAt = world.clock.now();
  return newTask({ id, payload, createdAt, dueAt: createdAt });
}

onEachStore("readUnindexed and writeTexts", (world) => {
  test("a new task is indexed once, and again when it has ended", async () => {
    await world.enqueue(taskNow(world, "a"), taskNow(world, "b"));
    expect(await index(world)).toEqual(["a", "b"]);
    expect(await index(world)).toEqual([]);
    const [claimed] = await world.claim({ limit: 1 });
    await world.clock.advance(10);
    await world.settle(claimed!, "completed", { result: { json: '"resized"' } });
    expect(await index(world)).toEqual([claimed!.task.id]);
    expect(await index(world)).toEqual([]);
  });

  test("many tasks of one instant, a few at a time", async () => {
    const ids = Array.from({ length: 25 }, (_, at) => `t${String(at).padStart(2, "0")}`);
    await world.enqueue(...ids.map((id) => taskNow(world, id)));
    expect(await index(world, 4)).toEqual(ids);
    const claimed = await world.claim({ limit: 25 });
    await world.clock.advance(10);
    for (const one of claimed) await world.settle(one, "completed");
    expect(await index(world, 4)).toEqual(ids);
    expect(await index(world)).toEqual([]);
  });

  test("a task that changes between reading and writing is not left as it was", async () => {
    await world.enqueue({ ...taskNow(world, "a", "before"), maxAttempts: 2 });
    const [claimed] = await world.claim();
    await world.clock.advance(10);
    await world.settle(claimed!, "failed", { error: someError, retryAt: world.clock.now() });
    const read = await world.store.readUnindexed({ limit: 10 });
    await world.clock.advance(10);
    ok(await world.store.cancelTask("a"));
    ok(
      await world.store.writeTexts(
        read.map(({ ref, task, attempts }) => ({ ref, text: searchableText(task, attempts) })),
      ),
    );
    await index(world);
    expect(await index(world)).toEqual([]);
    expect(await find(world, "before")).toEqual(["a"]);
  });

  test("how many are left is told", async () => {
    await world.enqueue(taskNow(world, "a"), taskNow(world, "b"), taskNow(world, "c"));
    expect((await world.store.stats()).textLag).toBeGreaterThan(0);
    await index(world);
    expect((await world.store.stats()).textLag).toBe(0);
  });

  test("deleted and pruned tasks are found no more", async () => {
    await world.enqueue(
      taskNow(world, "a", "needle"),
      taskNow(world, "b", "needle"),
      taskNow(world, "c", "needle"),
    );
    ok(await world.store.cancelTask("a"));
    ok(await world.store.cancelTask("b"));
    await index(world);
    ok(await world.store.deleteTask("a"));
    expect(await find(world, "needle")).toEqual(["c", "b"]);
    ok(await world.store.pruneTasks({ status: "CANCELLED", before: world.clock.now() + 1, limit: 10 }));
    expect(await find(world, "needle")).toEqual(["c"]);
  });
});

onEachStore("searching by text", (world) => {
  test("payload, result, error, description, tags and logs, whatever the case", async () => {
    await world.enqueue(
      taskNow(world, "payload", { deep: [{ text: "Needle-One" }] }),
      { ...taskNow(world, "described"), description: "a needle-TWO" },
      { ...taskNow(world, "tagged"), tags: ["NEEDLE-three"] },
      { ...taskNow(world, "resulted"), priority: 9 },
      { ...taskNow(world, "failed"), priority: 8 },
    );
    const [resulted, failed] = await world.claim({ limit: 2 });
    await world.clock.advance(10);
    const logs = [{ at: new Date(world.clock.now()), level: "info" as const, message: "needle-FOUR" }];
    await world.settle(resulted!, "completed", { result: { json: '{"n":["needle-five"]}' }, logs });
    await world.settle(failed!, "failed", {
      error: { name: "Error", message: "ETIMEDOUT needle-six", stack: "at needle-seven.ts:1" },
    });
    await index(world);
    expect(await find(world, "needle-one")).toEqual(["payload"]);
    expect(await find(world, "NEEDLE-two")).toEqual(["described"]);
    expect(await find(world, "needle-three")).toEqual(["tagged"]);
    expect(await find(world, "needle-four")).toEqual(["resulted"]);
    expect(await find(world, "needle-five")).toEqual(["resulted"]);
    expect(await find(world, "etimedout NEEDLE")).toEqual(["failed"]);
    expect(await find(world, "needle-seven")).toEqual(["failed"]);
    expect((await find(world, "needle")).length).toBe(5);
    expect(await find(world, "needle", { statuses: ["FAILED"] })).toEqual(["failed"]);
  });

  test.each([
    [
      "Korean",
      "주문 처리 중 결제 오류가 발생했습니다",
      ["결제 오류", "결제", "문 처", "오"],
      ["결재", "오류 결제"],
    ],
    ["Japanese", "画像のサイズ変更に失敗しました", ["サイズ変更", "失敗", "画"], ["成功"]],
    ["Greek", "ΟΔΥΣΣΕΥΣ ταξίδι", ["ταξίδι", "ΟΔΥΣ"], ["ταξίδια"]],
    ["full width", "ＡＢＣ１２３", ["abc123", "c1"], ["abd"]],
    [
      "signs",
      "100%_done \\ 'quoted' \"twice\" a*b ^ -x",
      ["100%_", "_done \\", "'quoted'", '"twice"', "a*b", "^ -x", "%"],
      ["100_", "a_b", "%%"],
    ],
  ])("%s", async (_language, text, found, missing) => {
    await world.enqueue(taskNow(world, "other", "something else"), taskNow(world, "a", text));
    await index(world);
    for (const part of found) expect(await find(world, part), part).toEqual(["a"]);
    for (const part of missing) expect(await find(world, part), part).toEqual([]);
  });

  test("newest first and oldest first, in pages, of tasks that were indexed in any order", async () => {
    const ids = Array.from({ length: 30 }, (_, at) => `t${String(at).padStart(2, "0")}`);
    for (const [at, id] of ids.entries()) {
      await world.enqueue(taskNow(world, id, at % 3 ? "needle" : "hay"));
      if (at % 4 === 0) await world.clock.advance(1_000);
      if (at % 7 === 0) await index(world);
    }
    await index(world);
    const wanted = ids.filter((_, at) => at % 3);
    expect(await find(world, "needle", { descending: false })).toEqual(wanted);
    expect(await find(world, "needle")).toEqual(wanted.toReversed());
    expect(await find(world, "needle", { sortBy: "id" })).toEqual(wanted.toReversed());
    expect(await find(world, "needle", { limit: 4, offset: 3 })).toEqual(wanted.toReversed().slice(3, 7));
    const first = await tasksOf(world.store.searchTasks(newSearch({ where: textIs("needle"), limit: 5 })));
    const { createdAt, id } = first.at(-1)!;
    const after = { value: createdAt.getTime(), id, backwards: false };
    expect(await find(world, "needle", { after, limit: 5 })).toEqual(wanted.toReversed().slice(5, 10));
  });

  test("with and, or, not and other conditions", async () => {
    await world.enqueue(
      taskNow(world, "a", "red apple"),
      taskNow(world, "b", "red brick"),
      taskNow(world, "c", "green apple"),
      { ...taskNow(world, "d", "red apple"), priority: 5 },
    );
    await index(world);
    const and: Condition = { kind: "and", parts: [textIs("red"), textIs("apple")] };
    expect((await find(world, and)).sort()).toEqual(["a", "d"]);
    const without: Condition = {
      kind: "and",
      parts: [textIs("red"), { kind: "not", part: textIs("apple") }],
    };
    expect(await find(world, without)).toEqual(["b"]);
    const or: Condition = { kind: "or", parts: [textIs("brick"), textIs("green")] };
    expect((await find(world, or)).sort()).toEqual(["b", "c"]);
    const priority: Condition = { kind: "equals", field: { of: "task", name: "priority" }, values: [5] };
    expect(await find(world, { kind: "and", parts: [textIs("apple"), priority] })).toEqual(["d"]);
  });
});
