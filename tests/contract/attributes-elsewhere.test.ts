/** Tasks that a process enqueues which has not the code of their definition: their attributes are taken where they run. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createDure, type Dure } from "../../server/dure.ts";
import { createTestSchema } from "../support/postgres.ts";

const silent = { info: () => undefined, warn: () => undefined, error: () => undefined };
const databases = {
  "SQLite on disk": async () => {
    const folder = mkdtempSync(join(tmpdir(), "dure-elsewhere-"));
    return { url: join(folder, "tasks.db"), drop: async () => rmSync(folder, { recursive: true }) };
  },
  PostgreSQL: createTestSchema,
};

describe.each(Object.entries(databases))("on %s", (_name, makeDatabase) => {
  let database: Awaited<ReturnType<typeof makeDatabase>>;
  let worker: Dure;
  let elsewhere: Dure;

  beforeEach(async () => {
    database = await makeDatabase();
    const options = { database: database.url, logger: silent };
    elsewhere = createDure(options);
    worker = createDure(options);
    worker.defineTask(
      "send-receipt",
      async (task) => {
        const { payload } = task;
        const { order } = payload;
        payload.order = 0;
        if (order > 2) throw new Error("mailbox full");
        return { sent: order === 1 };
      },
      {
        maxAttempts: 2,
        backoff: (attempts) => (attempts === 1 ? "1ms" : "1h"),
        attributes: {
          order: (payload) => payload.order,
          labels: (payload) => payload.labels,
          sent: { result: (result) => result.sent },
        },
      },
    );
    await worker.listDefinitions();
  });
  afterEach(async () => {
    await Promise.all([worker.close(), elsewhere.close()]);
    await database.drop();
  });

  const found = async (query: string) =>
    (await elsewhere.searchTasks({ query, sortBy: "id", sortOrder: "asc" })).map(({ id }) => id);

  test("whether they complete, fail, or wait to be tried again", async () => {
    const send = (order: number, more: object = {}, options: object = {}) =>
      elsewhere.enqueueTask(
        "send-receipt",
        { order, labels: ["new"], ...more },
        { id: `order-${order}`, ...options },
      );
    await send(1);
    await send(2, { labels: ["vip", "new"] }, { timeout: "1m" });
    await send(3);
    await send(4, {}, { maxAttempts: 3, backoff: { first: "1h", jitter: "none" } });
    expect(await elsewhere.searchTaskPage({ query: "order:1" })).toMatchObject({
      tasks: [],
      complete: false,
      unfilled: 4,
      hint: expect.stringContaining("running workers that define their types"),
    });
    expect(await elsewhere.summarizeTasks({ query: "order:1" })).toMatchObject({
      total: { count: 0, errorMax: 4 },
      complete: false,
    });
    expect(await elsewhere.searchTaskPage({ query: "order:1 status:failed" })).toMatchObject({
      complete: true,
    });
    await worker.start();
    for (const order of [1, 2, 3]) await worker.waitForTask(`order-${order}`);
    await expect.poll(() => found("order:4 status:pending attempts:1")).toEqual(["order-4"]);
    expect(await found("order:1..3 -status:pending")).toEqual(["order-1", "order-2", "order-3"]);
    expect(await found("order:3 status:failed attempts:2")).toEqual(["order-3"]);
    expect(await found("labels:vip")).toEqual(["order-2"]);
    expect(await found("labels:new sent:false")).toEqual(["order-2"]);
    await expect
      .poll(() => worker.summarizeTasks({ by: ["attribute.order"] }))
      .toMatchObject({ groups: { length: 4 }, complete: true });
    await worker.cancelTask("order-4");
    expect(await found("order:4 status:cancelled")).toEqual(["order-4"]);
    expect((await worker.checkHealth({ full: true })).filter(({ level }) => level === "error")).toEqual([]);
  });

  test("by a running worker before they run", async () => {
    const later = { delay: "1h", id: "later" } as const;
    await elsewhere.enqueueTask("send-receipt", { order: 1, labels: ["vip"] }, later);
    await elsewhere.enqueueTask("send-receipt", { labels: { not: "searchable" } }, { delay: "1h" });
    expect(await elsewhere.searchTaskPage({ query: "labels:vip" })).toMatchObject({ unfilled: 2 });
    const cancelled = await elsewhere.actOnTasks({ query: "labels:vip" }, "cancel", { dryRun: true });
    expect(cancelled).toMatchObject({ matched: 0, unfilled: 2 });
    const byLabel = { by: ["attribute.labels"] } as const;
    const byHour = { by: ["attribute.labels", "hour"] } as const;
    for (const asked of [byLabel, byHour])
      expect(await elsewhere.summarizeTasks(asked)).toMatchObject({
        groups: [],
        complete: false,
        unfilled: 2,
      });
    await worker.start();
    await expect
      .poll(() => elsewhere.searchTaskPage({ query: "labels:vip status:pending" }))
      .toMatchObject({ tasks: [{ id: "later", attempts: 0 }], complete: true });
    expect((await elsewhere.stats()).filling).toEqual([]);
    for (const asked of [byLabel, byHour])
      expect(await elsewhere.summarizeTasks(asked)).toMatchObject({ groups: [{ count: 1 }], complete: true });
    const others = await elsewhere.actOnTasks({ query: "-labels:vip" }, "cancel");
    expect(others).toMatchObject({ matched: 1, changed: 1 });
    expect(others).not.toHaveProperty("unfilled");
  });
});
