/** Counts by the change, where many tasks that wait were changed: only those of the range are read. */
import pg from "pg";
import { expect, test, vi } from "vitest";
import { hourMs } from "../../server/tasks/stores/shared/hours.ts";
import { newSearch, newTask, startAt } from "../support/builders.ts";
import { schemaStoreForAll } from "../support/schema-store.ts";
import { ok } from "../support/stores.ts";

const tasks = 1_500;
const minuteMs = 60_000;

const of = schemaStoreForAll(async (store) => {
  const ids = Array.from({ length: tasks }, (_, n) => `own-${n}`);
  ok(await store.enqueueTasks(ids.map((id, n) => newTask({ id, createdAt: startAt - n * minuteMs }))));
  await Promise.all(ids.map(async (id) => ok(await store.editTask(id, { priority: 3 }))));
});

interface Plan {
  "Relation Name"?: string;
  "Actual Rows": number;
  "Actual Loops": number;
  Plans?: Plan[];
}

test("of those that were changed and wait no more are read than were created or changed in the range", async () => {
  const start = Math.floor(startAt / hourMs) * hourMs - 8 * hourMs;
  const search = newSearch({ updated: { start, end: start + hourMs } });
  const parse = vi.spyOn(pg.Connection.prototype, "parse");
  const bind = vi.spyOn(pg.Connection.prototype, "bind");
  await of.store.summarizeTasks(search, undefined, ["status"]);
  const texts = new Map(parse.mock.calls.map(([given]) => [given.name, given.text]));
  const asked = bind.mock.calls.flatMap(([given]) => {
    const text = texts.get(given?.statement ?? "");
    return text?.includes("minute_changes") ? [{ text, values: given?.values ?? [] }] : [];
  });
  vi.restoreAllMocks();
  expect(asked.length).toBeGreaterThan(0);
  const client = new pg.Client({ connectionString: of.schema.url.replace(/\?.*/, "") });
  await client.connect();
  await client.query("SET enable_seqscan = off");
  let read = 0;
  for (const { text, values } of asked) {
    const { rows } = await client.query(`EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) ${text}`, values);
    read += readOf(rows[0]["QUERY PLAN"][0].Plan);
  }
  await client.end();
  expect(read).toBeLessThan(200);
});

/** How many tasks a plan gives. */
function readOf(plan: Plan): number {
  const own = plan["Relation Name"] === "tasks" ? plan["Actual Rows"] * plan["Actual Loops"] : 0;
  return (plan.Plans ?? []).reduce((sum, part) => sum + readOf(part), own);
}
