/** What is asked of types, queues or statuses alone is answered by indexes and kept counts, like a list of these. */
import { beforeEach, expect, test } from "vitest";
import { summarizeTasksIn } from "../../server/tasks/core/counts/summary.ts";
import { explainSearchIn } from "../../server/tasks/core/explain-search.ts";
import type { TaskFilter } from "../../server/tasks/core/filters/filter.ts";
import { countTasksIn, searchTaskPageIn } from "../../server/tasks/core/find.ts";
import type { Instance } from "../../server/tasks/core/instance.ts";
import { newDefinition, newTask, startAt } from "../support/builders.ts";
import { ok, onEachStore } from "../support/stores.ts";

const types = ["email-a", "email-b", "Email", "report", "dure.own"];

onEachStore("filters by kind", (world) => {
  let instance: Instance;

  beforeEach(async () => {
    instance = {
      clock: world.clock,
      registry: { get: () => undefined },
      store: async () => world.store,
    } as unknown as Instance;
    // One without tasks; of one that has some there is no definition.
    ok(await world.store.saveDefinitions([newDefinition("email-none"), newDefinition("report")]));
    for (let n = 0; n < 40; n += 1) {
      const facts = { type: types[n % 5]!, queue: n % 3 === 0 ? "images" : "default" };
      await world.enqueue(newTask({ ...facts, id: `task-${n}`, createdAt: startAt - 1_000 * (n % 20) }));
    }
    for (const one of await world.claim({ types: ["email-a", "report"], limit: 9 }))
      await world.settle(one, "completed");
    await world.claim({ types: ["email-b"], limit: 2 });
  });

  test.each<[TaskFilter, string]>([
    [{ type: { prefix: "email" } }, "order"],
    [{ type: { contains: "EMAIL" } }, "order"],
    [{ type: { not: "report" } }, "order"],
    [{ type: { prefix: "nobody" } }, "order"],
    [{ type: { not: { in: types } } }, "order"],
    [{ type: { gt: "email", lt: "f" }, status: "PENDING" }, "order"],
    [{ or: [{ type: "report" }, { type: { prefix: "Em" } }] }, "order"],
    [{ type: ["report", "email-a"], and: [{ type: { not: "report" } }] }, "order"],
    [{ queue: { prefix: "im" } }, "order"],
    [{ queue: { not: "images" }, type: { prefix: "email" } }, "order"],
    [{ queue: null }, "order"],
    [{ not: { status: ["PENDING", "RUNNING"] } }, "order"],
    [{ or: [{ status: "RUNNING" }, { status: "FAILED" }] }, "order"],
    [{ createdAt: new Date(startAt - 3_000) }, "order"],
    [{ createdAt: [new Date(startAt - 3_000), new Date(startAt - 5_000)] }, "walk"],
    [{ type: { prefix: "email" }, or: [{ type: "email-a" }, { queue: "images" }] }, "walk"],
  ])("%j", async (filter, source) => {
    const all = await searchTaskPageIn(instance, { limit: 1_000 });
    const page = await searchTaskPageIn(instance, { ...filter, limit: 1_000 });
    expect(page.complete).toBe(true);
    // By a condition that nothing knows of, each task is tested by itself.
    const untold = { or: [{ and: [{ not: { tag: "nobody" } }, filter] }] };
    const tested = await searchTaskPageIn(instance, { ...untold, limit: 1_000 });
    expect(page.tasks).toEqual(tested.tasks);
    expect(all.tasks.length).toBeGreaterThan(page.tasks.length);
    const real = page.tasks.filter(({ isDefinition }) => !isDefinition);
    expect(await countTasksIn(instance, filter)).toBe(real.length);
    const { groups, total, complete } = await summarizeTasksIn(instance, {
      ...filter,
      by: ["type", "status"],
    });
    expect({ complete, total }).toEqual({ complete: true, total: { count: real.length, errorMax: 0 } });
    expect(groups.reduce((sum, { count }) => sum + count, 0)).toBe(real.length);
    expect(await explainSearchIn(instance, filter)).toMatchObject({ source });
    const small = await searchTaskPageIn(instance, { ...filter, limit: 3 });
    if (small.nextCursor === undefined) return;
    // Kinds that come between two pages are of the search, too, and its cursors stay good.
    await world.enqueue(newTask({ type: "email-new", id: "newest", createdAt: startAt - 500_000 }));
    const rest = await searchTaskPageIn(instance, { ...filter, limit: 1_000, cursor: small.nextCursor });
    expect(rest.tasks.filter(({ id }) => id !== "newest")).toEqual(page.tasks.slice(3));
  });
});
