/** The first call of a process goes by the database's clock, as all others do, whatever the machine's shows. */
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { createDure, type Dure } from "../../server/dure.ts";
import { createTestSchema, type TestSchema } from "../support/postgres.ts";

const offMs = 20 * 60_000;
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
