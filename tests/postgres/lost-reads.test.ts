/** Reads of a search whose answers are lost are asked again: whoever searches is not told. */
import { beforeEach, expect, test } from "vitest";
import type { StoreSearch } from "../../server/tasks/core/store.ts";
import { newDefinition, newSearch, newTask } from "../support/builders.ts";
import { direct, proxy, store, useLossyStore } from "../support/lossy-store.ts";
import { ok } from "../support/stores.ts";

const definition = newDefinition("nightly-report");
const task = newTask({ id: "resize-17" });

useLossyStore();
beforeEach(async () => {
  ok(await direct.saveDefinitions([definition]));
  ok(await direct.enqueueTasks([task]));
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
