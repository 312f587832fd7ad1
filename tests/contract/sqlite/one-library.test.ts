/** Two SQLite libraries in one process on one file (F81): the locks of both would be worth nothing. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import Better from "better-sqlite3";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { createDure } from "../../../server/index.ts";
import { Connection } from "../../../server/tasks/stores/sqlite/connection.ts";
import { hasSecondLibrary, sqliteLibraries } from "../../../server/tasks/stores/sqlite/one-library.ts";

let folder: string;
let path: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "dure-library-"));
  path = join(folder, "tasks.db");
});
afterEach(() => {
  vi.restoreAllMocks();
  rmSync(folder, { recursive: true, force: true });
});

describe("what is mapped tells of a second library", () => {
  const first = "7f220d23f000-7f220d247000 rw-s 00000000 fe:00 2148523                    /srv/tasks.db-shm";
  const more = "7f220d237000-7f220d23f000 rw-s 00008000 fe:00 2148523                    /srv/tasks.db-shm";

  test.each<[string, string[], boolean]>([
    ["nothing", [], false],
    ["one library, however much it maps", [first, more], false],
    ["two libraries", [first, more, first.replace("7f22", "7f33")], true],
    ["two libraries on a file that was deleted", [first, first].map((line) => `${line} (deleted)`), true],
    ["another file of a name that ends alike", [first, first.replace("/srv", "/srv/old-srv")], false],
    ["the file itself", [first, first.replace("-shm", "")], false],
  ])("%s", (_, lines, expected) => {
    expect(hasSecondLibrary(lines.join("\n"), "/srv/tasks.db")).toBe(expected);
  });

  test("and which it may be", () => {
    const files = ["better_sqlite3.node", "libsqlite3.so.0.8.6", "libc.so.6", "tasks.sqlite-shm", "pg.node"];
    const maps = files.map((file) => `7f22-7f33 r-xp 00000000 fe:00 17   /srv/my app/${file}`).join("\n");
    expect(sqliteLibraries(`${maps}\n${maps}\n`)).toEqual(["better_sqlite3.node", "libsqlite3.so.0.8.6"]);
  });

  test("by its package where the file itself is named after the machine", () => {
    const files = [
      "node_modules/better-sqlite3/prebuilds/linux-x64.node",
      "node_modules/pg-native/addon.node",
      "own.node",
    ];
    const maps = files.map((file) => `7f22-7f33 r-xp 00000000 fe:00 17   /srv/sqlite/${file}\n`);
    expect(sqliteLibraries(maps.join(""))).toEqual(["better-sqlite3/prebuilds/linux-x64.node"]);
  });
});

test("any number of connections of Node's own is one library", async () => {
  const dure = createDure({ database: path });
  const sendReceipt = dure.defineTask("send-receipt", async () => undefined);
  const other = createDure({ database: path });
  await sendReceipt.enqueue({ order: 17 });
  expect(await other.countTasks()).toBe(1);
  const own = new DatabaseSync(path, { timeout: 10_000 });
  own.exec("BEGIN IMMEDIATE");
  await sendReceipt.enqueue({ order: 18 }, { tx: own });
  own.exec("COMMIT");
  const fresh = new Connection({ path, durability: "full", role: "writer" });
  fresh.beginWrite();
  fresh.rollback();
  fresh.close();
  own.close();
  await other.close();
  await dure.close();
});

describe("better-sqlite3", () => {
  test("is no `tx`, whatever it has open", async () => {
    const dure = createDure({ database: path });
    const sendReceipt = dure.defineTask("send-receipt", async () => undefined);
    await dure.stats();
    const second = new Better(":memory:");
    second.exec("BEGIN IMMEDIATE");
    await expect(sendReceipt.enqueue({ order: 17 }, { tx: second as any })).rejects.toMatchObject({
      code: "TRANSACTION_UNUSABLE",
      message: expect.stringContaining("another library than node:sqlite, such as better-sqlite3"),
    });
    second.close();
    expect(await dure.countTasks()).toBe(0);
    await dure.close();
  });
});

// Where nothing tells what a process has mapped it is not noticed.
describe.runIf(process.platform === "linux")("better-sqlite3 on the same file", () => {
  let second: Better.Database;
  const openSecond = () => {
    second = new Better(path);
    second.prepare("SELECT count(*) FROM sqlite_schema").get();
  };

  test("is refused when it was there first, by name, and nothing is written", async () => {
    const before = createDure({ database: path });
    await before.stats();
    await before.close();
    openSecond();
    const dure = createDure({ database: path });
    const sendReceipt = dure.defineTask("send-receipt", async () => undefined);
    const refused = sendReceipt.enqueue({ order: 17 });
    await expect(refused).rejects.toMatchObject({
      code: "DATABASE_UNSAFE",
      message: expect.stringMatching(
        /^A second SQLite library in this process has .*tasks\.db open \(better-sqlite3\/.*\.node\)/,
      ),
      details: { location: path },
    });
    await dure.close().catch(() => undefined);
    second.close();
    const after = createDure({ database: path });
    expect(await after.countTasks()).toBe(0);
    await after.close();
  });

  test("is noticed when it comes later, and remembered when it has gone", () => {
    const connection = new Connection({ path, durability: "full", role: "writer" });
    const write = () => {
      connection.beginWrite();
      connection.rollback();
    };
    write();
    openSecond();
    const now = performance.now();
    vi.spyOn(performance, "now").mockReturnValue(now + 6_000);
    expect(write).toThrow("A second SQLite library");
    expect(() => connection.snapshot(() => undefined)).toThrow("A second SQLite library");
    second.close();
    expect(write).toThrow("A second SQLite library");
    connection.close();
  });
});
