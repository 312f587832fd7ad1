/** The limit of how many tasks may wait in a queue costs little: the question, and the refusal. */
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { TaskStore } from "../../server/tasks/core/store.ts";
import { Database } from "../../server/tasks/stores/postgres/connections/database.ts";
import { waitingInQueues } from "../../server/tasks/stores/postgres/queue-depth.ts";
import { createPostgresStore } from "../../server/tasks/stores/postgres/store.ts";
import { newTask, newTasks } from "../support/builders.ts";
import type { TestSchema } from "../support/postgres.ts";
import { takeTestSchema } from "../support/spare-schemas.ts";
import { ok } from "../support/stores.ts";

let schema: TestSchema;
let store: TaskStore;

beforeEach(async () => {
  schema = await takeTestSchema();
  store = createPostgresStore({ url: schema.url });
  await store.open();
});
afterEach(async () => {
  vi.restoreAllMocks();
  await store.close();
  await schema.drop();
});

const mail = { queue: "mail", queueDepthMax: 3 };
const names = (spy: { mock: { calls: unknown[][] } }) =>
  spy.mock.calls.map(([statement]) => (statement as { name: string }).name);

test("calls that a full queue refuses ask one question together, and write nothing", async () => {
  ok(await store.enqueueTasks(newTasks(3, mail)));
  const query = vi.spyOn(Database.prototype, "query");
  const others = ["queryWith", "transaction"] as const;
  const spies = others.map((name) => vi.spyOn(Database.prototype, name));
  const answers = await Promise.all(newTasks(20, mail).map((task) => store.enqueueTasks([task])));
  for (const answer of answers)
    expect(answer).toEqual({ kind: "rejected", reason: "queue-full", details: { queue: "mail", max: 3 } });
  expect(names(query)).toEqual(["waitingInQueues"]);
  for (const spy of spies) expect(spy).not.toHaveBeenCalled();
});

test("a task that a full queue may hold already is looked for", async () => {
  const stored = newTask({ ...mail, idempotencyKey: "order-17" });
  ok(await store.enqueueTasks([stored]));
  ok(await store.enqueueTasks(newTasks(2, mail)));
  const again = newTask({ ...mail, idempotencyKey: "order-17" });
  expect(ok(await store.enqueueTasks([again]))).toMatchObject([{ id: stored.id }]);
});

test("other queues, however many, are not looked through", async () => {
  await schema.query(
    `INSERT INTO :schema.lanes (type, queue, own_ids) SELECT 'resize-image', 'queue-' || n, false FROM generate_series(1, 5000) AS n`,
  );
  await schema.query(
    "INSERT INTO :schema.tallies SELECT lane, status, 7 FROM :schema.lanes, generate_series(1, 5) AS status",
  );
  await schema.query("ANALYZE :schema.lanes, :schema.tallies");
  const plan = await schema.query(`EXPLAIN ${waitingInQueues.text}`, [["queue-17"]]);
  const text = plan.map((row) => row["QUERY PLAN"]).join("\n");
  expect(text).toContain("lanes_queue");
  expect(text).not.toMatch(/Seq Scan on (lanes|tallies)/);
  expect(await schema.query(waitingInQueues.text, [["queue-17"]])).toEqual([{ queue: "queue-17", sum: "7" }]);
});
