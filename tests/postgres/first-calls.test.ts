/** The first call of a process goes by the database's clock, as all others do, whatever the machine's shows. */
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { createDure, type Dure } from "../../server/dure.ts";
import { ulidTime } from "../../server/tasks/core/ids.ts";
import { createTestSchema, type TestSchema } from "../support/postgres.ts";

const offMs = 20 * 60_000;
const hourMs = 3_600_000;
const inAnHour = { delay: "1h" };
let schema: TestSchema;
let opened: Dure[];

beforeEach(async () => {
  schema = await createTestSchema();
  opened = [];
  const dure = open();
  for (const order of [1, 2]) await dure.enqueueTask("send-receipt", { order }, inAnHour);
});
afterEach(async () => {
  vi.restoreAllMocks();
  for (const dure of opened) await dure.close();
  await schema.drop();
});

function open(): Dure {
  const dure = createDure({ database: schema.url });
  dure.defineTask("send-receipt", async () => undefined);
  opened.push(dure);
  return dure;
}

function setMachine(ms: number): void {
  const now = Date.now;
  vi.spyOn(Date, "now").mockImplementation(() => now() + ms);
}

const firsts: [string, (dure: Dure) => Promise<unknown>, unknown][] = [
  [
    "an action",
    (dure) => dure.actOnTasks({ type: "send-receipt" }, "edit", { edit: { priority: 3 } }),
    { matched: 2, changed: 2 },
  ],
  ["a count", (dure) => dure.countTasks({ query: "created:>10m" }), 2],
  ["a search", (dure) => dure.searchTasks({ query: "created:<10m", definitions: false }), []],
  ["a summary", (dure) => dure.summarizeTasks({ query: "created:>10m" }), { total: { count: 2 } }],
  [
    "an explanation",
    (dure) => dure.explainSearch({ query: "created:<10m", definitions: false }),
    { candidates: 0 },
  ],
];

test.each(
  firsts.flatMap((first) => [offMs, -offMs].map((ms) => [first[0], ms / 60_000, ...first.slice(1)] as const)),
)("%s, on a machine that is %s minutes ahead", async (_name, minutes, ask, expected) => {
  setMachine((minutes as number) * 60_000);
  const found = await (ask as (dure: Dure) => Promise<unknown>)(open());
  if (typeof expected === "object" && !Array.isArray(expected))
    expect(found).toMatchObject(expected as object);
  else expect(found).toEqual(expected);
});

test.each([offMs, -offMs])("an action as a task, on a machine that is %s ms ahead", async (ms) => {
  const now = Date.now();
  setMachine(ms);
  const { payload } = await open().startAction({ type: "send-receipt" }, "cancel");
  expect(Math.abs(payload.before.getTime() - now)).toBeLessThan(offMs / 2);
});

test.each([offMs, -offMs])("enqueueing, on a machine that is %s ms ahead", async (ms) => {
  const now = Date.now();
  setMachine(ms);
  const [plain, delayed, given, named] = await enqueueSome(open());
  for (const task of [plain, delayed, given, named]) expectNear(task!.createdAt, now);
  expect(ulidTime(plain!.id)).toBe(plain!.createdAt.getTime());
  expectNear(plain!.dueAt, now);
  expectNear(delayed!.dueAt, now + hourMs);
  expect(given!.dueAt).toEqual(new Date(now + hourMs));
  expect([plain!.id, delayed!.id, given!.id].toSorted()).toEqual([plain!.id, delayed!.id, given!.id]);
  const stored = await open().searchTasks({ sortBy: "createdAt", sortOrder: "asc", payload: { order: 3 } });
  expect(stored.map(({ id }) => id).toSorted()).toEqual(
    [plain, delayed, given, named].map((task) => task!.id).toSorted(),
  );

  /** All before the store is open; what is given is changed once it was. */
  function enqueueSome(dure: Dure) {
    const runAt = new Date(now + hourMs);
    const payload = { order: 3 };
    const tasks = [{}, inAnHour, { runAt }, { id: "named" }].map((options) =>
      dure.enqueueTask("send-receipt", payload, options),
    );
    runAt.setTime(0);
    payload.order = 4;
    return Promise.all(tasks);
  }
});

test.each([offMs, -offMs])("a query as options, on a machine that is %s ms ahead", async (ms) => {
  const now = Date.now();
  setMachine(ms);
  const { createdAt } = await open().parseQuery("created:>2h");
  expectNear((createdAt as { gte: Date }).gte, now - 2 * hourMs);
  const text = await open().formatQuery({ query: "created:>2h" });
  expectNear(new Date(text!.slice("created:".length, -"..".length)), now - 2 * hourMs);
});

test.each([offMs, -offMs])("an edit, on a machine that is %s ms ahead", async (ms) => {
  const now = Date.now();
  const [task] = await opened[0]!.searchTasks({ payload: { order: 1 } });
  setMachine(ms);
  const edit = { delay: "2h", priority: 4 };
  const editing = open().editTask(task!.id, edit);
  Object.assign(edit, { delay: "5h", priority: 5 });
  const edited = await editing;
  expectNear(edited.dueAt, now + 2 * hourMs);
  expect(edited.priority).toBe(4);
});

test("a process without a worker asks for the database's clock once more when it has worked for a minute", async () => {
  const dure = open();
  await dure.countTasks();
  const now = Date.now();
  setMachine(offMs);
  expectNear((await dure.enqueueTask("send-receipt", null)).dueAt, now + offMs);
  const monotonic = performance.now;
  vi.spyOn(performance, "now").mockImplementation(() => monotonic.call(performance) + 61_000);
  await expect
    .poll(async () => Math.abs((await dure.enqueueTask("send-receipt", null)).dueAt!.getTime() - now))
    .toBeLessThan(offMs / 2);
});

function expectNear(at: Date | undefined, expected: number): void {
  expect(Math.abs(at!.getTime() - expected)).toBeLessThan(60_000);
}
