/** What queries find, asked as a caller asks them: the same on each store. */
import { beforeEach, expect, test } from "vitest";
import { summarizeTasksIn } from "../../server/tasks/core/counts/summary.ts";
import { countTasksIn, searchTaskPageIn } from "../../server/tasks/core/find.ts";
import type { Instance } from "../../server/tasks/core/instance.ts";
import { formatQuery } from "../../server/tasks/core/query/query-text.ts";
import type { TaskSearchOptions } from "../../server/tasks/core/search.ts";
import { searchableText } from "../../server/tasks/core/values/searchable-text.ts";
import { newDefinition, newTask, someError } from "../support/builders.ts";
import { ok, onEachLastingStore } from "../support/stores.ts";

onEachLastingStore("queries", (world) => {
  const instance = () =>
    ({
      clock: world.clock,
      registry: { get: () => undefined },
      store: async () => world.store,
    }) as unknown as Instance;
  const idsOf = async (search: TaskSearchOptions) => {
    const { tasks } = await searchTaskPageIn(instance(), { sortBy: "id", sortOrder: "asc", ...search });
    expect(await countTasksIn(instance(), search)).toBe(tasks.length);
    return tasks.map(({ id }) => id);
  };

  const indexTexts = async () => {
    const unindexed = await world.store.readUnindexed({ limit: 10 });
    const texts = unindexed.map(({ ref, task, attempts, json }) => ({
      ref,
      text: searchableText(task, attempts, json),
    }));
    ok(await world.store.writeTexts(texts));
  };

  beforeEach(async () => {
    await world.enqueue(
      newTask({ id: "failed", payload: { x: -0 }, maxAttempts: 1 }),
      newTask({ id: "zero", queue: "slow", payload: { x: 0 } }),
      newTask({ id: "other", queue: "slow", payload: { x: "0" } }),
    );
    const [claimed] = await world.claim({ queues: ["default"] });
    await world.settle(claimed!, "failed", { error: someError });
  });

  test("the name of an attribute may be of any script", async () => {
    await world.enqueue(newTask({ id: "named", attributes: { 고객번호: 42 } }));
    expect(await idsOf({ query: "고객번호:42" })).toEqual(["named"]);
    expect(await idsOf({ query: "has:고객번호 attribute.고객번호:>41" })).toEqual(["named"]);
    const { groups } = await summarizeTasksIn(instance(), { by: ["attribute.고객번호"] });
    expect(groups).toEqual([{ "attribute.고객번호": 42, count: 1 }]);
    expect(formatQuery({ filter: { attributes: { 고객번호: "가 나" } } })).toBe('고객번호:"가 나"');
  });

  test.each<[string, string[]]>([
    ["has:status", ["failed", "other", "zero"]],
    ["-has:status", []],
    ["errorGroup:*", ["failed"]],
    ["has:errorGroup", ["failed"]],
    ["errorGroup:null", ["other", "zero"]],
    ["-errorGroup:null", ["failed"]],
    ["payload.x:0", ["failed", "other", "zero"]],
    ["payload.x:<=0", ["failed", "zero"]],
    ["payload.x:>-0", []],
    ["payload.x:-0", ["failed", "zero"]],
  ])("%s", async (query, ids) => {
    expect(await idsOf({ query })).toEqual(ids);
  });

  test.each<[TaskSearchOptions, string | undefined]>([
    [{ query: "zero" }, '"zero" is the id of a task: id:zero.'],
    [{ text: "zero" }, '"zero" is the id of a task: id:zero.'],
    [{ query: "send-receipt" }, '"send-receipt" is a type: type:send-receipt asks for its tasks.'],
    [{ query: "x:17" }, "In the payload there is one: payload.x:… asks for it."],
    [{ query: "state:failed" }, "It is called status here"],
    [{ query: "queue=slow" }, "write queue:slow."],
    [{ payload: { x: { gte: 1, foo: 2 } } as never }, "payload.x.gte is read as a place in it"],
    [{ query: "nobody" }, undefined],
    [{ query: "queue:slow OR queue=slow" }, undefined],
  ])("%j that finds nothing, and one that does not, says what was perhaps meant", async (search, words) => {
    ok(await world.store.saveDefinitions([newDefinition("send-receipt")]));
    const { hint } = await searchTaskPageIn(instance(), { definitions: false, ...search });
    if (words === undefined) expect(hint).toBeUndefined();
    else expect(hint).toContain(words);
  });

  test("a direction in the query is of the order there", async () => {
    const { tasks } = await searchTaskPageIn(instance(), {
      query: "queue:slow sort:+id",
      sortBy: "createdAt",
    });
    expect(tasks.map(({ id }) => id)).toEqual(["zero", "other"]);
  });

  test("a limit or an order of what is only counted is refused", async () => {
    for (const more of [{ limit: 4 }, { sortBy: "id" }, { cursor: "x" }])
      await expect(summarizeTasksIn(instance(), more as never)).rejects.toMatchObject({
        code: "INVALID_OPTION",
      });
  });

  test.each([
    { payload: { x: 0 } },
    { payload: { x: -0 } },
    { payload: { x: { gte: -0 } } },
    { payload: { x: { lt: 1 } } },
    { payload: { x: { not: { not: 0 } } } },
  ])("-0 and 0 are one number, whether or not texts are indexed: %j", async (search) => {
    expect(await idsOf(search)).toEqual(["failed", "zero"]);
    await indexTexts();
    expect(await idsOf(search)).toEqual(["failed", "zero"]);
    expect((await world.store.getTask("failed"))?.payload).toStrictEqual({ x: -0 });
  });
});
