/** The file itself: who may read it, what is refused, and what happens when it is damaged, gone or full. */
import { spawnSync } from "node:child_process";
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { TaskStore } from "../../../server/tasks/core/store.ts";
import {
  Connection,
  checkSqliteVersion,
  networkFileSystem,
} from "../../../server/tasks/stores/sqlite/connection.ts";
import { createSqliteStore } from "../../../server/tasks/stores/sqlite/store.ts";
import { newSearch, newTask, newTasks, newWorker, settlementOf } from "../../support/builders.ts";
import { countOf } from "../../support/found.ts";
import { claimRequest, ok } from "../../support/stores.ts";
import { TestClock } from "../../support/test-clock.ts";

const clock = new TestClock();
const maker = join(import.meta.dirname, "../../support/store-process.ts");
let folder: string;
let path: string;
let stores: TaskStore[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "dure-file-"));
  path = join(folder, "data", "tasks.db");
  stores = [];
});

afterEach(async () => {
  await Promise.all(stores.map((store) => store.close().catch(() => undefined)));
  rmSync(folder, { recursive: true, force: true });
});

async function open(at = path): Promise<TaskStore> {
  const store = createSqliteStore({ path: at, clock });
  stores.push(store);
  await store.open();
  return store;
}

const codeOf = (answer: Promise<unknown>) =>
  answer.then(
    () => "ok",
    ({ code }) => code as string,
  );
const count = (store: TaskStore) => countOf(store.countTasks(newSearch()));

test("the file is its owner's alone, whatever the umask", () => {
  spawnSync(process.execPath, [maker, path]);
  const modeOf = (name: string) => (statSync(join(folder, "data", name)).mode & 0o777).toString(8);
  expect(
    [".", "tasks.db", "tasks.db-wal", "tasks.db-shm", "tasks.db-workers", "tasks.db-workers/w.lock"].map(
      modeOf,
    ),
  ).toEqual(["700", "600", "600", "600", "700", "600"]);
});

test("a symbolic link is refused", async () => {
  await (await open()).close();
  symlinkSync(path, join(folder, "link.db"));
  expect(await codeOf(open(join(folder, "link.db")))).toBe("DATABASE_UNSAFE");
});

test.each([
  ["3.45.0", false],
  ["3.46.1", false],
  ["3.49.2", false],
  ["3.50.6", false],
  ["3.51.2", false],
  ["3.44.5", false],
  ["2.50.9", false],
  ["3.44.6", true],
  ["3.50.7", true],
  ["3.51.3", true],
  ["3.53.4", true],
  ["4.0.0", true],
])("SQLite %s is safe: %s", (version, safe) => {
  if (safe) expect(() => checkSqliteVersion(version)).not.toThrow();
  else
    expect(() => checkSqliteVersion(version)).toThrow(expect.objectContaining({ code: "DATABASE_UNSAFE" }));
});

test.each([
  [0x6969, "NFS"],
  [0x517b, "SMB"],
  [0xff534d42, "CIFS"],
  [0xff534d42 | 0, "CIFS"],
  [0xfe534d42, "SMB2"],
  [0x01021997, "9p"],
  [0xef53, undefined],
  [0x01021994, undefined],
  [0x58465342, undefined],
  [0x9123683e, undefined],
])("the file system %i is %s", (magic, name) => {
  expect(networkFileSystem(magic)).toBe(name);
});

test("a database of another program is left as it is", async () => {
  mkdirSync(join(folder, "data"));
  const other = new DatabaseSync(path, { timeout: 10_000 });
  other.exec("CREATE TABLE theirs (a)");
  other.close();
  const before = readFileSync(path);
  expect(await codeOf(open())).toBe("DATABASE_CORRUPT");
  expect(readFileSync(path).equals(before)).toBe(true);
});

test("a file that is no database is left as it is", async () => {
  mkdirSync(join(folder, "data"));
  writeFileSync(path, "hello, this is no database\n".repeat(300));
  expect(await codeOf(open())).toBe("DATABASE_CORRUPT");
  expect(readFileSync(path, "utf8")).toMatch(/^hello/);
});

test("a newer schema is refused by its number (F155)", async () => {
  const { known } = await (await open()).schemaVersion();
  await stores[0]!.close();
  const newer = new DatabaseSync(path, { timeout: 10_000 });
  newer.exec(`PRAGMA user_version = ${known + 1}`);
  newer.close();
  const refused = open();
  await expect(refused).rejects.toMatchObject({
    code: "DATABASE_VERSION",
    message: expect.stringContaining(String(known + 1)),
  });
});

test("a worker that has the file open starts nothing more once a newer schema is there, and ends what it has (F155)", async () => {
  const store = await open();
  ok(await store.registerWorker(newWorker()));
  ok(await store.enqueueTasks([newTask({ id: "begun" })]));
  const { claimed } = ok(await store.claimTasks(claimRequest()));
  const waiting = store.claimTasks(claimRequest({ waitMs: 3_000 }));
  const { known } = await store.schemaVersion();
  const newer = new DatabaseSync(path, { timeout: 10_000 });
  newer.exec(`PRAGMA user_version = ${known + 1}`);
  ok(await store.enqueueTasks([newTask({ id: "late" })]));
  const refused = {
    code: "DATABASE_VERSION",
    message: expect.stringContaining("restart the program"),
    details: { stored: known + 1, known, location: path },
  };
  await expect(waiting).rejects.toMatchObject(refused);
  await expect(store.claimTasks(claimRequest())).rejects.toMatchObject(refused);
  ok(await store.settleTasks(claimed.map((one) => settlementOf(one, "completed"))));
  newer.exec(`PRAGMA user_version = ${known}`);
  newer.close();
  expect(ok(await store.claimTasks(claimRequest())).claimed.map(({ task }) => task.id)).toEqual(["late"]);
});

test("a write lock that another process does not let go of is told, by what holds it (F69)", async () => {
  await open();
  const other = new DatabaseSync(path, { timeout: 10_000 });
  other.exec("BEGIN IMMEDIATE");
  const connection = new Connection({ path, durability: "full", role: "writer", busyWaitMs: 50 });
  try {
    expect(() => connection.beginWrite()).toThrow(
      expect.objectContaining({
        code: "DATABASE_UNAVAILABLE",
        details: { location: path, waitedMs: 50 },
        message: expect.stringContaining("Nothing was changed."),
      }),
    );
    other.exec("COMMIT");
    connection.beginWrite();
    connection.rollback();
  } finally {
    connection.close();
    other.close();
  }
});

test("while another process holds the write lock the event loop goes on, and the call is done once it lets go (F71)", async () => {
  const store = await open();
  const other = new DatabaseSync(path, { timeout: 10_000 });
  other.exec("BEGIN IMMEDIATE");
  let answered = false;
  const answer = store.enqueueTasks([newTask()]).finally(() => {
    answered = true;
  });
  const from = performance.now();
  let turns = 0;
  for (; performance.now() - from < 200; turns++) await new Promise((next) => setImmediate(next));
  other.exec("COMMIT");
  other.close();
  expect(answered).toBe(false);
  // A call that waited on this thread would have left it not one.
  expect(turns).toBeGreaterThan(100);
  ok(await answer);
  expect(await count(store)).toBe(1);
});

describe("a file that goes away while it is open (F79)", () => {
  test.each<[string, () => void]>([
    ["deleted", () => rmSync(path)],
    ["moved", () => renameSync(path, `${path}.old`)],
    [
      "replaced",
      () => {
        copyFileSync(path, `${path}.copy`);
        renameSync(`${path}.copy`, path);
      },
    ],
    ["without its write-ahead log, which was deleted", () => rmSync(`${path}-wal`)],
    ["without its write-ahead log, which was moved", () => renameSync(`${path}-wal`, `${path}-wal.old`)],
    [
      "with another write-ahead log",
      () => {
        copyFileSync(`${path}-wal`, `${path}-wal.copy`);
        renameSync(`${path}-wal.copy`, `${path}-wal`);
      },
    ],
  ])("%s: nothing more is written or read", async (_what, lose) => {
    const store = await open();
    ok(await store.enqueueTasks(newTasks(3)));
    expect(await count(store)).toBe(3);
    lose();
    expect(await codeOf(store.enqueueTasks([newTask()]))).toBe("DATABASE_UNAVAILABLE");
    expect(await codeOf(count(store))).toBe("DATABASE_UNAVAILABLE");
  });
});

test("what was acknowledged before the write-ahead log was deleted is there after a stop in good order", async () => {
  const store = await open();
  ok(await store.enqueueTasks(newTasks(3)));
  rmSync(`${path}-wal`);
  expect(await codeOf(store.enqueueTasks([newTask()]))).toBe("DATABASE_UNAVAILABLE");
  await store.close();
  expect(await count(await open())).toBe(3);
});

const mountPoint = mkdtempSync(join(tmpdir(), "dure-full-"));
const mounted = spawnSync("mount", ["-t", "tmpfs", "-o", "size=4m", "tmpfs", mountPoint]).status === 0;

// Only root in a machine of its own may mount a small file system to fill.
test.skipIf(!mounted)(
  "on a full disk nothing acknowledged is lost, and all goes on once there is space (F75)",
  async () => {
    try {
      const store = await open(join(mountPoint, "tasks.db"));
      const ballast = join(mountPoint, "ballast");
      writeFileSync(ballast, Buffer.alloc(1_000_000));
      const stored: string[] = [];
      let code = "ok";
      while (code === "ok" && stored.length < 20_000) {
        const tasks = newTasks(10, { payload: "x".repeat(2_000) });
        code = await codeOf(store.enqueueTasks(tasks).then(ok));
        if (code === "ok") stored.push(...tasks.map(({ id }) => id));
      }
      expect(code).toBe("DATABASE_FULL");
      rmSync(ballast);
      ok(await store.enqueueTasks([newTask({ id: "later" })]));
      for (const id of [...stored.slice(0, 20), ...stored.slice(-20)])
        expect(await store.getTask(id)).toBeDefined();
      expect(await count(store)).toBe(stored.length + 1);
      expect((await store.checkHealth({ full: true })).filter(({ level }) => level === "error")).toEqual([]);
      await store.close();
    } finally {
      spawnSync("umount", ["-l", mountPoint]);
    }
  },
);

test("a read-only file says so", async ({ skip }) => {
  if (process.getuid?.() === 0) skip("root may write every file");
  await (await open()).close();
  chmodSync(path, 0o400);
  expect(await codeOf(open())).toMatch(/^DATABASE_(READ_ONLY|UNAVAILABLE)$/);
});
