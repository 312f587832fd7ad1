/** How much of large payloads PostgreSQL sends for a page. */
import { afterEach, beforeEach, expect, test } from "vitest";
import type { StoreSearch, TaskStore } from "../../server/tasks/core/store.ts";
import { createPostgresStore } from "../../server/tasks/stores/postgres/store.ts";
import { newSearch, newTask, startAt } from "../support/builders.ts";
import { CuttingProxy } from "../support/cutting-proxy.ts";
import { createTestSchema, type TestSchema } from "../support/postgres.ts";
import { ok } from "../support/stores.ts";

const size = 200_000;
let schema: TestSchema;
let proxy: CuttingProxy;
let store: TaskStore;

beforeEach(async () => {
  schema = await createTestSchema();
  proxy = await CuttingProxy.start(schema.url);
  store = createPostgresStore({ url: proxy.url(schema.url) });
  await store.open();
  const payload = { text: "x".repeat(size) };
  const tasks = Array.from({ length: 40 }, (_, n) =>
    newTask({ payload, createdAt: startAt + n, priority: n % 3, attributes: { userId: 1 } }),
  );
  ok(await store.enqueueTasks(tasks));
});
afterEach(async () => {
  await store.close();
  await proxy.close();
  await schema.drop();
});

test.each<[string, Partial<StoreSearch>]>([
  ["the newest", {}],
  ["those of a status", { statuses: ["PENDING"] }],
  [
    "those of a user",
    { where: { kind: "equals", field: { of: "attribute", name: "userId" }, values: [1] }, sortBy: "id" },
  ],
  ["those that meet a condition", { where: { kind: "exists", field: { of: "payload", path: ["text"] } } }],
  ["in an order that is near another one", { sortBy: "dueAt" }],
  ["in an order that nothing has", { sortBy: "priority" }],
])("%s: what fits", async (_, asked) => {
  const search = newSearch({ ...asked, limit: 40 });
  const whole = await sentFor(search);
  expect(whole.tasks).toBe(40);
  expect(whole.bytes).toBeGreaterThan(40 * size);
  const cut = await sentFor({ ...search, bytesMax: 5.5 * size });
  expect(cut.tasks).toBe(5);
  expect(cut.bytes).toBeGreaterThan(5 * size);
  // What is tested is read a portion at a time, and once more for the page.
  expect(cut.bytes).toBeLessThan((search.where?.kind === "exists" ? 18 : 7) * size);
});

async function sentFor(search: StoreSearch): Promise<{ tasks: number; bytes: number }> {
  const before = proxy.received;
  const { tasks } = await store.searchTasks(search);
  return { tasks: tasks.length, bytes: proxy.received - before };
}
