/** Attributes that a worker takes of a task that is at its end at the same moment. */
import pg from "pg";
import { afterEach, beforeEach, expect, test } from "vitest";
import { lackingAttributes } from "../../server/tasks/core/attributes.ts";
import type { TaskStore } from "../../server/tasks/core/store.ts";
import { createPostgresStore } from "../../server/tasks/stores/postgres/store.ts";
import { newDefinition, newSearch, newTask, newWorker, settlementOf } from "../support/builders.ts";
import type { TestSchema } from "../support/postgres.ts";
import { takeTestSchema } from "../support/spare-schemas.ts";
import { claimRequest, ok } from "../support/stores.ts";

let schema: TestSchema;
let store: TaskStore;
let holder: pg.Client;

beforeEach(async () => {
  schema = await takeTestSchema();
  store = createPostgresStore({ url: schema.url });
  await store.open();
  holder = new pg.Client({ connectionString: schema.url.replace(/\?.*/, "") });
  await holder.connect();
});
afterEach(async () => {
  await holder.end();
  await store.close();
  await schema.drop();
});

async function waits(statement: string): Promise<void> {
  const text = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE $1";
  await expect.poll(() => schema.query(text, [`%dure:${statement} %`])).toHaveLength(1);
}

test.each(["before", "after"])("they are counted once when they are taken just %s it ends", async (when) => {
  ok(await store.registerWorker(newWorker()));
  ok(await store.saveDefinitions([{ ...newDefinition(), attributes: ["user"] }]));
  ok(await store.enqueueTasks([{ ...newTask({ payload: { user: 7 } }), attributes: lackingAttributes }]));
  const [claimed] = ok(await store.claimTasks(claimRequest())).claimed;
  const [unfilled] = await store.readUnfilled({ types: ["resize-image"], limit: 1 });
  await holder.query("BEGIN");
  await holder.query(`SELECT FROM ${schema.quoted}.tasks FOR UPDATE`);
  const attributes = { user: 7 };
  const supply = () => store.writeAttributes([{ ref: unfilled!.ref, attributes }]);
  const settle = () => store.settleTasks([settlementOf(claimed!, "completed", { attributes })]);
  const first = when === "before" ? supply() : settle();
  await waits(when === "before" ? "lockTasksToFill" : "settleTasks");
  const second = when === "before" ? settle() : supply();
  await waits(when === "before" ? "settleTasks" : "lockTasksToFill");
  await holder.query("COMMIT");
  expect([await first, await second].map(({ kind }) => kind)).toEqual(["ok", "ok"]);
  const { counts } = await store.countAttribute({ name: "user" });
  expect(counts).toEqual([{ type: "resize-image", value: 7, status: "COMPLETED", count: 1 }]);
  const where = { kind: "equals", field: { of: "attribute", name: "user" }, values: [7] } as const;
  expect((await store.searchTasks(newSearch({ where }))).tasks).toHaveLength(1);
  expect(await store.countTasks(newSearch({ where }))).toEqual({ count: 1, errorMax: 0 });
  const findings = await store.checkHealth({ full: true });
  expect(findings.find(({ check }) => check === "attributes")).toMatchObject({ level: "ok" });
});
