/** Newest first those that are due within a later range, of so many that they are looked for in the list of all tasks. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Condition } from "../../../server/tasks/core/filters/condition.ts";
import type { NewTask, StoreSearch, TaskStore } from "../../../server/tasks/core/store.ts";
import { Connection } from "../../../server/tasks/stores/sqlite/connection.ts";
import { searchTasks } from "../../../server/tasks/stores/sqlite/search/search-walk.ts";
import { createSqliteStore } from "../../../server/tasks/stores/sqlite/store.ts";
import { newSearch, newTasks, startAt } from "../../support/builders.ts";
import { ok } from "../../support/stores.ts";
import { TestClock } from "../../support/test-clock.ts";

const folder = mkdtempSync(join(tmpdir(), "dure-due-list-"));
const path = join(folder, "tasks.db");
const dueFrom = startAt + 100_000_000;
const search = newSearch({
  ...{ statuses: ["PENDING"], sortBy: "createdAt", descending: true, limit: 50, definitions: false },
  where: {
    ...{ kind: "range", field: { of: "task", name: "dueAt" } },
    ...{ from: { value: dueFrom, isIncluded: true }, to: { value: dueFrom + 1_000_000, isIncluded: false } },
  },
});
let store: TaskStore;
let reader: Connection;
/** Oldest first. */
let tasks: NewTask[];
/** Newest first. */
let wanted: string[];

beforeAll(async () => {
  store = createSqliteStore({ path, clock: new TestClock() });
  await store.open();
  // One of three is due within the range, another one a little later.
  tasks = Array.from({ length: 330 }, (_, second) =>
    newTasks(100, { createdAt: startAt + second * 1_000 }).map((task, place): NewTask => {
      const dueAt = [dueFrom + ((7 * place) % 100) * 10_000, dueFrom + 1_000_000, task.dueAt][place % 3]!;
      return { ...task, dueAt, type: ["resize-image", "send-receipt"][place % 2]! };
    }),
  ).flat();
  ok(await store.enqueueTasks(tasks));
  wanted = tasks
    .filter(({ dueAt }) => dueAt >= dueFrom && dueAt < dueFrom + 1_000_000)
    .map(({ id }) => id)
    .reverse();
  reader = new Connection({ path, durability: "full", role: "reader" });
});

afterAll(async () => {
  reader?.close();
  await store?.close();
  rmSync(folder, { recursive: true, force: true });
});

/** Page after page, and whether the list and the index of delayed tasks were read. */
function pagesOf(asked: StoreSearch, most: number): { ids: string[]; isListed: boolean; isIndexed: boolean } {
  const { prepare } = reader;
  const texts: string[] = [];
  reader.prepare = (text) => {
    texts.push(text);
    return prepare.call(reader, text);
  };
  const ids: string[] = [];
  for (let { after } = asked; ids.length < most; ) {
    const { tasks } = reader.snapshot(() => searchTasks(reader, { ...asked, ...(after && { after }) }));
    ids.push(...tasks.rows.map(([, id]) => id as string));
    const last = tasks.rows.at(-1);
    if (!last) break;
    after = { value: last[6] as number, id: last[1] as string, backwards: asked.after?.backwards ?? false };
  }
  reader.prepare = prepare;
  return {
    ids,
    isListed: texts.some((text) => /INDEXED BY tasks_id\s.*.*due_at BETWEEN \? AND \?/s.test(text)),
    isIndexed: texts.some((text) =>
      /SELECT created_at, id, seq FROM pairs .*INDEXED BY tasks_delayed/s.test(text),
    ),
  };
}

test("a page comes from the list, and those behind it, too", () => {
  const { isListed, isIndexed, ids } = pagesOf(search, 1_000);
  expect({ isListed, isIndexed }).toEqual({ isListed: true, isIndexed: false });
  expect(ids).toEqual(wanted.slice(0, 1_000));
  const created = { start: startAt + 20_000, end: startAt + 300_000 };
  const within = wanted.slice(30 * 34, -20 * 34);
  expect(pagesOf({ ...search, created, limit: 700 }, 1_400).ids).toEqual(within.slice(0, 1_400));
  expect(pagesOf({ ...search, limit: 70, offset: 5_000 }, 70).ids).toEqual(wanted.slice(5_000, 5_070));
});

test("those that were created within the range, but for those that are due later", () => {
  const [from, to] = [startAt + 100_000, startAt + 200_000];
  const where: Condition = {
    ...{ kind: "range", field: { of: "task", name: "dueAt" } },
    ...{ from: { value: from, isIncluded: true }, to: { value: to, isIncluded: false } },
  };
  const within = tasks.filter(({ dueAt }) => dueAt >= from && dueAt < to);
  const due = within.map(({ id }) => id);
  expect(due).toHaveLength(3_300);
  expect(pagesOf({ ...search, where, limit: 400 }, 3_300).ids).toEqual(due.toReversed());
  const upwards = { ...search, where, limit: 400, descending: false };
  expect(pagesOf(upwards, 3_300).ids).toEqual(due);
  const ofType = within.filter(({ type }) => type === "send-receipt");
  expect(pagesOf({ ...upwards, types: ["send-receipt"] }, 3_300).ids).toEqual(ofType.map(({ id }) => id));
});

test("where the list has none for long, they come from the index", async () => {
  const others = newTasks(20_500, { createdAt: startAt + 400_000 });
  ok(await store.enqueueTasks(others));
  const { isListed, isIndexed, ids } = pagesOf(search, 200);
  expect({ isListed, isIndexed }).toEqual({ isListed: true, isIndexed: true });
  expect(ids).toEqual(wanted.slice(0, 200));
});
