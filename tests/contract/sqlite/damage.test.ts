/**
 * Damaged files (F83): whatever bytes are wrong, the process lives, and the answer is a DureError or tasks of the right
 * shape. A flip inside a row's values is nobody's to notice: SQLite keeps no checksums.
 */
import {
  copyFileSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { DureError } from "../../../server/tasks/core/errors.ts";
import type { Condition } from "../../../server/tasks/core/filters/condition.ts";
import type { TaskStore } from "../../../server/tasks/core/store.ts";
import { createSqliteStore } from "../../../server/tasks/stores/sqlite/store.ts";
import {
  newDefinition,
  newSearch,
  newTask,
  newTasks,
  newWorker,
  settlementOf,
  someError,
} from "../../support/builders.ts";
import { countOf, tasksOf } from "../../support/found.ts";
import { claimRequest, ok } from "../../support/stores.ts";
import { TestClock } from "../../support/test-clock.ts";

const variants = Number(process.env.DURE_DAMAGE_VARIANTS ?? 100);
/**
 * What a damaged file may be answered with; a full disk or a closed instance would be a lie. Read-only is what a file
 * says of itself whose header names a format that only a newer SQLite may write.
 */
const fitting = ["DATABASE_CORRUPT", "DATABASE_UNAVAILABLE", "DATABASE_VERSION", "DATABASE_READ_ONLY"];
const ids = ["a", "b", "c"];
const ofTenant: Condition = {
  kind: "equals",
  field: { of: "attribute", name: "tenant" },
  values: ["a"],
};

let folder: string;
let path: string;
let sound: Buffer;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "dure-damage-"));
  path = join(folder, "tasks.db");
  sound = await makeFile(join(folder, "sound.db"));
});

beforeEach(removeFile);
afterAll(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }));

test(`${variants} files with one byte or a stretch of them wrong, or without their end: an error of ours or well-formed tasks`, async () => {
  const { random } = new TestClock(0, 83);
  const tally: Record<string, number> = {};
  // Eight at once: most of the time is the starting of threads.
  await Promise.all(
    Array.from({ length: 8 }, async (_, lane) => {
      for (let variant = lane; variant < variants; variant += 8) {
        const file = join(folder, `variant-${variant}.db`);
        const { bytes, what } = damage(random, variant);
        writeFileSync(file, bytes);
        const met = await useAll(file).catch((error) => error as Error);
        const code =
          met instanceof DureError ? met.code : met instanceof Error ? `${what}: ${met.stack}` : "none";
        tally[code] = (tally[code] ?? 0) + 1;
        for (const name of ["", "-wal", "-shm", "-workers"])
          rmSync(`${file}${name}`, { recursive: true, force: true });
      }
    }),
  );
  expect(Object.keys(tally).filter((code) => code !== "none" && !fitting.includes(code))).toEqual([]);
  expect(tally.DATABASE_CORRUPT).toBeGreaterThan(variants / 20);
}, 300_000);

test.each([
  ["text", Buffer.from("this is no database, only a note of some length ".repeat(100))],
  ["half a header", Buffer.from("SQLite format 3\0".padEnd(50, "\0"), "latin1")],
  ["zeros", Buffer.alloc(8_192)],
])("a file of %s is refused as no database, and left as it is", async (_what, bytes) => {
  writeFileSync(path, bytes);
  await expectRefusal("DATABASE_CORRUPT");
  expect(readFileSync(path)).toEqual(bytes);
});

test("a file cut off in the middle is refused or says what is missing", async () => {
  for (const size of [100, 512, 4_096, 4_097, 8_192, Math.floor(sound.length / 2), sound.length - 4_096]) {
    writeFileSync(path, sound);
    truncateSync(path, size);
    await expect(useAll(path), `${size} bytes`).rejects.toMatchObject({ code: "DATABASE_CORRUPT" });
    removeFile();
  }
});

test.each([
  ["until which day counts are kept", "DELETE FROM day_mark"],
  ["up to where attributes are indexed", "DELETE FROM attribute_marks"],
  ["what types there are", "DELETE FROM lanes"],
])("a file that has lost %s is told to be damaged, or does without", async (_what, sql) => {
  writeFileSync(path, sound);
  const connection = new DatabaseSync(path, { timeout: 10_000 });
  connection.exec(`PRAGMA foreign_keys = OFF; ${sql}`);
  connection.close();
  const met = await useAll(path).catch((error) => error as Error);
  if (met !== undefined) expect(met).toMatchObject({ code: "DATABASE_CORRUPT" });
  await withStore(path, async (store) => {
    const attributes = { tenant: "a" };
    for (const use of [
      () => store.enqueueTasks([newTask({ attributes })]),
      () => store.searchTasks(newSearch({ where: ofTenant })),
      () => store.summarizeTasks(newSearch(), { time: "createdAt", bucketMs: 86_400_000 }, ["status"]),
      () =>
        store.reapWorkers({
          suspects: [{ workerId: "worker-1", renewals: 0 }],
          crashBudget: 3,
          cancelGraceMs: 60_000,
        }),
    ]) {
      const failed = await use().then(
        () => undefined,
        (error) => error as Error,
      );
      if (failed !== undefined) expect(failed).toMatchObject({ code: "DATABASE_CORRUPT" });
    }
  });
});

test("a task whose number is below zero, as only damage makes it, is found as a task and as no definition", async () => {
  writeFileSync(path, sound);
  const connection = new DatabaseSync(path, { timeout: 10_000 });
  connection.exec("UPDATE tasks SET seq = -9 WHERE id = 'a'");
  connection.close();
  await withStore(path, async (store) => {
    const read: Condition = { kind: "exists", field: { of: "task", name: "maxAttempts" } };
    for (const where of [undefined, read]) {
      const search = newSearch({ limit: 1_000, definitions: true, ...(where && { where }) });
      const found = await tasksOf(store.searchTasks(search));
      expect(found.filter(({ id }) => id === "a")).toHaveLength(1);
    }
  });
});

test("an empty file is a new database", async () => {
  writeFileSync(path, "");
  await withStore(path, async (store) => {
    ok(await store.enqueueTasks([newTask({ id: "a" })]));
    expect((await store.getTask("a"))?.status).toBe("PENDING");
  });
});

test("an empty file beside a write-ahead log that is not is refused: its tasks may be in there", async () => {
  await withStore(path, async (store) => {
    ok(await store.enqueueTasks(newTasks(50)));
    copyFileSync(`${path}-wal`, join(folder, "kept-wal"));
  });
  writeFileSync(path, "");
  copyFileSync(join(folder, "kept-wal"), `${path}-wal`);
  await expectRefusal("DATABASE_CORRUPT");
  expect(readFileSync(`${path}-wal`)).toEqual(readFileSync(join(folder, "kept-wal")));
});

test("a write-ahead log of garbage loses nothing that is in the file", async () => {
  writeFileSync(path, sound);
  writeFileSync(`${path}-wal`, Buffer.alloc(40_000, "junk"));
  await withStore(path, async (store) => expect(await countOf(store.countTasks(newSearch()))).toBe(203));
});

test("a torn end of the write-ahead log loses only the torn commit", async () => {
  await withStore(path, async (store) => {
    ok(await store.enqueueTasks([newTask({ id: "a" })]));
    ok(await store.enqueueTasks([newTask({ id: "b" })]));
    copyFileSync(path, join(folder, "torn.db"));
    copyFileSync(`${path}-wal`, join(folder, "torn.db-wal"));
  });
  const torn = join(folder, "torn.db");
  truncateSync(`${torn}-wal`, readFileSync(`${torn}-wal`).length - 1_000);
  await withStore(torn, async (store) => {
    expect((await store.getTask("a"))?.status).toBe("PENDING");
    expect(await store.getTask("b")).toBeUndefined();
    ok(await store.enqueueTasks([newTask({ id: "c" })]));
  });
});

test("dure doctor's full look finds a damaged page that no verb has read", async () => {
  const bytes = Buffer.from(sound);
  bytes.fill(0x55, bytes.length - 4_096, bytes.length);
  writeFileSync(path, bytes);
  const found = await withStore(path, (store) => store.checkHealth({ full: true })).catch(
    (error) => error as DureError,
  );
  if (found instanceof DureError) expect(found.code).toBe("DATABASE_CORRUPT");
  else
    expect(found.filter(({ level }) => level === "error").map(({ check }) => check)).toContain("integrity");
});

/** A file with tasks of every status, its write-ahead log moved into it. */
async function makeFile(file: string): Promise<Buffer> {
  await withStore(file, async (store) => {
    await store.saveDefinitions([newDefinition(), newDefinition("nightly-report")]);
    await store.registerWorker(newWorker());
    await store.enqueueTasks([
      ...newTasks(200),
      ...ids.map((id) => newTask({ id, payload: "x".repeat(5_000) })),
    ]);
    const { claimed } = ok(await store.claimTasks(claimRequest({ limit: 90 })));
    const outcomes = ["completed", "failed", "cancelled"] as const;
    const ended = claimed.slice(0, 80);
    await store.settleTasks(
      ended.map((one, place) => settlementOf(one, outcomes[place % 3]!, { error: someError })),
    );
  });
  expect(existsSync(`${file}-wal`)).toBe(false);
  return readFileSync(file);
}

function damage(random: () => number, variant: number): { bytes: Buffer; what: string } {
  const bytes = Buffer.from(sound);
  // Headers of the file and of its pages are small, and the most telling.
  const page = Math.floor(random() * (bytes.length / 4_096)) * 4_096;
  const at = [
    Math.floor(random() * 100),
    page + Math.floor(random() * 12),
    Math.floor(random() * bytes.length),
  ][variant % 3]!;
  if (variant % 10 === 9) return { bytes: bytes.subarray(0, random() * bytes.length), what: "cut off" };
  const length = variant % 5 === 0 ? 1 + Math.floor(random() * 4_096) : 1;
  for (let offset = at; offset < Math.min(bytes.length, at + length); offset++) {
    bytes[offset] =
      length === 1 ? bytes[offset]! ^ (1 << Math.floor(random() * 8)) : Math.floor(random() * 256);
  }
  return { bytes, what: `${length} bytes at ${at}` };
}

/** One call of nearly every verb; what comes back is looked at. */
async function useAll(file: string): Promise<void> {
  await withStore(file, async (store) => {
    await store.registerWorker(newWorker("worker-2"));
    for (const sortBy of ["createdAt", "updatedAt", "id"] as const) {
      for (const task of await tasksOf(
        store.searchTasks(newSearch({ sortBy, limit: 1_000, definitions: true })),
      )) {
        expect(task.createdAt).toBeInstanceOf(Date);
      }
    }
    await countOf(store.countTasks(newSearch({ created: { start: 0 } })));
    for (const id of ids) await store.getTask(id);
    await store.listAttempts("a");
    await store.listWorkers();
    await store.listDefinitions();
    await store.stats();
    await store.enqueueTasks(newTasks(12));
    const answer = await store.claimTasks(claimRequest({ workerId: "worker-2", limit: 50, suspect: true }));
    const claimed = answer.kind === "ok" ? answer.value.claimed : [];
    await store.settleTasks(claimed.map((one) => settlementOf(one, "completed", { workerId: "worker-2" })));
    await store.pruneTasks({ status: "COMPLETED", before: 9e12, limit: 100 });
    await store.checkHealth({ full: true });
  });
}

async function withStore<Value>(file: string, use: (store: TaskStore) => Promise<Value>): Promise<Value> {
  const store = createSqliteStore({ path: file, clock: new TestClock() });
  try {
    await store.open();
    return await use(store);
  } finally {
    await store.close();
  }
}

async function expectRefusal(code: string): Promise<void> {
  const refusal = await withStore(path, async () => undefined).catch((error) => error as DureError);
  expect(refusal).toBeInstanceOf(DureError);
  expect(refusal).toMatchObject({ code, message: expect.stringContaining(path) });
}

function removeFile(): void {
  for (const name of ["", "-wal", "-shm", "-workers"])
    rmSync(`${path}${name}`, { recursive: true, force: true });
}
