/** A backup that is put back below workers that run (F148): what it holds goes on, and nobody of before can settle any of it. */
import { afterEach, beforeEach, expect, test } from "vitest";
import { createDure, type Dure } from "../../server/index.ts";
import { postgresUrl, queryPostgres } from "../support/postgres.ts";

let name: string;
let dure: Dure;
let logged: string[];

beforeEach(async () => {
  name = `dure_restore_${process.pid}_${Math.trunc(performance.now())}`;
  await queryPostgres(`CREATE DATABASE ${name}`);
  logged = [];
  const url = new URL(await postgresUrl());
  url.pathname = name;
  const log = (message: string) => void logged.push(message);
  dure = createDure({
    database: url.href,
    worker: { lease: "6s", stopGrace: 0 },
    logger: { info: log, warn: log, error: log },
  });
});

afterEach(async () => {
  await dure.close();
  for (const database of [name, `${name}_backup`])
    await queryPostgres(`DROP DATABASE IF EXISTS ${database} WITH (FORCE)`);
});

/** Files are copied, as a backup's are; nobody may be connected meanwhile. */
async function alone(work: () => Promise<unknown>): Promise<void> {
  await queryPostgres(`ALTER DATABASE ${name} ALLOW_CONNECTIONS false`);
  const end = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = $1";
  // One that was let in just before is seen a moment later.
  await expect.poll(() => queryPostgres(end, [name])).toEqual([]);
  await work();
  await queryPostgres(`ALTER DATABASE ${name} ALLOW_CONNECTIONS true`);
}

const backUp = () => alone(() => queryPostgres(`CREATE DATABASE ${name}_backup TEMPLATE ${name}`));
const restore = () =>
  alone(async () => {
    await queryPostgres(`DROP DATABASE ${name}`);
    await queryPostgres(`ALTER DATABASE ${name}_backup RENAME TO ${name}`);
  });

/** How often the worker has renewed its lease. */
const renewals = async () => (await dure.listWorkers()).find(({ state }) => state === "alive")?.renewals ?? 0;

test("its tasks run again under another worker, and the attempts of before are aborted and settle nothing", async () => {
  const starts: { id: string; fence: number; reason: Promise<string>; end(result: string): void }[] = [];
  const hold = dure.defineTask(
    "hold",
    (task, { signal, fence }) =>
      new Promise<string>((end) => {
        const reason = new Promise<string>((tell) =>
          signal.addEventListener("abort", () => tell(signal.reason.kind)),
        );
        starts.push({ id: task.id, fence, reason, end });
      }),
  );
  await dure.start();
  await hold.enqueue({}, { id: "ran" });
  await hold.enqueue({}, { id: "waited", delay: "1h" });
  await expect.poll(() => starts.length).toBe(1);
  await backUp();
  await dure.editTask("waited", { runAt: new Date() });
  await expect.poll(() => starts.length).toBe(2);
  const seen = await renewals();
  // The first may be by the pool, in place of the thread that starts: the worker hears of the thread's alone.
  await expect.poll(renewals).toBeGreaterThan(seen + 1);
  // On a busy machine what is put back runs again before the edit is answered.
  const before = starts.slice();
  await restore();

  // At once, so that the worker of before may be given it with the fence that it runs it by.
  await dure.editTask("waited", { runAt: new Date() });
  expect(await Promise.all(before.map(({ reason }) => reason))).toEqual(["lease-lost", "lease-lost"]);
  for (const { end } of before) end("of before");
  const again = () => starts.slice(2).map(({ id }) => id);
  await expect.poll(() => again().sort()).toEqual(["ran", "waited"]);
  for (const { end } of starts.slice(2)) end("of after");
  for (const id of ["ran", "waited"])
    expect(await dure.waitForTask(id, { timeout: "10s" })).toMatchObject({ result: "of after" });
  expect(logged.filter((line) => line.includes("put back to an earlier state"))).toHaveLength(1);
  expect((await dure.checkHealth({ full: true })).filter(({ level }) => level === "error")).toEqual([]);
}, 60_000);
