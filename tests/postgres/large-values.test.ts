/** Large values, more of them at once than one statement can take. */
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { NewTask, TaskStore } from "../../server/tasks/core/store.ts";
import { createPostgresStore } from "../../server/tasks/stores/postgres/store.ts";
import { newSearch, newTask, newTasks, newWorker, settlementOf } from "../support/builders.ts";
import { countOf } from "../support/found.ts";
import type { TestSchema } from "../support/postgres.ts";
import { takeTestSchema } from "../support/spare-schemas.ts";

vi.setConfig({ testTimeout: 120_000 });

/** One goes into a statement with none beside it. */
const count = 3;
const json = JSON.stringify("x".repeat(17 * 1024 * 1024));
/** Nine of these are longer than the longest string of JavaScript, 2^29 characters. */
const longJson = JSON.stringify("x".repeat(60 * 1024 * 1024));

let schema: TestSchema;
let store: TaskStore;

beforeEach(async () => {
  schema = await takeTestSchema();
  store = createPostgresStore({ url: schema.url });
  await store.open();
});
afterEach(async () => {
  await store.close();
  await schema.drop();
});

const stored = () => countOf(store.countTasks(newSearch()));
const large = (task: NewTask): NewTask => ({ ...task, payload: { json } });

test("tasks that are enqueued at once by many callers", async () => {
  const tasks = newTasks(9).map((task): NewTask => ({ ...task, payload: { json: longJson } }));
  const answers = await Promise.all(tasks.map(async (task) => (await store.enqueueTasks([task])).kind));
  expect(new Set(answers)).toEqual(new Set(["ok"]));
  expect(await stored()).toBe(9);
});

test("the tasks of one call, all or none", async () => {
  const tasks = newTasks(count).map(large);
  const taken = newTask({ id: "taken" });
  await store.enqueueTasks([taken]);
  const refused = await store.enqueueTasks([...tasks, { ...taken, payload: { json: '"other"' } }]);
  expect(refused).toMatchObject({ kind: "rejected", reason: "id-taken", details: { index: count } });
  expect(await stored()).toBe(1);
  expect((await store.enqueueTasks(tasks)).kind).toBe("ok");
  expect(await stored()).toBe(1 + count);
});

test("results that are settled at once", async () => {
  await store.registerWorker(newWorker());
  await store.enqueueTasks(newTasks(count));
  const claim = { workerId: "worker-1", types: ["resize-image"], limit: count, suspect: false };
  const reply = await store.claimTasks(claim);
  if (reply.kind !== "ok") throw new Error(reply.kind);
  expect(reply.value.claimed).toHaveLength(count);
  const answer = await store.settleTasks(
    reply.value.claimed.map((claimed) => settlementOf(claimed, "completed", { result: { json } })),
  );
  expect(answer).toEqual({
    kind: "ok",
    value: new Array(count).fill({ kind: "settled", status: "COMPLETED" }),
  });
});

test("records that are written at once", async () => {
  await store.enqueueTasks(newTasks(count));
  const records = await store.readRecords({ limit: count });
  await schema.query("TRUNCATE :schema.tasks, :schema.tally_changes, :schema.tallies");
  const answer = await store.writeRecords(records.map((record) => ({ ...record, payload: { json } })));
  expect(answer).toEqual({ kind: "ok", value: records.map(({ id }) => id) });
  expect(await stored()).toBe(count);
});
