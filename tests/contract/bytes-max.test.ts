/** Pages that are bounded by bytes: what fits of the page that has no bound, the first task however large, and where to go on. */
import { beforeEach, expect, test } from "vitest";
import type { Condition } from "../../server/tasks/core/filters/condition.ts";
import { sortValueOf } from "../../server/tasks/core/filters/meets.ts";
import type { TaskSortField } from "../../server/tasks/core/search.ts";
import type { Found, StoreSearch } from "../../server/tasks/core/store.ts";
import type { Task } from "../../server/tasks/core/task.ts";
import { encodeValue } from "../../server/tasks/core/values/value.ts";
import { newDefinition, newSearch, newTask, settlementOf, startAt } from "../support/builders.ts";
import { ok, onEachLastingStore, type World } from "../support/stores.ts";

const kinds = { type: "send-receipt", queue: "mail" };
const orders: TaskSortField[] = [
  "createdAt",
  "updatedAt",
  "id",
  "startedAt",
  "dueAt",
  "duration",
  "priority",
];
const ofPayload: Condition = {
  kind: "range",
  field: { of: "payload", path: ["n"] },
  from: { value: 3, isIncluded: true },
};
const ofText: Condition = { kind: "text", text: "receipt" };
const ofAttribute: Condition = { kind: "equals", field: { of: "attribute", name: "userId" }, values: [1] };

onEachLastingStore("searchTasks within bytes", (world) => {
  beforeEach(() => fill(world));

  test("answers what fits of the whole page, whatever is asked for", async () => {
    for (const [n, search] of searches().entries()) {
      const whole = await world.store.searchTasks(search);
      const asked = JSON.stringify(search);
      expect(whole.tasks.length, asked).toBeGreaterThan(2);
      expect(whole.isCut, asked).toBeUndefined();
      for (const bytesMax of [[1, 60_000], [400, 1_000_000], [3_000]][n % 3]!) {
        const cut = await world.store.searchTasks({ ...search, bytesMax });
        expect(shown(cut), `${asked} ${bytesMax}`).toEqual(shown(fitting(whole, bytesMax)));
      }
    }
  }, 120_000);

  test("goes on after the last task that fitted, both ways", async () => {
    for (const where of [undefined, ofPayload]) {
      for (const sortBy of ["createdAt", "startedAt", "priority"] as const) {
        const search = newSearch({ sortBy, definitions: true, limit: 7, ...(where && { where }) });
        const { tasks: all } = await world.store.searchTasks({ ...search, limit: 1_000 });
        const forth = await read(world, { ...search, bytesMax: 5_000 }, false);
        expect(forth, `${where?.kind} ${sortBy}`).toEqual(all.map(({ id }) => id));
        const last = { ...placeOf(search, all.at(-1)!), backwards: true };
        const back = await read(world, { ...search, bytesMax: 5_000, after: last }, true);
        expect(back).toEqual(forth.slice(0, -1).reverse());
      }
    }
  });

  test("counts what a task was given, what it has given, and its error", async () => {
    const { tasks } = await world.store.searchTasks(newSearch({ statuses: ["COMPLETED", "FAILED"] }));
    for (const task of tasks) expect(task.result ?? task.error).toBeDefined();
    const both = tasks.slice(0, 2);
    const bytes = sizeOf(both[0]!) + sizeOf(both[1]!);
    const search = newSearch({ statuses: ["COMPLETED", "FAILED"] });
    const fits = await world.store.searchTasks({ ...search, bytesMax: bytes });
    expect([fits.tasks.length, fits.isCut]).toEqual([2, true]);
    const fitsNot = await world.store.searchTasks({ ...search, bytesMax: bytes - 1 });
    expect([fitsNot.tasks.length, fitsNot.isCut]).toEqual([1, true]);
  });
});

/** Payloads and results of many sizes; of every status, and definitions without a task. */
async function fill(world: World): Promise<void> {
  await world.store.saveDefinitions([newDefinition("never-run"), newDefinition("not-yet")]);
  const sizes = [0, 20_000, 50, 3, 70_000, 900, 12_000, 1, 0, 300];
  const tasks = Array.from({ length: 40 }, (_, n) =>
    newTask({
      ...(n % 3 === 0 && kinds),
      ...(n % 5 === 0 && { id: `chosen-${n}` }),
      createdAt: startAt + 1_000 * Math.floor(n / 2),
      dueAt: startAt + 1_000 * (n % 7),
      priority: n % 4,
      attributes: { userId: n % 2 },
      // Letters of one, two, three and four bytes.
      payload: { n, text: `receipt ${["a", "é", "가", "🌾"][n % 4]!.repeat(sizes[n % 10]!)}` },
    }),
  );
  await world.enqueue(...tasks);
  await world.clock.advance(60_000);
  const claimed = await world.claim({
    types: ["resize-image", "send-receipt"],
    queues: ["default", "mail"],
    limit: 25,
  });
  const ended = claimed.slice(0, 20);
  await world.clock.advance(2_000);
  for (const [n, task] of ended.entries()) {
    const result = encodeValue({ at: new Date(startAt), text: "é".repeat(sizes[(n + 3) % 10]!) }, "result");
    const error = { name: "Error", message: `no receipt ${"é".repeat(n)}` };
    const settlement =
      n % 2 === 0 ? settlementOf(task, "completed", { result }) : settlementOf(task, "failed", { error });
    ok(await world.store.settleTasks([settlement]));
    await world.clock.advance(n % 4);
  }
}

function searches(): StoreSearch[] {
  const narrowings: Partial<StoreSearch>[] = [
    {},
    { types: ["send-receipt"] },
    { statuses: ["COMPLETED", "FAILED"] },
    { created: { start: startAt + 3_000 } },
    { where: ofPayload },
    { where: ofText },
    { where: ofAttribute },
    { where: { kind: "not", part: ofAttribute }, statuses: ["COMPLETED", "FAILED", "PENDING"] },
  ];
  return narrowings.flatMap((narrowing, n) =>
    orders.map((sortBy, m) =>
      newSearch({
        ...narrowing,
        sortBy,
        descending: (n + m) % 2 === 0,
        definitions: true,
        limit: [9, 20, 100][(n + m) % 3]!,
        offset: [0, 0, 2, 5][(n + m) % 4]!,
      }),
    ),
  );
}

function fitting({ tasks, ...how }: Found, bytesMax: number): Found {
  let bytes = 0;
  const end = tasks.findIndex((task) => {
    const before = bytes;
    bytes += sizeOf(task);
    return bytes > bytesMax && before > 0 && !task.isDefinition;
  });
  return end === -1 ? { tasks, ...how } : { tasks: tasks.slice(0, end), ...how, isCut: true };
}

function sizeOf({ payload, result, error, isDefinition }: Task): number {
  if (isDefinition) return 0;
  const values = [
    encodeValue(payload, "payload"),
    ...(result === undefined ? [] : [encodeValue(result, "result")]),
  ];
  const texts = [...values.flatMap(({ json, types }) => [json, types ?? ""]), error ?? ""];
  return texts.reduce((sum, text) => sum + Buffer.byteLength(text), 0);
}

function shown({ tasks, ...how }: Found): unknown {
  const valuesOf = ({ payload, result }: Task) => JSON.stringify([payload, result]).slice(0, 100);
  return { tasks: tasks.map((task) => [task.id, sizeOf(task), valuesOf(task)]), ...how };
}

async function read(world: World, search: StoreSearch, backwards: boolean): Promise<string[]> {
  const ids: string[] = [];
  let { after } = search;
  for (;;) {
    const { tasks, isCut } = await world.store.searchTasks({ ...search, ...(after && { after }) });
    ids.push(...tasks.map(({ id }) => id));
    if (!isCut && tasks.length < search.limit) return ids;
    after = { ...placeOf(search, tasks.at(-1)!), backwards };
  }
}

function placeOf({ sortBy }: StoreSearch, task: Task): { value: number | null; id: string } {
  return { value: sortValueOf(sortBy, task) ?? null, id: task.id };
}
