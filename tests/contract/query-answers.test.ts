/** What queries find, asked as a caller asks them: the same on each store. */
import { beforeEach, expect, test } from "vitest";
import { countTasksIn, searchTaskPageIn } from "../../server/tasks/core/find.ts";
import type { Instance } from "../../server/tasks/core/instance.ts";
import type { TaskSearchOptions } from "../../server/tasks/core/search.ts";
import { newTask, someError } from "../support/builders.ts";
import { onEachStore } from "../support/stores.ts";

onEachStore("queries", (world) => {
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

  beforeEach(async () => {
    await world.enqueue(
      newTask({ id: "failed", payload: { x: -0 }, maxAttempts: 1 }),
      newTask({ id: "zero", queue: "slow", payload: { x: 0 } }),
      newTask({ id: "other", queue: "slow", payload: { x: "0" } }),
    );
    const [claimed] = await world.claim({ queues: ["default"] });
    await world.settle(claimed!, "failed", { error: someError });
  });

  test.each<[string, string[]]>([
    ["has:status", ["failed", "other", "zero"]],
    ["-has:status", []],
    ["errorGroup:*", ["failed"]],
    ["has:errorGroup", ["failed"]],
    ["errorGroup:null", ["other", "zero"]],
    ["-errorGroup:null", ["failed"]],
    ["payload.x:0", ["other", "zero"]],
    ["payload.x:-0", ["failed", "zero"]],
  ])("%s", async (query, ids) => {
    expect(await idsOf({ query })).toEqual(ids);
  });

  test("-0 as it is kept", async () => {
    expect(await idsOf({ payload: { x: -0 } })).toEqual(["failed"]);
  });
});
