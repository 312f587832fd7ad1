import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { afterEach, expect, test, vi } from "vitest";
import type { Dure } from "./dure.ts";
import { createDure } from "./dure.ts";
import type { DureOptions } from "./dure-options.ts";
import { setDefaultInstance } from "./tasks/core/instance.ts";
import { defineTask } from "./tasks/core/task.ts";

const opened: Dure[] = [];
const quiet = { info() {}, warn() {}, error() {} };

function makeDure(options: DureOptions = {}): Dure {
  const dure = createDure({ database: ":memory:", logger: quiet, ...options });
  opened.push(dure);
  return dure;
}

afterEach(async () => {
  await Promise.all(opened.splice(0).map((dure) => dure.close()));
});

test("options are checked at once, all problems together", () => {
  const make = () =>
    createDure({
      databse: "x",
      worker: { concurency: 1, stopGrace: "soon" },
      valueSizeMax: 0,
    } as DureOptions);
  expect(make).toThrow(expect.objectContaining({ code: "INVALID_OPTION" }));
  expect(make).toThrow(/database.*concurrency.*stopGrace.*valueSizeMax/s);
});

test("what is no object at all is refused with what was meant", async () => {
  expect(() => createDure("tasks.db" as DureOptions)).toThrow('createDure({ database: "tasks.db" })');
  expect(() => createDure({ worker: 4 } as unknown as DureOptions)).toThrow("The options of worker are 4");
  const dure = makeDure();
  const nothing = null as never;
  for (const call of [dure.searchTasks(nothing), dure.searchTaskPage(nothing), dure.countTasks(nothing)]) {
    await expect(call).rejects.toMatchObject({ code: "INVALID_OPTION" });
  }
  await expect(dure.searchTasks({ createdAtRange: { start: "2026" as never } })).rejects.toThrow(
    'createdAtRange.start is "2026"; it must be a valid Date.',
  );
  const add = dure.defineTask("add", async () => 1);
  await expect(add.enqueueMany([1 as never])).rejects.toThrow("Item 0: It is 1; each item is { payload,");
  await expect(dure.cancelTask("add")).rejects.toMatchObject({
    code: "TASK_NOT_FOUND",
    message: expect.stringContaining('"add" is the id of a definition'),
  });
});

test.each([[[]], [new Map()], [new Date()], ["failed"]])(
  "options that are %o are refused wherever options are taken apart",
  async (given) => {
    const dure = makeDure();
    const add = dure.defineTask("add", async () => 1);
    const options = given as never;
    const calls = {
      searchTasks: () => dure.searchTasks(options),
      searchTaskPage: () => dure.searchTaskPage(options),
      countTasks: () => dure.countTasks(options),
      summarizeTasks: () => dure.summarizeTasks(options),
      explainSearch: () => dure.explainSearch(options),
      formatQuery: () => dure.formatQuery(options),
      watchTasks: async () => dure.watchTasks(options).next(),
      checkHealth: () => dure.checkHealth(options),
      search: () => add.search(options),
      searchPage: () => add.searchPage(options),
      count: () => add.count(options),
      enqueue: () => add.enqueue(1, options),
      run: () => add.run(1, options),
    };
    for (const [name, call] of Object.entries(calls))
      await expect(call(), name).rejects.toMatchObject({ code: "INVALID_OPTION" });
    expect(await dure.countTasks()).toBe(0);
  },
);

test("an address of another database is refused with what there is", () => {
  expect(() => createDure({ database: "mysql://localhost/app" })).toThrow(
    expect.objectContaining({
      code: "DATABASE_UNAVAILABLE",
      message: expect.stringContaining("postgres://"),
    }),
  );
});

test("a task is enqueued, run and found", async () => {
  const dure = makeDure();
  const add = dure.defineTask(
    "add",
    async (task: { payload: { a: number; b: number } }) => task.payload.a + task.payload.b,
  );
  await dure.start();
  expect(await add.run({ a: 1, b: 2 })).toBe(3);
  expect(await dure.countTasks({ status: "COMPLETED" })).toBe(1);
  expect(await dure.stop()).toEqual({ released: 0 });
});

test("what no wait can be ended by is refused before the task is stored", async () => {
  const dure = makeDure();
  const add = dure.defineTask("add", async () => 3);
  await expect(add.run({}, { signal: "soon" as never })).rejects.toMatchObject({ code: "INVALID_OPTION" });
  expect(await dure.countTasks()).toBe(0);
});

test("a definition made after the store was opened is saved and run", async () => {
  const dure = makeDure();
  await dure.start();
  const late = dure.defineTask("late", async () => "late");
  expect(await late.run({})).toBe("late");
  expect((await dure.listDefinitions()).map(({ id }) => id)).toEqual(["late"]);
});

test("the worker is started once, and can be started again after a stop", async () => {
  const dure = makeDure();
  await dure.start();
  await expect(dure.start()).rejects.toMatchObject({ code: "WORKER_RUNNING" });
  await Promise.all([dure.stop(), dure.stop()]);
  await dure.start();
  const workers = await dure.listWorkers();
  expect(workers.map(({ state }) => state).sort()).toEqual(["alive", "stopped"]);
});

test("a worker without definitions beside the default instance's says so, and no other does", async () => {
  const warned: string[] = [];
  const logger = { ...quiet, warn: (line: string) => void warned.push(line) };
  const startOne = async (define: boolean) => {
    const dure = makeDure({ logger });
    if (define) dure.defineTask("own", async () => 1);
    await dure.start();
    await dure.stop();
  };
  const standIn = makeDure();
  setDefaultInstance(standIn.instance);
  try {
    await startOne(false);
    defineTask("send-receipt", async () => 1);
    await startOne(true);
    expect(warned).toEqual([]);
    await startOne(false);
    expect(warned).toEqual([expect.stringContaining("defaultDure().start()")]);
  } finally {
    setDefaultInstance(undefined);
  }
});

test("a running task is cancelled", async () => {
  const dure = makeDure();
  const wait = dure.defineTask("wait", async (_task, { signal }) => {
    await new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
  });
  await dure.start();
  const { id } = await wait.enqueue({});
  while ((await dure.getTaskById(id))!.status !== "RUNNING")
    await new Promise((resolve) => setImmediate(resolve));
  expect((await dure.cancelTask(id)).requested).toBe(true);
  expect((await dure.waitForTask(id)).status).toBe("CANCELLED");
});

test("stop gives back what does not end, uncharged", async () => {
  const dure = makeDure({ worker: { stopGrace: "20ms" } });
  const stubborn = dure.defineTask("stubborn", () => new Promise(() => {}));
  await dure.start();
  const { id } = await stubborn.enqueue({});
  while ((await dure.getTaskById(id))!.status !== "RUNNING")
    await new Promise((resolve) => setImmediate(resolve));
  expect(await dure.stop()).toEqual({ released: 1 });
  expect(await dure.getTaskById(id)).toMatchObject({ status: "PENDING", attempts: 0 });
});

test("a closed instance says so", async () => {
  const dure = makeDure();
  await dure.close();
  await dure.close();
  await expect(dure.searchTasks()).rejects.toMatchObject({ code: "INSTANCE_CLOSED" });
  await expect(dure.start()).rejects.toMatchObject({ code: "INSTANCE_CLOSED" });
});

test("prune archives what it deletes", async () => {
  const folder = mkdtempSync(join(tmpdir(), "dure-"));
  try {
    const archiveTo = join(folder, "archive");
    const dure = makeDure({ retention: { completed: 0, archiveTo } });
    const add = dure.defineTask("add", async () => new Map([["sum", 3n]]));
    await dure.start();
    await add.run({ at: new Date(0) });
    await add.run({ at: new Date(1) });
    await dure.stop();
    expect(await dure.prune()).toEqual({ archived: 2, deleted: 2 });
    expect(await dure.countTasks()).toBe(0);
    const file = readdirSync(archiveTo).find((name) => name.endsWith(".gz"));
    expect(file).toMatch(/^tasks-\d{4}-\d\d-\d\d\.ndjson\.gz$/);
    const lines = gunzipSync(readFileSync(join(archiveTo, file!)))
      .toString()
      .trim()
      .split("\n");
    expect(lines.map((line) => JSON.parse(line))).toMatchObject([
      {
        type: "add",
        status: "COMPLETED",
        payloadTypes: {},
        resultTypes: {},
        history: [{ outcome: "completed" }],
      },
      { type: "add" },
    ]);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test("by completedAt: only tasks that have ended, latest first, page by page", async () => {
  const dure = makeDure();
  const definition = dure.defineTask("resize-image", async ({ payload }: { payload: number }) => {
    if (payload % 3 === 0) throw new Error("no");
  });
  await dure.start();
  await definition.enqueueMany(Array.from({ length: 12 }, (_, payload) => ({ payload })));
  await expect.poll(() => dure.countTasks({ status: ["PENDING", "RUNNING"] })).toBe(0);
  await definition.enqueue(99, { delay: "1h" });
  const found: number[] = [];
  let cursor: string | undefined;
  do {
    const page = await dure.searchTaskPage({
      sortBy: "completedAt",
      limit: 5,
      ...(cursor !== undefined && { cursor }),
    });
    expect(page.complete).toBe(true);
    found.push(...page.tasks.map(({ completedAt }) => completedAt!.getTime()));
    cursor = page.nextCursor;
  } while (cursor !== undefined);
  expect(found).toHaveLength(12);
  expect(found).toEqual(found.toSorted((a, b) => b - a));
  const failed = await dure.searchTasks({ sortBy: "completedAt", status: ["FAILED", "PENDING"] });
  expect(failed.map(({ status }) => status)).toEqual(Array(4).fill("FAILED"));
});

test("a handler that enqueues itself for ever is stopped where its chain gets too long", async () => {
  const dure = makeDure({ worker: { depthMax: 5 } });
  const again = dure.defineTask("again", async () => void (await again.enqueue({})));
  await dure.start();
  await again.enqueue({});
  await expect.poll(() => dure.countTasks({ status: "FAILED", definitions: false })).toBe(1);
  expect(await dure.countTasks({ definitions: false })).toBe(6);
  const [failed] = await dure.searchTasks({ status: "FAILED" });
  const [attempt] = await dure.listAttempts(failed!.id);
  expect(attempt!.error).toMatchObject({ code: "ENQUEUE_LIMIT" });
});

test("a handler enqueues so many tasks and no more, however it does; nobody else is bounded", async () => {
  const dure = makeDure({ worker: { childrenMax: 5 } });
  const child = dure.defineTask("child", async () => {});
  const items = (length: number) => Array.from({ length }, () => ({ payload: {} }));
  const parent = dure.defineTask("parent", async () => {
    const tooMany = await child.enqueueMany(items(6)).catch((error) => error);
    await child.enqueueMany(items(4));
    await child.enqueue({});
    const oneMore = await child.enqueue({}).catch((error) => error);
    return [tooMany, oneMore].map(({ code, details }) => [code, details.index]);
  });
  await dure.start();
  expect(await parent.run({})).toEqual([
    ["ENQUEUE_LIMIT", 5],
    ["ENQUEUE_LIMIT", undefined],
  ]);
  await child.enqueueMany(items(20));
  expect(await dure.countTasks({ type: "child" })).toBe(25);
});

test("so many tasks wait in a queue and no more, by name or for all others, until some have run", async () => {
  const dure = makeDure({ queueDepthMax: { mail: 2, "*": 3 } });
  const sendReceipt = dure.defineTask("send-receipt", async () => undefined, { queue: "mail" });
  const items = (length: number) => Array.from({ length }, (_, order) => ({ payload: { order } }));
  await expect(sendReceipt.enqueueMany(items(3))).rejects.toMatchObject({
    code: "QUEUE_FULL",
    message:
      'The queue "mail" may have 2 of its tasks waiting (queueDepthMax), and would have more. Nothing was enqueued. ' +
      "Enqueue again when some have been run, start more workers, or raise the limit.",
    details: { queue: "mail", max: 2 },
  });
  const [first] = await sendReceipt.enqueueMany(items(2));
  await expect(sendReceipt.enqueue({})).rejects.toMatchObject({ code: "QUEUE_FULL" });
  for (const _ of items(3)) await sendReceipt.enqueue({}, { queue: "images" });
  await expect(sendReceipt.enqueue({}, { queue: "images" })).rejects.toMatchObject({
    details: { queue: "images", max: 3 },
  });
  await dure.start();
  await dure.waitForTask(first!.id);
  await sendReceipt.run({});
});

test("the limit of a queue's depth is checked, and comes from the environment where no other is given", async () => {
  expect(() => makeDure({ queueDepthMax: 0 })).toThrow("queueDepthMax");
  expect(() => makeDure({ queueDepthMax: { "a b": 5, mail: 1.5 } })).toThrow(/a b.*queueDepthMax\['mail'\]/s);
  vi.stubEnv("DURE_QUEUE_DEPTH_MAX", "many");
  expect(() => makeDure()).toThrow('DURE_QUEUE_DEPTH_MAX is "many"; it must be');
  vi.stubEnv("DURE_QUEUE_DEPTH_MAX", "1");
  const dure = makeDure();
  const unbounded = makeDure({ queueDepthMax: { mail: 1 } });
  vi.unstubAllEnvs();
  const add = dure.defineTask("add", async () => 1);
  await add.enqueue({});
  await expect(add.enqueue({})).rejects.toMatchObject({ code: "QUEUE_FULL", details: { max: 1 } });
  const other = unbounded.defineTask("add", async () => 1);
  await other.enqueueMany([{ payload: {} }, { payload: {} }]);
});

test("a logger that throws, rejects or takes its time, and an onUnhealthy that throws, affect no task (F145)", async () => {
  const strays: string[] = [];
  const stray = ({ message }: Error) => void strays.push(message);
  process.on("unhandledRejection", stray);
  let calls = 0;
  let unhealthy = 0;
  const fail = (): never => {
    calls += 1;
    throw new Error("the log is gone");
  };
  const logger = {
    info: fail,
    warn: () => {
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20);
      fail();
    },
    error: async () => fail(),
  };
  const worker = {
    onUnhealthy: () => {
      unhealthy += 1;
      throw new Error("nobody minds");
    },
  };
  const dure = makeDure({ logger, worker });
  const stuck = dure.defineTask("stuck", () => new Promise<void>(() => {}), { timeout: 1, abortGrace: 0 });
  const add = dure.defineTask("add", async () => {
    void Promise.reject(new Error("nobody awaits me"));
    return 1;
  });
  await dure.start();
  await add.run({}).catch(() => undefined);
  const tasks = await stuck.enqueueMany(Array.from({ length: 11 }, () => ({ payload: {} })));
  for (const { id } of tasks) expect((await dure.waitForTask(id)).status).toBe("FAILED");
  await expect.poll(() => unhealthy).toBe(1);
  expect(calls).toBeGreaterThan(0);
  await dure.stop();
  process.off("unhandledRejection", stray);
  expect(strays, "what nobody took is the handler's").toEqual(["nobody awaits me"]);
});
