/** What is asked of types, queues or statuses alone is answered by indexes and kept counts, like a list of these. */
import { beforeEach, expect, test, vi } from "vitest";
import { summarizeTasksIn } from "../../server/tasks/core/counts/summary.ts";
import { explainSearchIn } from "../../server/tasks/core/explain-search.ts";
import type { TaskFilter } from "../../server/tasks/core/filters/filter.ts";
import { countTasksIn, searchTaskPageIn } from "../../server/tasks/core/find.ts";
import type { Instance } from "../../server/tasks/core/instance.ts";
import { newDefinition, newTask, startAt } from "../support/builders.ts";
import { ok, onEachLastingStore } from "../support/stores.ts";

const types = ["email-a", "email-b", "Email", "report", "dure.own"];

onEachLastingStore("filters by kind", (world) => {
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
    [{ or: [{ status: "RUNNING" }, { type: "report" }] }, "walk"],
    [{ or: [{ status: "FAILED" }, { type: "nobody" }] }, "order"],
    [{ or: [{ status: "FAILED" }, { type: "email-none" }] }, "walk"],
    [{ or: [{ status: "COMPLETED" }, { type: "report", maxAttempts: { gte: 1 } }] }, "walk"],
    [{ not: { or: [{ status: "PENDING" }, { queue: "images" }] } }, "walk"],
    [{ createdAt: null }, "order"],
    [{ updatedAt: { exists: false } }, "order"],
    [{ or: [{ attempts: null }, { type: "nobody", tag: "vip" }] }, "order"],
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

  const asked = async (filter: TaskFilter) => {
    const spy = vi.spyOn(world.store, "searchTasks");
    await searchTaskPageIn(instance, { ...filter, definitions: false });
    const [search] = spy.mock.calls[0]!;
    spy.mockRestore();
    return search;
  };

  test("what no task of a kind can meet is not looked for among them", async () => {
    const running = await asked({ or: [{ type: "nobody" }, { status: "RUNNING", tag: "vip" }] });
    expect(running).toMatchObject({ statuses: ["RUNNING"], types: ["email-b"], where: expect.anything() });
    const either = await asked({ or: [{ type: "report" }, { status: "RUNNING" }] });
    expect(either.types?.toSorted()).toEqual(["email-b", "report"]);
    expect(await asked({ not: { createdAt: null } })).not.toHaveProperty("where");
    expect(await asked({ or: [{ status: "PENDING" }, { tag: "vip" }] })).not.toHaveProperty("statuses");
  });

  test("a count by status or type is told by kept counts", async () => {
    const spy = vi.spyOn(world.store, "countTasks");
    const createdAtRange = { start: new Date(startAt - 9_000) };
    const filter: TaskFilter = { or: [{ status: "RUNNING" }, { type: "report" }] };
    const tasks = await searchTaskPageIn(instance, { ...filter, createdAtRange, definitions: false });
    expect(await countTasksIn(instance, { ...filter, createdAtRange })).toBe(tasks.tasks.length);
    expect(spy).not.toHaveBeenCalled();
    spy.mockRestore();
    const others: TaskFilter = { or: [{ status: "PENDING" }, { attempts: { gte: 1 } }] };
    expect(await countTasksIn(instance, others)).toBe(40);
  });
});
