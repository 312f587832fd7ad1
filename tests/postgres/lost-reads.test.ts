/** Reads of a search whose answers are lost are asked again: whoever searches is not told. */
import { afterEach, beforeEach, expect, test } from "vitest";
import type { StoreSearch, TaskStore } from "../../server/tasks/core/store.ts";
import { createPostgresStore } from "../../server/tasks/stores/postgres/store.ts";
import { newDefinition, newSearch, newTask } from "../support/builders.ts";
import { CuttingProxy } from "../support/cutting-proxy.ts";
import type { TestSchema } from "../support/postgres.ts";
import { takeTestSchema } from "../support/spare-schemas.ts";
import { ok } from "../support/stores.ts";

const definition = newDefinition("nightly-report");
const task = newTask({ id: "resize-17" });

let schema: TestSchema;
let proxy: CuttingProxy;
/** Through the network that fails, and past it. */
let store: TaskStore;
let direct: TaskStore;

beforeEach(async () => {
  schema = await takeTestSchema();
  proxy = await CuttingProxy.start(schema.url);
  store = createPostgresStore({ url: proxy.url(schema.url) });
  direct = createPostgresStore({ url: schema.url });
  await direct.open();
  await store.open();
  ok(await direct.saveDefinitions([definition]));
  ok(await direct.enqueueTasks([task]));
});
afterEach(async () => {
  await Promise.all([store.close(), direct.close()]);
  await proxy.close();
  await schema.drop();
});

test.each<[RegExp, Partial<StoreSearch>, string]>([
  [/dure:allLanes/, { types: [task.type] }, task.id],
  [/dure:outline/, { types: [task.type] }, task.id],
  [/dure:outline/, { id: definition.id, definitions: true }, definition.id],
])("%s of %j", async (lost, asked, id) => {
  const loss = proxy.loseAnswer(lost);
  const { tasks } = await store.searchTasks(newSearch(asked));
  await loss;
  expect(tasks.map((found) => found.id)).toEqual([id]);
});
