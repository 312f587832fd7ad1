/** An action comes to every task of its set, also where its searches end at their budget without saying how to look further. */
import { expect, test } from "vitest";
import { actOnSet } from "../../server/tasks/core/act.ts";
import type { Instance } from "../../server/tasks/core/instance.ts";
import type { TaskStore } from "../../server/tasks/core/store.ts";
import { newTasks } from "../support/builders.ts";
import { ok, onEachStore } from "../support/stores.ts";

onEachStore("an action on a set", (world) => {
  test("is done to what a search that had to be sorted had no time for", async () => {
    ok(await world.store.enqueueTasks(newTasks(30)));
    const instance = {
      clock: world.clock,
      store: async () => shortOfTime(world.store),
    } as unknown as Instance;
    let acted = 0;
    const isAborted = await actOnSet(instance, { budget: "20ms", definitions: false }, "cancel", {
      record: undefined,
      onPortion: (tasks) => {
        acted += tasks.length;
      },
    });
    expect({ acted, isAborted }).toEqual({ acted: 30, isAborted: false });
  });
});

/** With a budget it has a part of what is found, and no place to go on from. */
function shortOfTime(store: TaskStore): TaskStore {
  const searchTasks: TaskStore["searchTasks"] = async (search) => {
    const found = await store.searchTasks(search);
    return search.budgetMs === undefined ? found : { tasks: found.tasks.slice(0, 10), isPartial: true };
  };
  return new Proxy(store, {
    get: (target, name) => {
      const value: unknown = name === "searchTasks" ? searchTasks : Reflect.get(target, name);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}
