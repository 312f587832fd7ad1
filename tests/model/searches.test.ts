/**
 * Random searches of thousands of tasks that lived, against a look at every task by the words of the guide: order, limits,
 * offsets, cursors both ways, counts, groups; and pages while tasks change. `npm run soak:searches` draws new ones for as long
 * as it is told; DURE_SEED=… meets one of them again.
 */
import { expect, test } from "vitest";
import {
  type SummaryKey,
  summarizeTasksIn,
  type TaskSummaryOptions,
} from "../../server/tasks/core/counts/summary.ts";
import { DureError } from "../../server/tasks/core/errors.ts";
import { sortValueOf } from "../../server/tasks/core/filters/meets.ts";
import { countTasksIn, readPageSearch, searchTaskPageIn } from "../../server/tasks/core/find.ts";
import type { Instance } from "../../server/tasks/core/instance.ts";
import type { TaskPage, TaskSearchOptions } from "../../server/tasks/core/search.ts";
import type { Attributes } from "../../server/tasks/core/store.ts";
import type { Task } from "../../server/tasks/core/task.ts";
import { Chance } from "../support/chance.ts";
import { fits, type Known, ordered } from "../support/plain-search.ts";
import { onEachStore, type World } from "../support/stores.ts";
import { hourMs, LivedTasks } from "./lived-tasks.ts";
import { RandomSearches } from "./random-searches.ts";

const seed = Number(process.env.DURE_SEED ?? 43);
/** How much is asked, of what the checks ask. */
const times = Number(process.env.DURE_SEARCHES ?? 1);

onEachStore("searches of tasks that lived", (world) => {
  test(`answer as a look at every task does (seed ${seed})`, async () => {
    const chance = new Chance(seed);
    const lived = new LivedTasks(world, chance);
    const instance = instanceOf(world);
    for (let round = 0; round < 2; round += 1) {
      await lived.fill((1_000 + chance.below(800)) * Math.min(times, 2));
      // Of the second some texts are not indexed.
      if (round === 0) await lived.index();
      const all = await lived.known();
      await ask(instance, all, 20 * times, (n) => new Chance(seed + 7_919 * (n + 1) + round));
    }
    const walks = new Chance(seed + 1);
    for (let n = 0; n < 3 * times; n += 1)
      await walkWhileTasksChange(instance, lived, walks, `seed ${seed}, walk ${n}`);
  }, 600_000);
});

function instanceOf({ clock, store }: World): Instance {
  return { clock, registry: { get: () => undefined }, store: async () => store } as unknown as Instance;
}

async function ask(
  instance: Instance,
  all: readonly Known[],
  questions: number,
  drawn: (n: number) => Chance,
): Promise<void> {
  let found = 0;
  let asked = 0;
  for (let n = 0; n < questions; n += 1) {
    const chance = drawn(n);
    const searches = new RandomSearches(chance, all);
    const options = searches.options();
    const label = JSON.stringify({ seed, n, options });
    if (await isRefused(instance, options)) continue;
    asked += 1;
    const fitting = all.filter((known) => fits(options, known));
    const wanted = ordered(fitting, options);
    found += wanted.length > 0 ? 1 : 0;
    await comparePage(instance, chance, options, wanted, label);
    await comparePlaces(instance, chance, options, { all, wanted }, label);
    expect(await countTasksIn(instance, options), label).toBe(fitting.length);
    if (n % 4 === 0) await compareWalk(instance, chance, options, wanted, label);
    await compareSummary(instance, searches.summary(), all, `seed ${seed}, ${n}`);
  }
  expect(asked).toBeGreaterThan(0.9 * questions);
  expect(found).toBeGreaterThan(0.4 * questions);
}

/** As some values must be; nothing else may be thrown. */
async function isRefused(instance: Instance, options: TaskSearchOptions): Promise<boolean> {
  try {
    await readPageSearch(instance, options);
    return false;
  } catch (error) {
    if (error instanceof DureError && error.code === "INVALID_OPTION") return true;
    throw error;
  }
}

async function comparePage(
  instance: Instance,
  chance: Chance,
  options: TaskSearchOptions,
  wanted: readonly Task[],
  label: string,
): Promise<void> {
  const limit = chance.pick([1, 2, 7, 20, 50, 200, 5_000]);
  const offset = chance.pick([0, 0, 1, chance.below(50), chance.below(wanted.length + 2)]);
  const page = await searchTaskPageIn(instance, { ...options, limit, offset });
  const where = `limit ${limit}, offset ${offset} of ${label}`;
  expectSame(page.tasks, wanted.slice(offset, offset + limit), where);
  expect(page.complete, where).toBe(true);
  expect(page.nextCursor !== undefined, where).toBe(offset + limit < wanted.length);
}

/** From the place of any task on, whether or not it fits, forward and backward. */
async function comparePlaces(
  instance: Instance,
  chance: Chance,
  options: TaskSearchOptions,
  { all, wanted }: { all: readonly Known[]; wanted: readonly Task[] },
  label: string,
): Promise<void> {
  const limit = chance.pick([1, 3, 20, 60]);
  const search = await readPageSearch(instance, { ...options, limit });
  const at = chance.happens(0.6) && wanted.length > 0 ? chance.pick(wanted) : chance.pick(all).task;
  if (sortValueOf(options.sortBy ?? "createdAt", at) === undefined) return;
  const value = sortValueOf(search.sortBy, at)!;
  const everywhere = ordered(
    [...new Set([...wanted, at])].map((task) => ({ task, attributes: {}, text: "" })),
    options,
  );
  const index = everywhere.indexOf(at);
  const store = await instance.store();
  for (const backwards of [false, true]) {
    const { tasks } = await store.searchTasks({ ...search, limit, after: { value, id: at.id, backwards } });
    const beyond = backwards ? everywhere.slice(0, index).reverse() : everywhere.slice(index + 1);
    const where = `${backwards ? "before" : "after"} ${at.id}, limit ${limit} of ${label}`;
    expectSame(tasks, beyond.slice(0, limit), where);
  }
}

/** To the end by cursors and back again, with pages that are cut by their bytes, or by their time. */
async function compareWalk(
  instance: Instance,
  chance: Chance,
  options: TaskSearchOptions,
  wanted: readonly Task[],
  label: string,
): Promise<void> {
  const limit = Math.max(3, Math.ceil(wanted.length / (2 + chance.below(10))));
  const cut = chance.pick([{}, {}, { bytesMax: 20_000 }]);
  const search = { ...options, ...cut, limit };
  let page = await searchTaskPageIn(instance, search);
  expect(page.previousCursor, label).toBeUndefined();
  const forth = [...page.tasks];
  while (page.nextCursor) {
    page = await searchTaskPageIn(instance, { ...search, cursor: page.nextCursor });
    forth.push(...page.tasks);
  }
  expectSame(forth, wanted, `forth, limit ${limit} of ${label}`);
  const back = [...page.tasks];
  while (page.previousCursor) {
    page = await searchTaskPageIn(instance, { ...search, cursor: page.previousCursor });
    back.unshift(...page.tasks);
  }
  expectSame(back, wanted, `back, limit ${limit} of ${label}`);
}

async function compareSummary(
  instance: Instance,
  options: TaskSummaryOptions,
  all: readonly Known[],
  label: string,
): Promise<void> {
  const where = `${label}: ${JSON.stringify(options)}`;
  const { by, time: _time, ...filter } = options;
  if (await isRefused(instance, filter)) return;
  const fitting = all.filter((known) => fits(filter, known));
  const { groups, total, complete } = await summarizeTasksIn(instance, options);
  expect({ total, complete }, where).toEqual({
    total: { count: fitting.length, errorMax: 0 },
    complete: true,
  });
  const found = groups.map(({ count, ...keys }) => [nameOf(keys), count] as const);
  expect(new Map(found), where).toEqual(groupsOf(fitting, options));
  expect(new Set(found.map(([name]) => name)).size, where).toBe(found.length);
}

/** By name, how many there are. */
function groupsOf(
  fitting: readonly Known[],
  { by, time = "createdAt" }: TaskSummaryOptions,
): Map<string, number> {
  const unitsMs: Record<string, number> = { minute: 60_000, hour: hourMs, day: 24 * hourMs };
  const groups = new Map<string, number>();
  for (const { task, attributes } of fitting) {
    let named: Record<string, unknown>[] = [{}];
    for (const key of by as SummaryKey[]) {
      const unit = unitsMs[key];
      const values = key.startsWith("attribute.")
        ? listOf(attributes[key.slice("attribute.".length)])
        : [unit ? new Date(Math.floor(task[time].getTime() / unit) * unit) : task[key as "type"]];
      named = named.flatMap((keys) => values.map((value) => ({ ...keys, [key]: value })));
    }
    for (const keys of named) groups.set(nameOf(keys), (groups.get(nameOf(keys)) ?? 0) + 1);
  }
  return groups;
}

function listOf(value: Attributes[string] | undefined): unknown[] {
  return value === undefined ? [] : [...new Set([value].flat())];
}

function nameOf(keys: Record<string, unknown>): string {
  return JSON.stringify(Object.entries(keys).sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** What stays as it is all the time is met once, and nothing twice that is the same. */
async function walkWhileTasksChange(
  instance: Instance,
  lived: LivedTasks,
  chance: Chance,
  label: string,
): Promise<void> {
  const before = await lived.known();
  const options = new RandomSearches(chance, before).options();
  if (await isRefused(instance, options)) return;
  const fitting = before.filter((known) => fits(options, known));
  const limit = Math.max(2, Math.ceil(fitting.length / 8));
  const search = { ...options, limit };
  const backwards = chance.happens(0.5);
  const met: Task[] = [];
  let page = backwards ? await lastPage(instance, search) : await searchTaskPageIn(instance, search);
  for (let pages = 0; pages < 60; pages += 1) {
    met.push(...(backwards ? page.tasks.toReversed() : page.tasks));
    const cursor = backwards ? page.previousCursor : page.nextCursor;
    if (!cursor) break;
    for (let steps = chance.below(4); steps > 0; steps -= 1) await lived.step(0.2, 10);
    page = await searchTaskPageIn(instance, { ...search, cursor });
  }
  const where = `${label}, ${backwards ? "back" : "forth"}, limit ${limit} of ${JSON.stringify(options)}`;
  const after = new Map((await lived.known()).map((known) => [known.task.id, known]));
  const staying = ordered(
    fitting.filter(({ task }) => after.get(task.id)?.task.version === task.version),
    options,
  );
  const stays = new Set(idsOf(staying));
  const stayed = idsOf(met).filter((id) => stays.has(id));
  expect(stayed, where).toEqual(idsOf(backwards ? staying.toReversed() : staying));
  const once = isFixed(options) ? idsOf(met) : met.map(({ id, version }) => `${id} ${version}`);
  expect(once.length - new Set(once).size, where).toBe(0);
}

/** Whether a task's place in the order never changes. */
function isFixed({ sortBy = "createdAt" }: TaskSearchOptions): boolean {
  return sortBy === "createdAt" || sortBy === "id";
}

/** By the cursors alone. */
async function lastPage(instance: Instance, search: TaskSearchOptions): Promise<TaskPage> {
  let page = await searchTaskPageIn(instance, search);
  while (page.nextCursor) page = await searchTaskPageIn(instance, { ...search, cursor: page.nextCursor });
  return page;
}

/** The same tasks in the same order; says in few words where they part. */
function expectSame(found: readonly Task[], wanted: readonly Task[], where: string): void {
  const [ids, wantedIds] = [idsOf(found), idsOf(wanted)];
  const first = ids.findIndex((id, at) => id !== wantedIds[at]);
  const at = first < 0 ? Math.min(ids.length, wantedIds.length) : first;
  if (at === ids.length && at === wantedIds.length) return;
  const missing = wantedIds.filter((id) => !ids.includes(id)).slice(0, 5);
  const extra = ids.filter((id) => !wantedIds.includes(id)).slice(0, 5);
  const counts = `${ids.length} for ${wantedIds.length}`;
  expect.fail(
    `${where}: ${counts} tasks, at ${at} ${ids[at]} for ${wantedIds[at]}, missing ${missing}, more ${extra}`,
  );
}

function idsOf(tasks: readonly Task[]): string[] {
  return tasks.map(({ id }) => id);
}
