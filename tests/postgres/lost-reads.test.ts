/** Reads whose answers are lost are asked again: whoever searches is not told, and what is taken to be indexed is not left for a minute. */
import { beforeEach, expect, test } from "vitest";
import type { StoreSearch } from "../../server/tasks/core/store.ts";
import { newDefinition, newSearch, newTask, newWorker, settlementOf } from "../support/builders.ts";
import { direct, proxy, store, useLossyStore } from "../support/lossy-store.ts";
import { claimRequest, ok } from "../support/stores.ts";

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

test.each(["mayBeUnindexed", "unindexedTasks", "attemptsInText"])(
  "%s of what is to be indexed",
  async (lost) => {
    ok(await direct.registerWorker(newWorker()));
    const { claimed } = ok(await direct.claimTasks(claimRequest()));
    ok(await direct.settleTasks([settlementOf(claimed[0]!, "completed")]));
    const loss = proxy.loseAnswer(new RegExp(`dure:${lost}`));
    const unindexed = await store.readUnindexed({ limit: 10 });
    await loss;
    expect(unindexed.map((one) => one.task.id)).toEqual([task.id]);
  },
);

test("that work may have been taken is said with a code", async () => {
  const loss = proxy.loseAnswer(/dure:takeTextWork/);
  await expect(store.readUnindexed({ limit: 10 })).rejects.toMatchObject({
    code: "DATABASE_UNAVAILABLE",
    message: expect.stringMatching(/lost before the answer came\. [A-Z]/),
  });
  await loss;
});
