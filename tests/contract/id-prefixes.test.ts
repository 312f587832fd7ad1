/** Searches by what ids begin with: where nobody chose an id that begins so, they are ranges of the creation. */
import { beforeEach, expect, test } from "vitest";
import type { Condition } from "../../server/tasks/core/filters/condition.ts";
import { createIds } from "../../server/tasks/core/ids.ts";
import type { StoreSearch } from "../../server/tasks/core/store.ts";
import { newDefinition, newSearch, newTask, startAt } from "../support/builders.ts";
import { tasksOf } from "../support/found.ts";
import { ok, onEachLastingStore } from "../support/stores.ts";

const begins = (prefix: string): Condition => ({ kind: "prefix", field: { of: "task", name: "id" }, prefix });
const tagged: Condition = { kind: "equals", field: { of: "task", name: "tag" }, values: ["vip"] };

onEachLastingStore("ids by what they begin with", (world) => {
  let ids: string[] = [];

  beforeEach(async () => {
    const bytes = (count: number) => new Uint8Array(count).fill(7);
    ids = [];
    for (let n = 0; n < 60; n += 1) {
      const createdAt = startAt - n * 40_000 - (n % 7);
      const id = createIds(() => createdAt, bytes).taskId();
      const facts = { id, ownId: false, type: n % 2 === 0 ? "resize-image" : "send-receipt", createdAt };
      await world.enqueue(newTask({ ...facts, tags: n % 3 === 0 ? ["vip"] : undefined }));
      ids.push(id);
    }
    for (const one of await world.claim({ types: ["resize-image"], limit: 8 }))
      await world.settle(one, "completed");
    await world.claim({ types: ["send-receipt"], limit: 4 });
  });

  const orders = [
    { sortBy: "createdAt" },
    { sortBy: "id", descending: false },
    { sortBy: "updatedAt" },
    { sortBy: "priority", statuses: ["PENDING"] },
    { types: ["send-receipt"], created: { start: startAt - 1_200_000 } },
    { definitions: false, offset: 1 },
  ] satisfies Partial<StoreSearch>[];
  const prefixes = () => [0, 5, 7, 8, 9, 10, 11, 26].map((length) => ids[31]!.slice(0, length));
  const others = ["Z", "01U", "nobody", "0".repeat(27), "9", "7ZZZZZZZZZ"];

  const agree = async () => {
    for (const prefix of [...prefixes(), ...others])
      for (const facts of orders)
        for (const where of [begins(prefix), { kind: "and", parts: [tagged, begins(prefix)] }] as const) {
          const search = newSearch({ limit: 100, ...facts });
          const label = JSON.stringify({ ...search, where });
          const untold: Condition = {
            kind: "or",
            parts: [{ kind: "not", part: { kind: "not", part: where } }],
          };
          const wanted = await tasksOf(world.store.searchTasks({ ...search, where: untold }));
          expect(await tasksOf(world.store.searchTasks({ ...search, where })), label).toEqual(wanted);
          const { count } = await world.store.countTasks({ ...search, where: untold });
          expect(await world.store.countTasks({ ...search, where }), label).toEqual({ count, errorMax: 0 });
        }
  };

  test("what they begin with finds the same as to test each task", agree);

  test("it does beside ids that were chosen, and definitions that are called so", async () => {
    ok(await world.store.saveDefinitions([newDefinition(`${ids[31]!.slice(0, 8)}-import`)]));
    await world.enqueue(newTask({ id: "report-1", ownId: true, createdAt: startAt - 31 * 40_000 }));
    await agree();
    await world.enqueue(newTask({ id: ids[31]!.slice(0, 9), ownId: true, tags: ["vip"] }));
    await agree();
  });

  test("is counted without a look at each, whatever the budget", async () => {
    const asked = newSearch({ limit: 50, where: begins(ids[31]!.slice(0, 7)), budgetMs: Number.MIN_VALUE });
    expect(await world.store.countTasks(asked)).toMatchObject({ errorMax: 0 });
    expect(await world.store.explainSearch({ ...asked, definitions: false })).toMatchObject({
      source: "order",
    });
  });
});
