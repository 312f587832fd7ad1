/** `enqueue(payload, { tx })` with a DatabaseSync of the caller's on the same file (I13). */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createDure, type Dure, DureError, type TaskDefinition } from "../../../server/index.ts";

let folder: string;
let path: string;
let dure: Dure;
let database: DatabaseSync;
let sendReceipt: TaskDefinition<any, any>;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "dure-tx-"));
  path = join(folder, "tasks.db");
  dure = createDure({ database: path });
  sendReceipt = dure.defineTask("send-receipt", async (task) => task.payload);
  await dure.stats();
  database = new DatabaseSync(path, { timeout: 5_000 });
  database.exec("CREATE TABLE orders (id INTEGER PRIMARY KEY) STRICT");
});
afterEach(async () => {
  if (database.isOpen) database.close();
  const findings = await dure.checkHealth({ full: true });
  await dure.close();
  rmSync(folder, { recursive: true, force: true });
  expect(findings.filter(({ level }) => level === "error")).toEqual([]);
});

async function refused(work: Promise<unknown>): Promise<DureError> {
  const error = await work.then(
    () => expect.fail("it was not refused"),
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(DureError);
  return error as DureError;
}

const orders = () =>
  database
    .prepare("SELECT id FROM orders ORDER BY id")
    .all()
    .map(({ id }) => id);

describe("the task is there if and only if the transaction commits", () => {
  test("a commit makes both visible, and the task runs", async () => {
    database.exec("BEGIN IMMEDIATE; INSERT INTO orders VALUES (17)");
    const payload = { at: new Date(5), text: "그림".repeat(3_000) };
    const task = await sendReceipt.enqueue(payload, { tx: database, id: "receipt-17", tags: ["mail"] });
    expect(await dure.getTaskById("receipt-17")).toBeUndefined();
    database.exec("COMMIT");
    expect(await dure.getTaskById("receipt-17")).toEqual(task);
    expect(await dure.countTasks()).toBe(1);
    expect(await sendReceipt.search()).toEqual([task]);
    await dure.start();
    expect(await dure.waitForTask("receipt-17", { timeout: "10s" })).toMatchObject({ result: payload });
  });

  test("an idle worker starts it soon", async () => {
    await dure.start();
    database.exec("BEGIN IMMEDIATE");
    const { id } = await sendReceipt.enqueue({ order: 17 }, { tx: database });
    database.exec("COMMIT");
    expect(await dure.waitForTask(id, { timeout: "2s" })).toMatchObject({ status: "COMPLETED" });
  });

  test("a rollback leaves neither, not even the first lane of its kind", async () => {
    database.exec("BEGIN IMMEDIATE; INSERT INTO orders VALUES (17)");
    await sendReceipt.enqueueMany(
      Array.from({ length: 25 }, (_, order) => ({ payload: { order }, queue: "mail" })),
      { tx: database },
    );
    database.exec("ROLLBACK");
    expect(await dure.countTasks()).toBe(0);
    expect(orders()).toEqual([]);
    database.exec("BEGIN IMMEDIATE");
    await sendReceipt.enqueue({ order: 17 }, { tx: database, queue: "mail" });
    database.exec("COMMIT");
    expect(await dure.countTasks({ queue: "mail" })).toBe(1);
  });

  test("before anything of the instance was opened or saved", async () => {
    const fresh = createDure({ database: path });
    const remind = fresh.defineTask("send-reminder", async () => undefined);
    database.exec("BEGIN IMMEDIATE");
    const started = performance.now();
    const { id } = await remind.enqueue({ order: 17 }, { tx: database });
    expect(performance.now() - started).toBeLessThan(2_000);
    database.exec("COMMIT");
    expect(await fresh.getTaskById(id)).toMatchObject({ type: "send-reminder" });
    await fresh.close();
  });

  test("a process that dies takes it along", async () => {
    database.exec("BEGIN IMMEDIATE");
    await sendReceipt.enqueue({ order: 17 }, { tx: database });
    database.close();
    expect(await dure.countTasks()).toBe(0);
  });
});

describe("keys and ids", () => {
  test("a key answers the first task, of the same transaction too", async () => {
    const first = await sendReceipt.enqueue({ order: 17 }, { idempotencyKey: "order-17" });
    database.exec("BEGIN IMMEDIATE");
    const again = await sendReceipt.enqueue({ order: 17 }, { idempotencyKey: "order-17", tx: database });
    const inside = await sendReceipt.enqueue({ order: 18 }, { idempotencyKey: "order-18", tx: database });
    const twice = await sendReceipt.enqueue({ order: 18 }, { idempotencyKey: "order-18", tx: database });
    database.exec("COMMIT");
    expect(again).toEqual(first);
    expect(twice).toEqual(inside);
    expect(await dure.countTasks()).toBe(2);
  });

  test("a refused batch leaves the transaction as it was", async () => {
    await sendReceipt.enqueue({ order: 17 }, { id: "receipt-17" });
    database.exec("BEGIN IMMEDIATE; INSERT INTO orders VALUES (17)");
    const items = [{ payload: { order: 16 } }, { payload: { order: 18 }, id: "receipt-17" }];
    const error = await refused(sendReceipt.enqueueMany(items, { tx: database }));
    expect(error).toMatchObject({ code: "TASK_ID_TAKEN", details: { index: 1 } });
    expect(error.message).toContain("Nothing was enqueued.");
    database.exec("COMMIT");
    expect(await dure.countTasks()).toBe(1);
    expect(orders()).toEqual([17]);
  });
});

test("a full queue is told, and leaves the transaction as it was", async () => {
  const limited = createDure({ database: path, queueDepthMax: 1 });
  const remind = limited.defineTask("send-reminder", async () => undefined);
  database.exec("BEGIN IMMEDIATE; INSERT INTO orders VALUES (17)");
  await remind.enqueue({ order: 17 }, { tx: database });
  expect(await refused(remind.enqueue({ order: 18 }, { tx: database }))).toMatchObject({
    code: "QUEUE_FULL",
  });
  database.exec("COMMIT");
  expect([await limited.countTasks(), orders()]).toEqual([1, [17]]);
  await limited.close();
});

describe("what would not be sound is refused", () => {
  test.each<[string, string, () => unknown | Promise<unknown>]>([
    ["no transaction open", "no transaction open", () => database],
    [
      "a connection that was closed",
      "closed",
      () => {
        database.close();
        return database;
      },
    ],
    [
      "another file",
      "elsewhere.db",
      () => {
        const other = new DatabaseSync(join(folder, "elsewhere.db"));
        other.exec("BEGIN");
        return other;
      },
    ],
    [
      "a database in memory",
      "in memory",
      () => {
        const other = new DatabaseSync(":memory:");
        other.exec("BEGIN");
        return other;
      },
    ],
    [
      "better-sqlite3",
      "better-sqlite3",
      () => ({ name: path, inTransaction: true, exec: () => undefined, prepare: () => undefined }),
    ],
    ["a pg client", "no connection to an SQLite database", () => ({ query: async () => ({ rows: [] }) })],
    ["nothing", "no connection to an SQLite database", () => null],
  ])("%s", async (_, text, make) => {
    const error = await refused(sendReceipt.enqueue({ order: 17 }, { tx: (await make()) as any }));
    expect(error.code).toBe("TRANSACTION_UNUSABLE");
    expect(error.message).toContain(text);
    expect(await dure.countTasks()).toBe(0);
  });

  test("an instance in memory", async () => {
    const memory = createDure({ database: ":memory:" });
    const remind = memory.defineTask("send-reminder", async () => undefined);
    database.exec("BEGIN IMMEDIATE");
    const error = await refused(remind.enqueue({ order: 17 }, { tx: database }));
    await memory.close();
    expect(error.message).toContain("':memory:'");
  });

  test("a file that has no schema yet", async () => {
    const other = join(folder, "new.db");
    const unmade = new DatabaseSync(other);
    unmade.exec("BEGIN IMMEDIATE");
    const fresh = createDure({ database: other });
    const remind = fresh.defineTask("send-reminder", async () => undefined);
    const error = await refused(remind.enqueue({ order: 17 }, { tx: unmade }));
    unmade.close();
    expect(error.message).toContain("no schema of Dure's");
    await fresh.close();
  });

  test("a transaction that may not write because another connection does", async () => {
    const hasty = new DatabaseSync(path);
    hasty.exec("BEGIN; SELECT count(*) FROM orders");
    database.exec("BEGIN IMMEDIATE");
    const error = await refused(sendReceipt.enqueue({ order: 17 }, { tx: hasty }));
    hasty.close();
    database.exec("ROLLBACK");
    expect(error.message).toContain("BEGIN IMMEDIATE");
  });
});

test("context.tx() says why it has none", async () => {
  const pay = dure.defineTask("charge-card", async (_task, context) => void (await context.tx()));
  await dure.start();
  const { id } = await pay.enqueue({});
  const ended = await dure.waitForTask(id, { timeout: "10s" });
  expect(ended).toMatchObject({ status: "FAILED" });
  expect(ended.error).toContain("context.tx() needs PostgreSQL");
});
