/** Instants of changes never go back in a file, whatever the clocks of its writers say: a follower misses nothing. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { TaskStore } from "../../../server/tasks/core/store.ts";
import { createSqliteStore } from "../../../server/tasks/stores/sqlite/store.ts";
import { newTask } from "../../support/builders.ts";
import { ok } from "../../support/stores.ts";
import { TestClock } from "../../support/test-clock.ts";

let folder: string;
let cursor: string;
let stores: TaskStore[];
const startAt = Date.UTC(2026, 10, 23);

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "dure-changes-"));
  stores = [];
});
afterEach(async () => {
  await Promise.all(stores.map((store) => store.close()));
  rmSync(folder, { recursive: true });
});

async function open(clock: TestClock): Promise<TaskStore> {
  const store = createSqliteStore({ path: join(folder, "tasks.db"), clock });
  stores.push(store);
  await store.open();
  return store;
}

async function told(store: TaskStore): Promise<string[]> {
  const page = await store.readChanges({ since: cursor, limit: 100 });
  ({ cursor } = page);
  return page.changes.map(({ id }) => id).sort();
}

const edit = async (store: TaskStore, id: string) => ok(await store.editTask(id, { priority: 3 }));

async function storeTasks(store: TaskStore, ...ids: string[]): Promise<void> {
  ok(await store.enqueueTasks(ids.map((id) => newTask({ id, createdAt: startAt - 7_200_000 }))));
  ({ cursor } = await store.readChanges({ limit: 1 }));
}

test("a writer whose clock, or whose request, is behind", async () => {
  const ahead = await open(new TestClock(startAt));
  const behind = await open(new TestClock(startAt - 20_000));
  await storeTasks(ahead, "a", "b", "c");
  await edit(ahead, "a");
  expect(await told(ahead)).toEqual(["a"]);
  await edit(behind, "b");
  expect(await told(ahead)).toContain("b");
  expect((await ahead.getTask("b"))!.updatedAt).toEqual(new Date(startAt));
  ok(await behind.cancelTask("c"));
  expect(await told(behind)).toContain("c");
});

test("a cancel request, which leaves the instant of the last change as it is", async () => {
  const clock = new TestClock(startAt);
  const ahead = await open(clock);
  const behind = await open(new TestClock(startAt));
  await storeTasks(ahead, "a", "b");
  ok(
    await ahead.registerWorker({
      id: "w",
      host: "h",
      pid: 1,
      concurrency: 1,
      types: ["resize-image"],
      leaseMs: 30_000,
    }),
  );
  ok(await ahead.claimTasks({ workerId: "w", types: ["resize-image"], limit: 1, suspect: false }));
  expect(await told(ahead)).toHaveLength(1);
  clock.advance(5_000);
  ok(await ahead.cancelTask("a"));
  expect(await told(ahead)).toEqual(["a"]);
  await edit(behind, "b");
  expect(await told(ahead)).toContain("b");
});

test("a clock that was set back by an hour: instants follow it, and changes are told", async () => {
  const before = await open(new TestClock(startAt));
  await storeTasks(before, "a", "b", "c");
  await edit(before, "a");
  expect(await told(before)).toEqual(["a"]);
  const back = await open(new TestClock(startAt - 3_600_000));
  await edit(back, "b");
  expect((await back.getTask("b"))!.updatedAt).toEqual(new Date(startAt - 3_600_000));
  expect(await told(before)).toContain("b");
  await edit(back, "c");
  expect(await told(before)).toContain("c");
});

test("two clocks an hour apart, again and again, and a cursor from before", { timeout: 60_000 }, async () => {
  const ahead = await open(new TestClock(startAt));
  const back = await open(new TestClock(startAt - 3_600_000));
  await storeTasks(ahead, "a", "b", "c");
  await edit(back, "c");
  const early = cursor;
  for (let round = 0; round < 1_100; round++) {
    await edit(ahead, "a");
    await edit(back, "b");
    if (round % 100 !== 0) continue;
    expect(await told(ahead)).toEqual(expect.arrayContaining(["a", "b"]));
  }
  cursor = early;
  expect(await told(ahead)).toEqual(["a", "b", "c"]);
});

/** Reads pages of three to the end, doing something between them; answers how often each task was told. */
async function toldByThrees(
  store: TaskStore,
  between: (page: number) => Promise<unknown> = async () => undefined,
): Promise<Map<string, number>> {
  const told = new Map<string, number>();
  for (let page = 0; ; page++) {
    expect(page).toBeLessThan(30);
    const { changes, more, cursor: next } = await store.readChanges({ since: cursor, limit: 3 });
    for (const { id } of changes) told.set(id, (told.get(id) ?? 0) + 1);
    cursor = next;
    if (!more) return told;
    await between(page);
  }
}

const manyIds = Array.from({ length: 12 }, (_, index) => `t${String(index).padStart(2, "0")}`);

/** Tasks that were changed by a clock that showed an hour too much, the last ones first, and a store on the right one. */
async function changedByWrongClock(
  isApart: boolean,
): Promise<{ wrong: TaskStore; right: TaskStore; clock: TestClock }> {
  const wrongClock = new TestClock(startAt);
  const wrong = await open(wrongClock);
  await storeTasks(wrong, "new", "other", ...manyIds);
  for (const id of manyIds.toReversed()) {
    await edit(wrong, id);
    if (isApart) await wrongClock.advance(1);
  }
  const clock = new TestClock(startAt - 3_600_000);
  return { wrong, right: await open(clock), clock };
}

test.each([true, false])(
  "many changes before a clock was set back are told in small pages: %s",
  async (isApart) => {
    const { right, clock } = await changedByWrongClock(isApart);
    await edit(right, "new");
    expect([...(await toldByThrees(right)).keys()].sort()).toEqual(["new", ...manyIds]);
    // And no more of them when something else changes.
    await clock.advance(1);
    await edit(right, "other");
    expect([...(await toldByThrees(right)).keys()]).toEqual(["other"]);
  },
);

test("they are told while others change, and once", async () => {
  const { right, clock } = await changedByWrongClock(true);
  await edit(right, "new");
  const told = await toldByThrees(right, async () => {
    await clock.advance(1);
    await edit(right, "other");
  });
  expect([...told.keys()].sort()).toEqual(["new", "other", ...manyIds]);
  expect(manyIds.map((id) => told.get(id))).toEqual(manyIds.map(() => 1));
});

test("a cursor from long before, of a lane in which nothing has changed since", async () => {
  const { right, clock } = await changedByWrongClock(true);
  ok(
    await right.enqueueTasks([newTask({ id: "mail", type: "send-receipt", createdAt: startAt - 7_200_000 })]),
  );
  await edit(right, "mail");
  await clock.advance(1);
  await edit(right, "mail");
  expect([...(await toldByThrees(right)).keys()].sort()).toEqual(["mail", ...manyIds]);
});

test("what lies ahead and is changed again is told as it is then", async () => {
  const { right, clock } = await changedByWrongClock(true);
  await edit(right, "new");
  await toldByThrees(right);
  await clock.advance(1);
  await edit(right, "t07");
  expect([...(await toldByThrees(right)).keys()]).toEqual(["t07"]);
  await clock.advance(3_600_000);
  await edit(right, "other");
  expect([...(await toldByThrees(right)).keys()]).toContain("other");
});

test("the newest task deleted and its number given again", async () => {
  const clock = new TestClock(startAt);
  const store = await open(clock);
  await storeTasks(store, "a", "b");
  for (const id of ["a", "b"]) {
    ok(await store.cancelTask(id));
    ok(await store.deleteTask(id));
  }
  ok(await store.enqueueTasks([newTask({ id: "c", createdAt: startAt - 7_200_000 })]));
  ok(await store.enqueueTasks([newTask({ id: "d", createdAt: startAt - 7_200_000 })]));
  expect(await told(store)).toEqual(["c", "d"]);
  expect(await told(store)).toEqual([]);
});
