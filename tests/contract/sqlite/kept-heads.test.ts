/** What pairs begin with is kept by a reading connection: whatever happens to tasks, it answers as one that has kept nothing. */
import { expect, test } from "vitest";
import type { StoreSearch } from "../../../server/tasks/core/store.ts";
import type { Connection } from "../../../server/tasks/stores/sqlite/connection.ts";
import { searchTasks } from "../../../server/tasks/stores/sqlite/search/search-walk.ts";
import { LivedTasks } from "../../model/lived-tasks.ts";
import { newSearch, newTasks, startAt } from "../../support/builders.ts";
import { Chance } from "../../support/chance.ts";
import { readFileEachTest } from "../../support/read-file.ts";
import { ok } from "../../support/stores.ts";

const orders = ["createdAt", "updatedAt", "startedAt", "dueAt", "duration", "priority"] as const;
const searches = orders.flatMap((sortBy) =>
  [true, false].flatMap((descending) => [
    newSearch({ sortBy, descending, limit: 20 }),
    newSearch({ sortBy, descending, limit: 20, statuses: ["FAILED", "PENDING"] }),
    // Behind what is kept of the ones before.
    ...(descending ? [newSearch({ sortBy, descending, limit: 120, statuses: ["FAILED", "PENDING"] })] : []),
    newSearch({ sortBy, descending, limit: 20, ...openRange(descending) }),
  ]),
);

/** Of the tasks that are read last a range leaves some out. */
function openRange(descending: boolean): Pick<StoreSearch, "created" | "updated"> {
  const middle = startAt + 30_000;
  return descending ? { created: { start: middle } } : { updated: { end: middle } };
}

const types = Array.from({ length: 30 }, (_, type) => `type-${type}`);

const file = readFileEachTest();

function idsOf(connection: Connection, search: StoreSearch): string[] {
  return connection.snapshot(() => searchTasks(connection, search)).tasks.rows.map((row) => row[1]);
}

/** Asked by both, in one state of the file. */
function compare(label: string): void {
  const fresh = file.fresh();
  try {
    for (const search of searches)
      expect(idsOf(file.reader, search), `${label} ${JSON.stringify(search)}`).toEqual(idsOf(fresh, search));
  } finally {
    fresh.close();
  }
}

/** How many pairs are looked at for what they begin with, by a search of all types. */
function looksOf(search: StoreSearch): number {
  const { prepare } = file.reader;
  let looks = 0;
  file.reader.prepare = (text) => {
    const statement = prepare.call(file.reader, text);
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
  idsOf(file.reader, search);
  file.reader.prepare = prepare;
  return looks;
}

test("after each change the page is the one that a new reader finds", async () => {
  const chance = new Chance(Number(process.env.DURE_SEED ?? 7));
  const lived = new LivedTasks(file.world, chance);
  await lived.fill(300);
  for (let step = 0; step < 60; step += 1) {
    await lived.step(0.2, 6);
    compare(`step ${step}`);
    // Further back than a clock is waited for: instants begin anew.
    if (step % 20 === 19) file.world.clock.jump(-120_000);
  }
}, 60_000);

test("only pairs that have changed are asked again", async () => {
  for (const type of types) await file.world.enqueue(...newTasks(3, { type }));
  await file.world.clock.advance(1_000);
  const [one] = newTasks(1, { type: types[0]! });
  await file.world.enqueue(one!);
  const search = newSearch({ sortBy: "updatedAt", statuses: ["PENDING"], limit: 200 });
  const all = looksOf(search);
  expect(all).toBeGreaterThanOrEqual(types.length);
  // The pair that was changed last may be changed in that same instant again.
  expect(looksOf(search)).toBeLessThan(all / 10);
  await file.world.clock.advance(1_000);
  const [first, second] = newTasks(2, { type: types[5]! });
  await file.world.enqueue(first!, second!);
  expect(looksOf(search)).toBeLessThan(all / 10);
  expect(idsOf(file.reader, search)).toEqual(expect.arrayContaining([first!.id, second!.id]));
});

test("a range that is open where the reading begins needs no look of its own, another one does", async () => {
  for (const type of types) await file.world.enqueue(...newTasks(3, { type }));
  await file.world.clock.advance(1_000);
  const [newest] = newTasks(1, { type: types[0]!, createdAt: startAt + 1_000 });
  await file.world.enqueue(newest!);
  const search = newSearch({ sortBy: "updatedAt", statuses: ["PENDING"], limit: 200 });
  const all = looksOf(search);
  expect(looksOf({ ...search, created: { start: startAt + 1 } })).toBeLessThan(all / 10);
  expect(looksOf({ ...search, updated: { start: startAt + 2 } })).toBeLessThan(all / 10);
  expect(idsOf(file.reader, { ...search, created: { start: startAt + 500 } })).toEqual([newest!.id]);
  expect(looksOf({ ...search, created: { end: startAt + 500 } })).toBeGreaterThanOrEqual(types.length);
  const upwards = { ...search, descending: false };
  // Those that were changed late are in an index of their own.
  looksOf({ ...upwards, created: { end: startAt + 400 } });
  expect(looksOf({ ...upwards, created: { end: startAt + 500 } })).toBeLessThan(all / 10);
  expect(idsOf(file.reader, { ...upwards, created: { end: startAt + 500 } })).toHaveLength(90);
  expect(looksOf({ ...upwards, created: { start: startAt + 1 } })).toBeGreaterThanOrEqual(types.length);
});

/** How often keys of a pair are read by a search. */
function portionsOf(search: StoreSearch): number {
  const { prepare } = file.reader;
  let portions = 0;
  file.reader.prepare = (text) => {
    if (/LIMIT \? OFFSET \?$/.test(text)) portions += 1;
    return prepare.call(file.reader, text);
  };
  idsOf(file.reader, search);
  file.reader.prepare = prepare;
  return portions;
}

test("the keys on a page are read once more of pairs alone that have changed", async () => {
  for (const type of types) await file.world.enqueue(...newTasks(3, { type }));
  await file.world.clock.advance(1_000);
  // One alone, of which one portion is read, wherever it stands.
  await file.world.enqueue(...newTasks(1, { type: "another" }));
  const search = newSearch({ sortBy: "updatedAt", statuses: ["PENDING"], limit: 60 });
  expect(portionsOf(search)).toBeGreaterThan(types.length / 2);
  // The pair that was changed last may be changed in that same instant again.
  expect(portionsOf(search)).toBeLessThanOrEqual(1);
  expect(portionsOf({ ...search, limit: 10 })).toBeLessThanOrEqual(1);
  await file.world.clock.advance(1_000);
  const [first, second] = newTasks(2, { type: types[5]! });
  await file.world.enqueue(first!, second!);
  expect(portionsOf(search)).toBeLessThanOrEqual(3);
  expect(idsOf(file.reader, { ...search, limit: 92 })).toEqual(
    expect.arrayContaining([first!.id, second!.id]),
  );
  compare("at the end");
});

test("where too many keys are kept and all are dropped, no search that follows misses any", async () => {
  const halves = [types, types.map((type) => `other-${type}`)];
  const tasks = halves.flat().flatMap((type) => newTasks(100, { type }));
  await file.world.enqueue(
    ...tasks.map((task, place) => ({
      ...task,
      priority: 1 + (place % 3),
      dueAt: task.dueAt + 60_000 + place,
    })),
  );
  await file.world.clock.advance(1_000);
  await file.world.enqueue(...newTasks(1, { type: "another" }));
  const asked = halves.flatMap((types) =>
    orders.flatMap((sortBy) =>
      [true, false].map((descending) => newSearch({ types, sortBy, descending, limit: 3_000 })),
    ),
  );
  const answers = () => asked.map((search) => idsOf(file.reader, search));
  const first = answers();
  for (let again = 0; again < 3; again += 1) expect(answers()).toEqual(first);
}, 30_000);

/** The first task of `type-5` becomes the most urgent of all. */
async function hurry(): Promise<string> {
  const [row] = idsOf(file.reader, newSearch({ types: ["type-5"], sortBy: "id", descending: false }));
  ok(await file.world.store.editTask(row!, { priority: 100 }));
  return row!;
}

test("a pair that may be changed in the same instant once more is not kept", async () => {
  for (const type of types) await file.world.enqueue(...newTasks(3, { type }));
  const urgent = newSearch({ sortBy: "priority", limit: 3 });
  idsOf(file.reader, urgent);
  const hurried = await hurry();
  expect(idsOf(file.reader, urgent)[0]).toBe(hurried);
});

test("nothing is kept over a step of the clock, after which an instant may come again", async () => {
  for (const type of types) await file.world.enqueue(...newTasks(3, { type }));
  await file.world.clock.advance(120_000);
  await file.world.enqueue(...newTasks(1, { type: "type-0" }));
  const urgent = newSearch({ sortBy: "priority", limit: 3 });
  idsOf(file.reader, urgent);
  file.world.clock.jump(-120_000);
  const hurried = await hurry();
  expect(idsOf(file.reader, urgent)[0]).toBe(hurried);
});
