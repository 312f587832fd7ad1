/** What is to be indexed is read by portions, so that searches need not wait for all of it; tasks may change in between. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { TaskStore } from "../../../server/tasks/core/store.ts";
import { Connection } from "../../../server/tasks/stores/sqlite/connection.ts";
import { createSqliteStore } from "../../../server/tasks/stores/sqlite/store.ts";
import { readUnindexed } from "../../../server/tasks/stores/sqlite/threads/outgoing-index.ts";
import { readVerbs } from "../../../server/tasks/stores/sqlite/threads/verbs.ts";
import { newTasks } from "../../support/builders.ts";
import { ok } from "../../support/stores.ts";
import { TestClock } from "../../support/test-clock.ts";

type Asked = [verb: string, argument: unknown];

let folder: string;
let store: TaskStore;
let connection: Connection;
let asked: Asked[];
let between: () => Promise<unknown>;

/** What the store asks its reading thread, asked here. */
const threads = {
  readAside: async (verb: string, argument: unknown) => {
    asked.push([verb, argument]);
    const answer = connection.snapshot(() => (readVerbs as any)[verb](connection, argument));
    await between();
    return answer;
  },
} as Parameters<typeof readUnindexed>[0];

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "dure-unindexed-"));
  const path = join(folder, "tasks.db");
  store = createSqliteStore({ path, clock: new TestClock() });
  await store.open();
  connection = new Connection({ path, durability: "full", role: "reader" });
  asked = [];
  between = async () => undefined;
});

afterEach(async () => {
  connection.close();
  await store.close();
  rmSync(folder, { recursive: true, force: true });
});

test("no more than fifty tasks are read in one go", async () => {
  const tasks = newTasks(120);
  ok(await store.enqueueTasks(tasks));
  const read = await readUnindexed(threads, { limit: 120 });
  expect(read.map(({ task }) => task.id)).toEqual(tasks.map(({ id }) => id));
  const portions = asked.filter(([verb]) => verb === "readUnindexed").map(([, seqs]) => seqs as number[]);
  expect(portions.map((seqs) => seqs.length)).toEqual([50, 50, 20]);
});

test("changed tasks take the places that new ones leave", async () => {
  const tasks = newTasks(120);
  ok(await store.enqueueTasks(tasks));
  const changed = new Set(tasks.slice(0, 90).map(({ id }) => id));
  for (const id of changed) ok(await store.cancelTask(id));
  const read = await readUnindexed(threads, { limit: 100 });
  expect(new Set(read.map(({ task }) => task.id)).size).toBe(100);
  expect(read.filter(({ task }) => changed.has(task.id))).toHaveLength(70);
  ok(await store.writeTexts(read.map(({ ref }) => ({ ref, text: "some text" }))));
  const rest = await readUnindexed(threads, { limit: 100 });
  expect(rest).toHaveLength(20);
  ok(await store.writeTexts(rest.map(({ ref }) => ({ ref, text: "some text" }))));
  expect(await store.readUnindexed({ limit: 10 })).toEqual([]);
});

test("a task that changes before its row is read is met again", async () => {
  const [first, second, third] = newTasks(3);
  ok(await store.enqueueTasks([first!, second!, third!]));
  between = async () => {
    between = async () => undefined;
    ok(await store.cancelTask(second!.id));
    ok(await store.cancelTask(third!.id));
    ok(await store.deleteTask(third!.id));
  };
  const read = await readUnindexed(threads, { limit: 10 });
  const versions = read.map(({ task, ref }) => [task.id, (ref as { version: number }).version]);
  expect(versions).toEqual([
    [first!.id, 1],
    [second!.id, 2],
  ]);
  ok(await store.writeTexts(read.map(({ ref }) => ({ ref, text: "some text" }))));
  const again = await readUnindexed(threads, { limit: 10 });
  expect(again.map(({ task }) => task.id)).toEqual([second!.id]);
  ok(await store.writeTexts(again.map(({ ref }) => ({ ref, text: "some text" }))));
  expect(await store.readUnindexed({ limit: 10 })).toEqual([]);
});
