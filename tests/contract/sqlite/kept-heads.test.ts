/** What pairs begin with is kept by a reading connection: whatever happens to tasks, it answers as one that has kept nothing. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { StoreSearch } from "../../../server/tasks/core/store.ts";
import { Connection } from "../../../server/tasks/stores/sqlite/connection.ts";
import { searchTasks } from "../../../server/tasks/stores/sqlite/search/search-walk.ts";
import { createSqliteStore } from "../../../server/tasks/stores/sqlite/store.ts";
import { LivedTasks } from "../../model/lived-tasks.ts";
import { newSearch, newTasks, startAt } from "../../support/builders.ts";
import { Chance } from "../../support/chance.ts";
import { ok, World } from "../../support/stores.ts";
import type { TestClock } from "../../support/test-clock.ts";

const orders = ["createdAt", "updatedAt", "startedAt", "dueAt", "duration", "priority"] as const;
const searches = orders.flatMap((sortBy) =>
  [true, false].flatMap((descending) => [
    newSearch({ sortBy, descending, limit: 20 }),
    newSearch({ sortBy, descending, limit: 20, statuses: ["FAILED", "PENDING"] }),
    newSearch({ sortBy, descending, limit: 20, ...openRange(descending) }),
  ]),
);

/** Of the tasks that are read last a range leaves some out. */
function openRange(descending: boolean): Pick<StoreSearch, "created" | "updated"> {
  const middle = startAt + 30_000;
  return descending ? { created: { start: middle } } : { updated: { end: middle } };
}

const types = Array.from({ length: 30 }, (_, type) => `type-${type}`);

let path: string;
let world: World;
let reader: Connection;

beforeEach(async () => {
  const folder = mkdtempSync(join(tmpdir(), "dure-kept-heads-"));
  path = join(folder, "tasks.db");
  const database = async () => ({
    connect: (clock: TestClock) => createSqliteStore({ path, clock }),
    remove: async () => rmSync(folder, { recursive: true }),
  });
  world = new World({ name: "SQLite on disk", shared: true, holdsClaims: true, database });
  await world.open();
  reader = new Connection({ path, durability: "full", role: "reader" });
});

afterEach(async () => {
  reader.close();
  await world.close();
});

function idsOf(connection: Connection, search: StoreSearch): string[] {
  return connection.snapshot(() => searchTasks(connection, search)).tasks.rows.map((row) => row[1]);
}

/** Asked by both, in one state of the file. */
function compare(label: string): void {
  const fresh = new Connection({ path, durability: "full", role: "reader" });
  try {
    for (const search of searches)
      expect(idsOf(reader, search), `${label} ${JSON.stringify(search)}`).toEqual(idsOf(fresh, search));
  } finally {
    fresh.close();
  }
}

/** How many pairs are looked at for what they begin with, by a search of all types. */
function looksOf(search: StoreSearch): number {
  const { prepare } = reader;
  let looks = 0;
  reader.prepare = (text) => {
    const statement = prepare.call(reader, text);
    if (!/LIMIT 1\) FROM pairs$/.test(text)) return statement;
    return new Proxy(statement, {
      get: (target, name) =>
        name === "all"
          ? (pairs: string, ...values: never[]) => {
              looks += (JSON.parse(pairs) as number[]).length;
              return target.all(pairs, ...values);
            }
          : Reflect.get(target, name),
    });
  };
  idsOf(reader, search);
  reader.prepare = prepare;
  return looks;
}

test("after each change the page is the one that a new reader finds", async () => {
  const chance = new Chance(Number(process.env.DURE_SEED ?? 7));
  const lived = new LivedTasks(world, chance);
  await lived.fill(300);
  for (let step = 0; step < 60; step += 1) {
    await lived.step(0.2, 6);
    compare(`step ${step}`);
    // Further back than a clock is waited for: instants begin anew.
    if (step % 20 === 19) world.clock.jump(-120_000);
  }
}, 60_000);

test("only pairs that have changed are asked again", async () => {
  for (const type of types) await world.enqueue(...newTasks(3, { type }));
  await world.clock.advance(1_000);
  const [one] = newTasks(1, { type: types[0]! });
  await world.enqueue(one!);
  const search = newSearch({ sortBy: "updatedAt", statuses: ["PENDING"], limit: 200 });
  const all = looksOf(search);
  expect(all).toBeGreaterThanOrEqual(types.length);
  // The pair that was changed last may be changed in that same instant again.
  expect(looksOf(search)).toBeLessThan(all / 10);
  await world.clock.advance(1_000);
  const [first, second] = newTasks(2, { type: types[5]! });
  await world.enqueue(first!, second!);
  expect(looksOf(search)).toBeLessThan(all / 10);
  expect(idsOf(reader, search)).toEqual(expect.arrayContaining([first!.id, second!.id]));
});

test("a range that is open where the reading begins needs no look of its own, another one does", async () => {
  for (const type of types) await world.enqueue(...newTasks(3, { type }));
  await world.clock.advance(1_000);
  const [newest] = newTasks(1, { type: types[0]!, createdAt: startAt + 1_000 });
  await world.enqueue(newest!);
  const search = newSearch({ sortBy: "updatedAt", statuses: ["PENDING"], limit: 200 });
  const all = looksOf(search);
  expect(looksOf({ ...search, created: { start: startAt + 1 } })).toBeLessThan(all / 10);
  expect(looksOf({ ...search, updated: { start: startAt + 2 } })).toBeLessThan(all / 10);
  expect(idsOf(reader, { ...search, created: { start: startAt + 500 } })).toEqual([newest!.id]);
  expect(looksOf({ ...search, created: { end: startAt + 500 } })).toBeGreaterThanOrEqual(types.length);
  const upwards = { ...search, descending: false };
  // Those that were changed late are in an index of their own.
  looksOf({ ...upwards, created: { end: startAt + 400 } });
  expect(looksOf({ ...upwards, created: { end: startAt + 500 } })).toBeLessThan(all / 10);
  expect(idsOf(reader, { ...upwards, created: { end: startAt + 500 } })).toHaveLength(90);
  expect(looksOf({ ...upwards, created: { start: startAt + 1 } })).toBeGreaterThanOrEqual(types.length);
});

/** The first task of `type-5` becomes the most urgent of all. */
async function hurry(): Promise<string> {
  const [row] = idsOf(reader, newSearch({ types: ["type-5"], sortBy: "id", descending: false }));
  ok(await world.store.editTask(row!, { priority: 100 }));
  return row!;
}

test("a pair that may be changed in the same instant once more is not kept", async () => {
  for (const type of types) await world.enqueue(...newTasks(3, { type }));
  const urgent = newSearch({ sortBy: "priority", limit: 3 });
  idsOf(reader, urgent);
  const hurried = await hurry();
  expect(idsOf(reader, urgent)[0]).toBe(hurried);
});

test("nothing is kept over a step of the clock, after which an instant may come again", async () => {
  for (const type of types) await world.enqueue(...newTasks(3, { type }));
  await world.clock.advance(120_000);
  await world.enqueue(...newTasks(1, { type: "type-0" }));
  const urgent = newSearch({ sortBy: "priority", limit: 3 });
  idsOf(reader, urgent);
  world.clock.jump(-120_000);
  const hurried = await hurry();
  expect(idsOf(reader, urgent)[0]).toBe(hurried);
});
