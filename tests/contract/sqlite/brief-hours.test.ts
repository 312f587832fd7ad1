/** What is kept of brief tasks: in which hours of creation tasks ran for so many milliseconds; see brief-hours.ts. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { TaskStore } from "../../../server/tasks/core/store.ts";
import { createSqliteStore } from "../../../server/tasks/stores/sqlite/store.ts";
import { newSearch, newTask, newWorker, settlementOf, startAt } from "../../support/builders.ts";
import { tasksOf } from "../../support/found.ts";
import { claimRequest, ok } from "../../support/stores.ts";
import { TestClock } from "../../support/test-clock.ts";

const hour = startAt / 3_600_000;
const completed = 3;
let folder: string;
let clock: TestClock;
let store: TaskStore;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "dure-brief-"));
  clock = new TestClock();
  store = createSqliteStore({ path: join(folder, "tasks.db"), clock });
  await store.open();
  ok(await store.registerWorker(newWorker()));
});

afterEach(async () => {
  await store.close();
  rmSync(folder, { recursive: true, force: true });
});

/** Duration and hour of each row. */
function kept(): number[][] {
  const database = new DatabaseSync(join(folder, "tasks.db"), { readOnly: true });
  const rows = database
    .prepare("SELECT lane, status, duration, hour FROM brief_hours ORDER BY 1, 2, 3, 4")
    .all();
  database.close();
  expect(rows.every(({ status }) => status === completed)).toBe(true);
  return rows.map(({ duration, hour }) => [duration as number, hour as number]);
}

async function run(ms: number): Promise<string> {
  ok(await store.enqueueTasks([newTask({ createdAt: clock.now() })]));
  const { claimed } = ok(await store.claimTasks(claimRequest()));
  await clock.advance(ms);
  ok(await store.settleTasks(claimed.map((one) => settlementOf(one, "completed"))));
  return claimed[0]!.task.id;
}

test("a duration of an hour is kept once, and only of brief tasks", async () => {
  for (const ms of [7, 7, 0, 63, 64, 1_000]) await run(ms);
  expect(kept()).toEqual([
    [0, hour],
    [7, hour],
    [63, hour],
  ]);
  await clock.advance(3_600_000);
  await run(7);
  expect(kept()).toContainEqual([7, hour + 1]);
});

test("an hour that has no tasks any more has no durations, and those that come to it are found", async () => {
  const ids = [await run(7), await run(8)];
  ok(await store.deleteTask(ids[0]!));
  // Of tasks that are gone, too.
  expect(kept()).toEqual([
    [7, hour],
    [8, hour],
  ]);
  ok(await store.deleteTask(ids[1]!));
  expect(kept()).toEqual([]);
  const id = await run(7);
  const found = await tasksOf(store.searchTasks(newSearch({ sortBy: "duration", descending: false })));
  expect(found.map((task) => task.id)).toEqual([id]);
});
