/** An action on a whole search as a task of its own, on every store. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createDure, type Dure } from "../../server/dure.ts";
import type { WorkerOptions } from "../../server/dure-options.ts";
import type { Attempt } from "../../server/tasks/core/attempt.ts";
import { recordIn } from "../../server/tasks/core/audit.ts";
import type { TaskSearchOptions } from "../../server/tasks/core/search.ts";
import { createTestSchema } from "../support/postgres.ts";

const silent = { info: () => undefined, warn: () => undefined, error: () => undefined };
const databases = {
  "SQLite in memory": async () => ({ url: ":memory:", drop: async () => undefined }),
  "SQLite on disk": async () => {
    const folder = mkdtempSync(join(tmpdir(), "dure-action-"));
    return { url: join(folder, "tasks.db"), drop: async () => rmSync(folder, { recursive: true }) };
  },
  PostgreSQL: createTestSchema,
};

describe.each(Object.entries(databases))("on %s", (name, makeDatabase) => {
  let database: Awaited<ReturnType<typeof makeDatabase>>;
  let dure: Dure;
  const others: Dure[] = [];

  beforeEach(async () => {
    database = await makeDatabase();
    dure = open();
  });
  afterEach(async () => {
    for (const one of [dure, ...others.splice(0)]) await one.close();
    await database.drop();
  });

  function open(worker: WorkerOptions = {}): Dure {
    const opened = createDure({
      database: database.url,
      logger: silent,
      worker: { stopGrace: "4s", ...worker },
    });
    opened.defineTask("send-receipt", async ({ payload }) => {
      if (payload.order % 2 === 0) throw new Error("connect ETIMEDOUT");
    });
    return opened;
  }

  /** Receipts of which the even ones fail. */
  async function send(count: number): Promise<void> {
    for (let order = 1; order <= count; order++) await dure.enqueueTask("send-receipt", { order });
    await dure.start();
    await ended(count);
  }

  function ended(count: number) {
    const search: TaskSearchOptions = { type: "send-receipt", status: ["COMPLETED", "FAILED"] };
    return expect.poll(() => dure.countTasks(search)).toBe(count);
  }

  const attemptsOf = async (search: TaskSearchOptions) => {
    const tasks = await dure.searchTasks({ ...search, definitions: false, limit: 1_000 });
    // One that was given back when its worker stopped, or was lost with it, is another matter.
    const isOwn = ({ outcome }: Attempt) => outcome !== "released" && outcome !== "lost";
    return Promise.all(tasks.map(async ({ id }) => (await dure.listAttempts(id)).filter(isOwn).length));
  };

  test("does it to every task of the set, once, and says what it did", async () => {
    await send(250);
    const { id } = await dure.startAction({ query: "status:failed error:etimedout" }, "retry", { by: "Kim" });
    const task = await dure.waitForTask(id, { timeout: "20s" });
    expect(task).toMatchObject({ type: "dure.act-on-tasks", queue: "dure", status: "COMPLETED" });
    expect(task.result).toEqual({ matched: 125, changed: 125, skipped: 0, skippedSample: [] });
    expect(task.payload).toMatchObject({
      action: "retry",
      by: "Kim",
      query: 'status:failed error:"etimedout"',
    });
    await ended(250);
    expect(new Set(await attemptsOf({ status: "FAILED" }))).toEqual(new Set([2]));
    expect(new Set(await attemptsOf({ status: "COMPLETED", type: "send-receipt" }))).toEqual(new Set([1]));
    const [attempt] = await dure.listAttempts(id);
    expect(attempt!.logs.map(({ message }) => message)).toEqual(["retry: 125 changed, 0 skipped of 125."]);
  });

  test("the set is that of the start, whenever a worker comes by", async () => {
    await send(4);
    await dure.stop();
    const { id } = await dure.startAction({ type: "send-receipt" }, "delete");
    const later = await dure.enqueueTask("send-receipt", { order: 1 });
    await dure.start();
    expect((await dure.waitForTask(id, { timeout: "20s" })).result).toMatchObject({ changed: 4 });
    expect((await dure.waitForTask(later.id)).status).toBe("COMPLETED");
  });

  test.each<TaskSearchOptions>([{ description: { gt: "a" } }, { text: "x".repeat(300) }])(
    "takes filters that no query can say: %j",
    async (search) => {
      await dure.enqueueTask("send-receipt", {}, { delay: "1h", description: `b ${"x".repeat(300)}` });
      await dure.start();
      const { id } = await dure.startAction(search, "cancel");
      expect((await dure.waitForTask(id, { timeout: "20s" })).result).toMatchObject({
        matched: 1,
        changed: 1,
      });
    },
  );

  test("is cancelled as any task, and what is done stays done", async () => {
    await send(60);
    const { id } = await dure.startAction({ status: "FAILED" }, "delete", { rate: 10 });
    await expect.poll(() => dure.countTasks({ status: "FAILED" })).toBeLessThan(28);
    await dure.cancelTask(id);
    const task = await dure.waitForTask(id, { timeout: "20s" });
    expect(task.status).toBe("CANCELLED");
    const left = await dure.countTasks({ status: "FAILED" });
    expect(left).toBeGreaterThan(10);
    const [attempt] = await dure.listAttempts(id);
    expect(attempt!.logs.at(-1)!.message).toBe(`delete: ${30 - left} changed, 0 skipped of 30.`);
  });

  test("goes on where it was when its worker stops", async () => {
    await send(60);
    const { id } = await dure.startAction({ query: "status:failed" }, "retry", { rate: 5 });
    await expect.poll(async () => (await dure.getTaskById(id))?.progress?.done ?? 0).toBeGreaterThan(2);
    await dure.stop();
    expect(await dure.getTaskById(id)).toMatchObject({ status: "PENDING", attempts: 0 });
    await dure.start();
    const task = await dure.waitForTask(id, { timeout: "20s" });
    expect(task.result).toMatchObject({ matched: 30, changed: 30, skipped: 0 });
    await ended(60);
    expect(new Set(await attemptsOf({ status: "FAILED" }))).toEqual(new Set([2]));
  });

  test.skipIf(name === "SQLite in memory")(
    "goes on when its worker is killed",
    { timeout: 60_000 },
    async () => {
      await send(80);
      await dure.stop();
      const { id } = await dure.startAction({ query: "status:failed" }, "retry", { rate: 20 });
      const worker = spawn(process.execPath, ["-e", workerProgram], {
        cwd: resolve(import.meta.dirname, "../.."),
        env: { ...process.env, DURE_DATABASE: database.url },
        stdio: ["ignore", "ignore", "inherit"],
      });
      await expect
        .poll(async () => (await dure.getTaskById(id))?.progress?.done ?? 0, { timeout: 20_000 })
        .toBeGreaterThan(10);
      worker.kill("SIGKILL");
      await once(worker, "exit");
      await dure.start();
      const task = await dure.waitForTask(id, { timeout: "50s" });
      expect(task).toMatchObject({
        status: "COMPLETED",
        crashes: 1,
        result: { matched: 40, isAtLeast: true },
      });
      const { records } = await dure.readAudit({ target: id, actions: ["end-action"] });
      expect(records[0]?.after).toMatchObject({ isAtLeast: true });
      const { changed, skipped } = task.result as { changed: number; skipped: number };
      expect(changed + skipped).toBeGreaterThan(15);
      await ended(80);
      expect(new Set(await attemptsOf({ status: "FAILED" }))).toEqual(new Set([2]));
    },
  );

  test("has one record of its end, also when its worker dies between that and the settlement", async () => {
    await send(4);
    await dure.stop();
    const { id } = await dure.startAction({ query: "status:failed" }, "retry");
    const after = { action: "retry", matched: 2, changed: 2, skipped: 0, aborted: false };
    const ended = { action: "end-action", kind: "task", target: id, after } as const;
    await recordIn(dure.instance, { id: "died-meanwhile", via: "worker" }, ended);
    await dure.start();
    const { result } = await dure.waitForTask(id, { timeout: "20s" });
    expect(result).toEqual({ matched: 2, changed: 2, skipped: 0, skippedSample: [] });
    const { records } = await dure.readAudit({ target: id });
    expect(records.map(({ action }) => action)).toEqual(["end-action", "start-action"]);
  });

  test("workers of other queues do it too, and it never acts on actions", async () => {
    const worker = open({ queues: ["mail"] });
    if (name !== "SQLite in memory") others.push(worker);
    else dure = worker;
    await dure.enqueueTask("send-receipt", { order: 1 }, { delay: "1h" });
    const first = await dure.startAction({ type: "nobody" }, "cancel");
    const second = await dure.startAction({ status: "PENDING" }, "cancel");
    await worker.start();
    expect((await dure.waitForTask(first.id, { timeout: "20s" })).status).toBe("COMPLETED");
    const { result } = await dure.waitForTask(second.id, { timeout: "20s" });
    expect(result).toMatchObject({ changed: 1, skipped: 0 });
    const third = await dure.startAction({ status: "COMPLETED" }, "delete");
    expect((await dure.waitForTask(third.id, { timeout: "20s" })).result).toMatchObject({ changed: 0 });
    expect(await dure.getTaskById(first.id)).toMatchObject({ status: "COMPLETED" });
  });

  test("is nobody's definition", async () => {
    await dure.start();
    const { id } = await dure.startAction({}, "retry");
    await dure.waitForTask(id, { timeout: "20s" });
    expect((await dure.listDefinitions()).map((definition) => definition.id)).toEqual(["send-receipt"]);
    expect(await dure.getTaskById("dure.act-on-tasks")).toBeUndefined();
    const entries = await dure.searchTasks({ definitions: true });
    expect(entries.filter(({ isDefinition }) => isDefinition).map(({ type }) => type)).toEqual([
      "send-receipt",
    ]);
    await expect(dure.enqueueTask("dure.act-on-tasks", {})).rejects.toMatchObject({ code: "INVALID_OPTION" });
    const take = () => dure.defineTask("dure.act-on-tasks", async () => 1, { replace: true });
    expect(take).toThrow(expect.objectContaining({ code: "TASK_ALREADY_DEFINED" }));
  });

  test("edits, and keeps a search that no query can say", async () => {
    for (let order = 1; order <= 3; order++) {
      await dure.enqueueTask("send-receipt", { order, "a.b": 1 }, { delay: "1h" });
    }
    const search = { payload: { "a.b": 1, order: { gt: 1 } } };
    const { id } = await dure.startAction(search, "edit", { edit: { priority: 7 } });
    await dure.start();
    const { payload, result } = await dure.waitForTask(id, { timeout: "20s" });
    expect(payload).not.toHaveProperty("query");
    expect(payload.filter.and).toContainEqual(search);
    expect(result).toMatchObject({ matched: 2, changed: 2 });
    expect(await dure.countTasks({ priority: 7 })).toBe(2);
  });

  test("reschedules to an instant, which the audit log tells", async () => {
    await dure.enqueueTask("send-receipt", {}, { id: "later", delay: "1h" });
    const runAt = new Date(Date.now() + 7_200_000);
    const { id } = await dure.startAction({ id: "later" }, "edit", { edit: { runAt } });
    await dure.start();
    await dure.waitForTask(id, { timeout: "20s" });
    expect((await dure.getTaskById("later"))?.dueAt).toEqual(runAt);
    const { records } = await dure.readAudit({ target: id, actions: ["start-action"] });
    expect(records[0]?.after).toMatchObject({ action: "edit", edit: { runAt: runAt.toISOString() } });
  });

  test("what an action finds nothing to do for is told beside the report", async () => {
    await send(3);
    const search = { payload: { order: { gte: 1 } } };
    const { hint } = await dure.actOnTasks(search, "cancel", { dryRun: true });
    expect(hint).toBe("3 tasks fit, but the action 'cancel' is for those that are PENDING or RUNNING.");
    const misspelt = await dure.actOnTasks({ type: "send-reciept" }, "retry");
    expect(misspelt).toMatchObject({
      matched: 0,
      hint: expect.stringContaining('Did you mean "send-receipt"?'),
    });
  });

  test("what cannot be asked is refused at once", async () => {
    const code = (promise: Promise<unknown>) =>
      promise.then(
        () => "none",
        (error) => error.code,
      );
    expect(await code(dure.startAction({}, "explode" as never))).toBe("INVALID_OPTION");
    expect(await code(dure.startAction({}, "edit"))).toBe("INVALID_OPTION");
    expect(await code(dure.startAction({}, "retry", { rate: 0 }))).toBe("INVALID_OPTION");
    expect(await code(dure.startAction({ query: "statsu:x" }, "retry"))).toBe("INVALID_QUERY");
    for (const edit of [{ priority: 5_000 }, { prio: 3 }, {}, { delay: "1h", runAt: new Date() }])
      expect(await code(dure.startAction({}, "edit", { edit }))).toBe("INVALID_OPTION");
    for (const search of [{ query: "" }, { type: undefined, payload: { user: undefined } }])
      expect(await code(dure.startAction(search as never, "delete"))).toBe("INVALID_OPTION");
    expect(await code(dure.saveSearch("empty", { query: " " }))).toBe("INVALID_OPTION");
    expect(await dure.listSearches()).toEqual([]);
    expect((await dure.readAudit({})).records).toEqual([]);
    expect(await dure.countTasks({})).toBe(0);
  });
});

/** On the built package, as all that runs in another process. */
const workerProgram = `
import { createDure } from "dure";
await createDure({ worker: { lease: "3s" } }).start();
`;
