/** Lanes are asked for beside the statement that needs them, and are true of the server that is there now. */
import { afterEach, beforeEach, expect, test } from "vitest";
import type { TaskStore } from "../../server/tasks/core/store.ts";
import { createPostgresStore } from "../../server/tasks/stores/postgres/store.ts";
import { newSearch, newTask } from "../support/builders.ts";
import { CuttingProxy } from "../support/cutting-proxy.ts";
import { tasksOf } from "../support/found.ts";
import type { TestSchema } from "../support/postgres.ts";
import { takeTestSchema } from "../support/spare-schemas.ts";

let schema: TestSchema;
let proxy: CuttingProxy;
const stores: TaskStore[] = [];

beforeEach(async () => {
  schema = await takeTestSchema();
  proxy = await CuttingProxy.start(schema.url);
});
afterEach(async () => {
  await Promise.all(stores.splice(0).map((store) => store.close()));
  await proxy.close();
  await schema.drop();
});

async function openStore({ url = schema.url, options = "" } = {}): Promise<TaskStore> {
  const store = createPostgresStore({ url: url + options });
  stores.push(store);
  await store.open();
  return store;
}

test("more callers than connections, each of whom must ask for a lane in its transaction", async () => {
  const store = await openStore({ options: "&pool_size=2" });
  const tasks = Array.from({ length: 40 }, (_, index) =>
    newTask({ id: `own-${index}`, type: `type-${index % 3}` }),
  );
  const began = performance.now();
  const answers = await Promise.all(tasks.map((task) => store.enqueueTasks([task])));
  expect(answers).toEqual(tasks.map(() => ({ kind: "ok", value: [null] })));
  expect(performance.now() - began).toBeLessThan(10_000);
});

test("more callers than connections, each of whom meets a task that is stored already", async () => {
  const [first, second] = [await openStore(), await openStore({ options: "&pool_size=2" })];
  const stored = newTask({ idempotencyKey: "order-17" });
  await first.enqueueTasks([stored]);
  const again = Array.from({ length: 40 }, () => newTask({ idempotencyKey: "order-17" }));
  const answers = await Promise.all(again.map((task) => second.enqueueTasks([task])));
  for (const answer of answers) expect(answer).toMatchObject({ kind: "ok", value: [{ id: stored.id }] });
});

/** As after a failover to a standby, or a restored backup, that lacks the latest. */
async function loseLanes(): Promise<void> {
  await schema.query("TRUNCATE :schema.tasks, :schema.lanes RESTART IDENTITY");
  proxy.cut();
}

const types = async (store: TaskStore) =>
  (await tasksOf(store.searchTasks(newSearch({ sortBy: "createdAt" })))).map(({ type }) => type).sort();

for (const ownId of [false, true]) {
  test(`a server that has lost a lane does not take its tasks for others, ${ownId ? "own" : "generated"} ids`, async () => {
    const store = await openStore({ url: proxy.url(schema.url) });
    const task = (type: string, id: string) => newTask({ type, ...(ownId && { id }) });
    await store.enqueueTasks([task("pay", "a")]);
    expect(await types(store)).toEqual(["pay"]);
    await loseLanes();
    const other = await openStore();
    await other.enqueueTasks([task("mail", "b")]);
    await store.enqueueTasks([task("pay", "c")]);
    expect(await types(other)).toEqual(["mail", "pay"]);
    expect(await types(store)).toEqual(["mail", "pay"]);
  });
}
