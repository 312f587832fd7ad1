/** Tasks that are not indexed yet: all that have a text are looked at, and few of the others. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { foldText } from "../../../server/tasks/core/filters/condition.ts";
import type { TaskStore } from "../../../server/tasks/core/store.ts";
import { searchableText } from "../../../server/tasks/core/values/searchable-text.ts";
import { Connection } from "../../../server/tasks/stores/sqlite/connection.ts";
import { createSqliteStore } from "../../../server/tasks/stores/sqlite/store.ts";
import { sql, unindexedWith } from "../../../server/tasks/stores/sqlite/texts/text-unindexed.ts";
import {
  newDefinition,
  newSearch,
  newTask,
  newTasks,
  newWorker,
  settlementOf,
} from "../../support/builders.ts";
import { tasksOf } from "../../support/found.ts";
import { claimRequest, ok } from "../../support/stores.ts";
import { TestClock } from "../../support/test-clock.ts";

const folder = mkdtempSync(join(tmpdir(), "dure-text-unindexed-"));
const path = join(folder, "tasks.db");
let store: TaskStore;
let connection: Connection;

const own = (id: string, text: unknown) => newTask({ id, payload: { text } });
const tasks = [
  own("upper", "ORDER 4242 of Zoë"),
  own("wide", "ｏｒｄｅｒ ４２４２"),
  own("decomposed", "영수증".normalize("NFD")),
  own("quoted", 'say "hello there" twice'),
  own("back", "C:\\temp\\order"),
  own("number", 777_777),
  own("percent", "100%_done"),
  own("long", `${"x".repeat(30_000)} order 4242`),
  own("kelvin", "300 \u{212a}elvin"),
  newTask({ id: "tagged", tags: ["order-vip"], payload: null }),
  newTask({ id: "described", description: "ships an ORDER", payload: null }),
  newTask({ id: "of definition", type: "send-receipt", payload: null }),
];
const texts = ["order 4242", "영수증", '"hello there"', "temp\\order", "777777", "100%_done", "300 kelvin"];
const others = [
  "order-vip",
  "ships an order",
  "a receipt by mail",
  "it broke: etimedout",
  "zoë",
  "found nowhere",
];

beforeAll(async () => {
  store = createSqliteStore({ path, clock: new TestClock() });
  await store.open();
  ok(
    await store.saveDefinitions([
      { ...newDefinition("send-receipt"), description: "Sends a receipt by mail" },
    ]),
  );
  ok(await store.registerWorker(newWorker()));
  const failing = newTask({ id: "failed", payload: null, priority: 9 });
  ok(await store.enqueueTasks([...tasks, failing, ...newTasks(500, { payload: { text: "plain" } })]));
  const { claimed } = ok(await store.claimTasks(claimRequest({ limit: 1 })));
  const error = { name: "Error", message: "It broke: ETIMEDOUT", stack: "Error: It broke: ETIMEDOUT" };
  await store.settleTasks(claimed.map((one) => ({ ...settlementOf(one, "failed"), error })));
  connection = new Connection({ path, durability: "full", role: "reader" });
});

afterAll(async () => {
  connection?.close();
  await store?.close();
  rmSync(folder, { recursive: true, force: true });
});

test("each that has a text is among them, and few of those that have not", async () => {
  const all = await store.readUnindexed({ limit: 1_000 });
  const having = (text: string) =>
    all
      .filter(({ task, attempts, json }) => searchableText(task, attempts, json).includes(text))
      .map(({ task }) => task.id);
  const met = await Promise.all(
    [...texts, ...others].map(async (text) => {
      const seqs = unindexedWith(connection, foldText(text), 2_000)!;
      const rows = connection.rows(
        "SELECT id FROM tasks WHERE seq IN (SELECT value FROM json_each(?))",
        JSON.stringify(seqs),
      );
      const found = await tasksOf(
        store.searchTasks(newSearch({ where: { kind: "text", text: foldText(text) } })),
      );
      return { text, maybe: rows.map(({ id }) => id), found: found.map(({ id }) => id).sort() };
    }),
  );
  for (const { text, maybe, found } of met) {
    const expected = having(foldText(text)).sort();
    expect(maybe, text).toEqual(expect.arrayContaining(expected));
    expect(found, text).toEqual(expected);
  }
  expect(met.map(({ found }) => found.length)).toEqual([3, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0]);
  // Where a definition is described so, any of its tasks may have it.
  const few = met.filter(({ text }) => text !== "a receipt by mail");
  expect(Math.max(...few.map(({ maybe }) => maybe.length))).toBeLessThan(12);
});

test("more than are looked at are not read", () => {
  expect(unindexedWith(connection, "found nowhere", 400)).toBeUndefined();
});

test("none of what is asked of them scans more than what is not indexed", () => {
  for (const text of Object.values(sql)) {
    const plan = connection.rows(`EXPLAIN QUERY PLAN ${text}`).map(({ detail }) => String(detail));
    expect(plan.filter((detail) => /^SCAN tasks/.test(detail), text)).toEqual([]);
  }
});

test("a value at a place is found by the index of texts behind thirty thousand new tasks", async () => {
  const place = { of: "payload", path: ["text"] } as const;
  const where = { kind: "equals", field: place, values: [777_777] } as const;
  ok(await store.enqueueTasks(newTasks(30_000, { payload: { other: 1 } })));
  const search = newSearch({ where, budgetMs: 60_000 });
  expect(await store.explainSearch(search)).toMatchObject({ source: "texts" });
  const found = await store.searchTasks(search);
  expect(found.tasks.map(({ id }) => id)).toEqual(["number"]);
  expect(found.stoppedAt).toBeUndefined();
});
