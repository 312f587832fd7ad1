/** By start, the first first, where more tasks changed in a second than are read for a page. */
import pg from "pg";
import { expect, test, vi } from "vitest";
import { recordOf } from "../../bench/search/records.ts";
import type { StoreSearch, TaskRecord } from "../../server/tasks/core/store.ts";
import { newSearch, startAt } from "../support/builders.ts";
import { schemaStoreForAll } from "../support/schema-store.ts";
import { ok } from "../support/stores.ts";

const tasks = 900;
const limit = 20;
const everyMs = 4;

const all = Array.from({ length: tasks }, (_, n) => completed(n));

const of = schemaStoreForAll(async (store) => ok(await store.writeRecords(all)));

/** They started in the order of their ids. */
function completed(n: number): TaskRecord {
  const startedAt = startAt + n * everyMs;
  const endedAt = startedAt + 1 + (n % 7);
  return {
    ...recordOf(n, tasks, startAt, "history"),
    ...{ id: `task-${String(n).padStart(4, "0")}`, ownId: true, queue: "default", type: "resize-image" },
    ...{ status: "COMPLETED", createdAt: startedAt, dueAt: startedAt, startedAt },
    ...{ updatedAt: endedAt, completedAt: endedAt, fence: 1, attempts: 1, version: 3, history: [] },
  };
}

async function ask(search: StoreSearch): Promise<{ ids: string[]; asked: number }> {
  const bind = vi.spyOn(pg.Connection.prototype, "bind");
  const { tasks: page } = await of.store.searchTasks(search);
  const asked = bind.mock.calls.filter(([given]) => given?.statement?.startsWith("nearKeys:")).length;
  bind.mockRestore();
  return { ids: page.map(({ id }) => id), asked };
}

const search = newSearch({ sortBy: "startedAt", descending: false, limit, definitions: false });

test("as many are read as it takes, and at once the next time", async () => {
  const first = all.slice(0, limit).map(({ id }) => id);
  await of.store.searchTasks(newSearch({ ...search, types: ["send-receipt"] }));
  const times = [await ask(search), await ask(search), await ask(search)];
  expect(times.map(({ ids }) => ids)).toEqual([first, first, first]);
  expect(times[0]!.asked).toBeGreaterThan(1);
  expect(times[2]!.asked).toBe(1);
});

test("pages behind one another have all, each once", async () => {
  const met: string[] = [];
  for (let after: StoreSearch["after"]; met.length < tasks; ) {
    const { tasks: page } = await of.store.searchTasks({ ...search, limit: 70, ...(after && { after }) });
    const last = page.at(-1)!;
    met.push(...page.map(({ id }) => id));
    after = { value: last.startedAt!.getTime(), id: last.id, backwards: false };
  }
  expect(met).toEqual(all.map(({ id }) => id));
});
