/** What is asked for is taken as it is when it is asked, though the answer waits for the store. */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import type { StandardSchemaV1 } from "@standard-schema/spec";
import { afterEach, beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { createDure, type Dure } from "../../dure.ts";
import type { TaskSearchOptions } from "./search.ts";
import type { Task } from "./task.ts";

let dure: Dure;

beforeEach(async () => {
  dure = createDure({ database: ":memory:" });
  const [send, report] = ["send-receipt", "nightly-report"].map((id) =>
    dure.defineTask(id, async () => undefined),
  );
  await send!.enqueueMany([{ payload: 1 }, { payload: 2 }]);
  await report!.enqueue(3);
});
afterEach(() => dure.close());

const asked: [string, (options: TaskSearchOptions) => Promise<unknown>][] = [
  ["searchTasks", async (options) => (await dure.searchTasks(options)).length],
  ["countTasks", (options) => dure.countTasks(options)],
  ["summarizeTasks", async (options) => (await dure.summarizeTasks(options)).total.count],
  ["formatQuery", (options) => dure.formatQuery(options)],
  ["explainSearch", async (options) => (await dure.explainSearch(options)).candidates],
  ["actOnTasks", async (options) => (await dure.actOnTasks(options, "cancel", { dryRun: true })).matched],
  ["startAction", async (options) => (await dure.startAction(options, "cancel")).payload.query],
];

test.each(asked)("%s, by one object for two types", async (_name, ask) => {
  const options: TaskSearchOptions = {};
  const answers = ["send-receipt", "nightly-report"].map((type) => {
    options.type = type;
    return ask(options);
  });
  const both = await Promise.all(answers);
  expect(both[0]).not.toBe(both[1]);
});

test.each(asked)("%s, by one object that changes within", async (_name, ask) => {
  const kinds = { type: "" };
  const options = { or: [{ not: { not: kinds } }] };
  const answers = ["send-receipt", "nightly-report"].map((type) => {
    kinds.type = type;
    return ask(options);
  });
  const both = await Promise.all(answers);
  expect(both[0]).not.toBe(both[1]);
});

test("an action's options are those of when it was asked for", async () => {
  const edit = { priority: 5 };
  const by = { who: "kim" };
  const options = { edit, by, dryRun: false };
  const startOptions = { edit, by };
  const acted = dure.actOnTasks({ type: "send-receipt" }, "edit", options);
  const started = dure.startAction({ type: "send-receipt" }, "edit", startOptions);
  Object.assign(edit, { priority: 7 });
  Object.assign(by, { who: "lee" });
  Object.assign(startOptions, { edit: { priority: 8 }, by: "park" });
  Object.assign(options, { edit: { priority: 8 }, by: "park", dryRun: true });
  expect(await acted).toMatchObject({ changed: 2 });
  expect(await dure.countTasks({ type: "send-receipt", priority: 5 })).toBe(2);
  expect((await started).payload).toMatchObject({ edit: { priority: 5 }, by: "kim" });
  const { records } = await dure.readAudit({ actions: ["start-action", "end-action"] });
  expect(records.map(({ who }) => who)).toEqual(["kim", "kim", "kim"]);
});

test("what changes expect, and who asks for them, is of when they were asked for", async () => {
  const [first, second, third] = (await dure.searchTasks()).map(({ id, version }) => ({ id, version }));
  await dure.cancelTask(second!.id, { by: "kim" });
  await dure.cancelTask(third!.id, { by: "kim" });
  await dure.saveSearch("cancelled", { query: "status:cancelled", by: "kim" });
  const by = { who: "kim" };
  const options = { expectedVersion: first!.version!, by };
  const next = { expectedVersion: second!.version! + 1, by };
  const saved = { query: "status:failed", by };
  const calls = [
    dure.cancelTask(first!.id, options),
    dure.retryTask(second!.id, next),
    dure.deleteTask(third!.id, next),
    dure.saveSearch("failed", saved),
    dure.pause({ queue: "mail" }, { by }),
    dure.resume({ queue: "mail" }, { by }),
    dure.deleteSearch("cancelled", { by }),
  ];
  Object.assign(by, { who: "lee" });
  for (const given of [options, next]) Object.assign(given, { expectedVersion: 77, by: "lee" });
  Object.assign(saved, { query: "status:completed", by: "lee" });
  await Promise.all(calls);
  expect((await dure.listSearches()).map(({ query }) => query)).toEqual(["status:failed"]);
  const { records } = await dure.readAudit();
  expect(new Set(records.map(({ who }) => who))).toEqual(new Set(["kim"]));
  expect(records).toHaveLength(3 + calls.length);
});

/** Takes everything. */
const anything: StandardSchemaV1<{ order: number }> = {
  "~standard": { version: 1, vendor: "test", validate: (value) => ({ value: value as { order: number } }) },
};

describe("tasks are stored as they were when they were enqueued", () => {
  let other: Dure;
  /** Another one's, so that this one finds its definition in the store. */
  let elsewhere: Dure;

  let database: string;

  beforeEach(async () => {
    const folder = mkdtempSync(join(tmpdir(), "dure-given-"));
    database = join(folder, "tasks.db");
    other = createDure({ database });
    elsewhere = createDure({ database });
    elsewhere.defineTask("elsewhere", async () => undefined);
    await elsewhere.stats();
    onTestFinished(async () => {
      await Promise.all([other.close(), elsewhere.close()]);
      rmSync(folder, { recursive: true, force: true });
    });
  });

  const types: [string, (options: object) => (payload: { order: number }) => Promise<unknown>][] = [
    ["a plain definition", (options) => (payload) => defined().enqueue(payload, options)],
    ["one with a schema", (options) => (payload) => defined({ payload: anything }).enqueue(payload, options)],
    ["another process's", (options) => (payload) => other.enqueueTask("elsewhere", payload, options)],
  ];
  const defined = (options = {}) =>
    other.defineTask("send-receipt", async (_task: Task<{ order: number }>) => undefined, options);

  test.each(types)("%s", async (_name, withOptions) => {
    const by = { who: "kim" };
    const options = { by, tags: ["first"], priority: 3 };
    const payload = { order: 17 };
    const enqueued = withOptions(options)(payload);
    Object.assign(by, { who: "lee" });
    options.tags.push("second");
    Object.assign(options, { priority: 4, by: "park" });
    payload.order = 18;
    const { id } = (await enqueued) as Task;
    expect(await other.getTaskById(id)).toMatchObject({
      payload: { order: 17 },
      tags: ["first"],
      priority: 3,
    });
    expect((await other.readAudit()).records.map(({ who }) => who)).toEqual(["kim"]);
  });

  test.each([
    ["a plain definition", {}],
    ["one with a schema", { payload: anything }],
  ])(
    "one of %s in the transaction that was given, though the options have another one then",
    async (_name, options) => {
      const tx = new DatabaseSync(database);
      onTestFinished(() => tx.close());
      tx.exec("BEGIN");
      const given: { tx?: DatabaseSync } = { tx };
      const enqueued = defined(options).enqueue({ order: 17 }, given);
      delete given.tx;
      await enqueued;
      tx.exec("ROLLBACK");
      expect(await other.countTasks({ type: "send-receipt" })).toBe(0);
    },
  );

  test.each([
    ["a plain definition", {}],
    ["one with a schema", { payload: anything }],
  ])("many of %s, whose list is used again", async (_name, options) => {
    const items = [{ payload: { order: 17 }, tags: ["first"] }, { payload: { order: 18 } }];
    const [first] = items;
    const enqueued = defined(options).enqueueMany(items);
    first!.payload.order = 27;
    first!.tags!.push("second");
    items.length = 0;
    await enqueued;
    const stored = await other.searchTasks({ type: "send-receipt", sortOrder: "asc" });
    expect(stored.map(({ payload, tags }) => ({ payload, tags }))).toEqual([
      { payload: { order: 17 }, tags: ["first"] },
      { payload: { order: 18 }, tags: [] },
    ]);
  });

  test("a list of more than one part has all that was in it", async () => {
    const items = Array.from({ length: 2_500 }, (_, order) => ({ payload: { order } }));
    const enqueued = defined().enqueueMany(items);
    items.length = 0;
    expect(await enqueued).toHaveLength(2_500);
    expect(await other.countTasks({ type: "send-receipt" })).toBe(2_500);
  });
});
