/** A process that dies with a transaction of `context.tx()` open leaves the write and COMPLETED, or neither (I11). */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { createDure, type Dure, type TaskDefinition } from "../../server/index.ts";
import { createTestSchema, type TestSchema } from "../support/postgres.ts";

const program = join(import.meta.dirname, "tx-program.ts");
const kills = Number(process.env.DURE_TX_KILLS ?? 20);
let schema: TestSchema;
let dure: Dure;
let writeReceipt: TaskDefinition<number>;
const workers: ChildProcess[] = [];

beforeAll(async () => {
  schema = await createTestSchema();
  dure = createDure({ database: schema.url });
  writeReceipt = dure.defineTask("write-receipt", async () => undefined);
  await dure.stats();
  await schema.query("CREATE TABLE :schema.receipts (task_id text PRIMARY KEY, fence integer NOT NULL)");
});
afterEach(() => {
  for (const worker of workers.splice(0)) worker.kill("SIGKILL");
});
afterAll(async () => {
  await dure.close();
  await schema.drop();
});

function start(name: string, deed = ""): ChildProcess {
  const url = new URL(schema.url);
  url.searchParams.set("application_name", name);
  const arguments_ = [program, url.href, `${schema.quoted}.receipts`, deed];
  const worker = spawn(process.execPath, arguments_, { stdio: ["ignore", "pipe", "inherit", "ipc"] });
  workers.push(worker);
  return worker;
}

/** The server may still carry out what a dead process had sent. */
async function gone(name: string): Promise<void> {
  const left = async () =>
    (await schema.query("SELECT 1 FROM pg_stat_activity WHERE application_name = $1", [name])).length;
  await expect.poll(left, { timeout: 10_000, interval: 5 }).toBe(0);
}

/** Tasks whose receipt and status do not agree. */
function disagreements(): Promise<unknown[]> {
  return schema.query(
    `SELECT id, status, receipts.fence FROM :schema.tasks FULL JOIN :schema.receipts ON task_id = id
      WHERE (status = 3) IS DISTINCT FROM (task_id IS NOT NULL) OR tasks.fence <> receipts.fence`,
  );
}

test("killed right after the write, nothing is left", async () => {
  for (let round = 0; round < 3; round += 1) {
    const name = `dies-${round}`;
    await writeReceipt.enqueue(round);
    const worker = start(name, "die");
    await once(worker, "exit");
    await gone(name);
    expect(await schema.query("SELECT * FROM :schema.receipts")).toEqual([]);
    expect(await dure.countTasks({ status: "COMPLETED" })).toBe(0);
  }
}, 60_000);

test(`killed ${kills} times between the write and the commit, or just after`, async () => {
  for (let round = 0; round < kills; round += 1) {
    const name = `killed-${round}`;
    await writeReceipt.enqueueMany(Array.from({ length: 20 }, (_, payload) => ({ payload })));
    const worker = start(name);
    await once(worker.stdout!, "data");
    await sleep(Math.random() * 8);
    worker.kill("SIGKILL");
    await once(worker, "exit");
    await gone(name);
    expect(await disagreements()).toEqual([]);
  }
  const last = start("last");
  // Whoever reads of a failure learns whether the last worker lives, what is left to it, and what its sessions wait for.
  const left = async () => {
    const tasks = await schema.query(
      `SELECT status, crashes, count(*)::integer AS tasks, min(due_at) AS first, max(due_at) AS last, max(updated_at) AS changed
        FROM :schema.tasks WHERE status < 3 GROUP BY 1, 2`,
    );
    if (tasks.length === 0) return [];
    const sessions = await schema.query(
      `SELECT state, wait_event, now() - query_start AS since, left(query, 100) AS query FROM pg_stat_activity
        WHERE application_name = 'last'`,
    );
    return [{ exit: [last.exitCode, last.signalCode], now: Date.now(), tasks, sessions }];
  };
  await expect.poll(left, { timeout: 120_000, interval: 200 }).toEqual([]);
  expect(await dure.countTasks({ status: ["PENDING", "RUNNING"] })).toBe(0);
  last.kill("SIGTERM");
  await once(last, "exit");
  expect(await disagreements()).toEqual([]);
  const [{ receipts }] = await schema.query("SELECT count(*)::integer AS receipts FROM :schema.receipts");
  expect(receipts).toBe(await dure.countTasks({ status: "COMPLETED" }));
  expect(receipts).toBeGreaterThan(kills * 15);
  const failed = await dure.searchTasks({ status: "FAILED" });
  expect(failed.filter(({ crashes }) => crashes! <= 3)).toEqual([]);
}, 240_000);
