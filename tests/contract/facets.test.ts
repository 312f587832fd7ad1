import { beforeEach, expect, test } from "vitest";
import type { AttributeCount, Attributes } from "../../server/tasks/core/store.ts";
import type { Task } from "../../server/tasks/core/task.ts";
import { newSearch, newTask, newWorker, settlementOf, startAt } from "../support/builders.ts";
import { tasksOf } from "../support/found.ts";
import { ok, onEachLastingStore } from "../support/stores.ts";

const hourMs = 3_600_000;
const types = ["resize-image", "send-receipt"];

onEachLastingStore("counts by attributes", (world) => {
  let all: Task[] = [];
  const given = new Map<string, Attributes>();

  beforeEach(async () => {
    given.clear();
    const tasks = Array.from({ length: 90 }, (_, n) => {
      const attributes: Attributes = {
        ...(n % 10 !== 0 && { userId: n % 7 }),
        ...(n % 3 === 0 && { tag: n % 2 === 0 ? ["vip", "Ü 한국"] : "vip" }),
        ...(n % 5 === 0 && { mixed: [true, 1, "1", -2.5, ""][(n / 5) % 5]! }),
      };
      const createdAt = startAt - n * 600_000;
      const task = newTask({
        ...(n % 4 === 0 && { id: `own-${n}` }),
        ...{ type: types[n % 2]!, createdAt, dueAt: createdAt },
        ...(Object.keys(attributes).length > 0 && { attributes }),
      });
      if (Object.keys(attributes).length > 0) given.set(task.id, attributes);
      return task;
    });
    await world.enqueue(...tasks);
    await world.store.registerWorker(newWorker("worker-2"));
    const claimed = await world.claim({ types, limit: 60 });
    const ends = claimed
      .slice(0, 50)
      .map((one, n) => settlementOf(one, n % 3 === 0 ? "failed" : "completed"));
    ok(await world.store.settleTasks(ends));
    const pending = await tasksOf(world.store.searchTasks(newSearch({ statuses: ["PENDING"], limit: 100 })));
    for (const { id } of pending.slice(0, 5)) ok(await world.store.cancelTask(id));
    const finished = await tasksOf(world.store.searchTasks(newSearch({ statuses: ["FAILED"], limit: 100 })));
    for (const { id } of finished.slice(0, 5)) {
      ok(await world.store.deleteTask(id));
      given.delete(id);
    }
    all = await tasksOf(world.store.searchTasks(newSearch({ limit: 1_000 })));
  });

  const requests = [
    { name: "userId" },
    { name: "tag" },
    { name: "mixed" },
    { name: "nothing" },
    { name: "userId", types: ["send-receipt"] },
    { name: "tag", types: [] },
    { name: "userId", created: { start: startAt - 6 * hourMs, end: startAt - hourMs } },
    { name: "tag", created: { end: startAt - 3 * hourMs } },
  ];

  test.each(requests)("%j is counted as a look at every task does", async (request) => {
    const { counts, leftOut, isWhole } = await world.store.countAttribute(request);
    expect({ counts: sorted(counts), leftOut, isWhole }).toEqual({
      counts: sorted(expected(request)),
      leftOut: 0,
      isWhole: true,
    });
  });

  test("a budget that is spent ends it, also for the types that are left, and is said", async () => {
    const asked = { name: "userId", budgetMs: 0 };
    expect(await world.store.countAttribute(asked)).toMatchObject({ counts: [], isWhole: false });
  });

  test("the attributes of tasks are read by their ids", async () => {
    const ids = all.map(({ id }) => id);
    const read = await world.store.readAttributes([...ids, "nobody"]);
    const normal = (pairs: Iterable<[string, Attributes]>) =>
      new Map(
        [...pairs].map(([id, attributes]) => [
          id,
          Object.fromEntries(
            Object.entries(attributes).map(([name, value]) => [
              name,
              [value]
                .flat()
                .map((one) => `${typeof one} ${one}`)
                .sort(),
            ]),
          ),
        ]),
      );
    expect(normal(read)).toEqual(normal(given));
  });

  function expected(request: (typeof requests)[number]): AttributeCount[] {
    const counts = new Map<string, AttributeCount>();
    for (const { id, type, status, createdAt } of all) {
      const { start = -Infinity, end = Infinity } = (request.created ?? {}) as {
        start?: number;
        end?: number;
      };
      if (request.types && !(request.types as string[]).includes(type)) continue;
      if (createdAt.getTime() < start || createdAt.getTime() >= end) continue;
      const values = given.get(id)?.[request.name];
      for (const value of values === undefined ? [] : [values].flat()) {
        const known = (
          status === "PENDING" || status === "RUNNING" ? undefined : status
        ) as AttributeCount["status"];
        const key = JSON.stringify([type, known, value]);
        const row = counts.get(key) ?? { type, value, status: known, count: 0 };
        row.count += 1;
        counts.set(key, row);
      }
    }
    return [...counts.values()];
  }
});

function sorted(counts: readonly AttributeCount[]): AttributeCount[] {
  const key = ({ type, value, status }: AttributeCount) => JSON.stringify([type, status ?? null, value]);
  return [...counts].sort((a, b) => (key(a) < key(b) ? -1 : 1));
}
