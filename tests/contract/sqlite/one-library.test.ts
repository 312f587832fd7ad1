/** Two SQLite libraries in one process on one file (F81): the locks of both would be worth nothing. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { createDure } from "../../../server/index.ts";
import { Connection } from "../../../server/tasks/stores/sqlite/connection.ts";
import { hasSecondLibrary, sqliteLibraries } from "../../../server/tasks/stores/sqlite/one-library.ts";

const source = resolve(import.meta.dirname, "../../support/second-library.c");
const compiler = ["cc", "gcc", "clang"].find((name) => spawnSync(name, ["--version"]).status === 0);

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

const possible = process.platform === "linux" && compiler !== undefined && loads("libsqlite3.so.0");

describe.skipIf(!possible)("a real one (needs Linux, a C compiler and the system's SQLite)", () => {
  let loader: DatabaseSync;
  let library: string;

  beforeEach(() => {
    library = join(folder, "second-library.so");
    const built = spawnSync(compiler!, ["-shared", "-fPIC", "-o", library, source, "-ldl"], {
      encoding: "utf8",
    });
    expect(built.stderr).toBe("");
    loader = new DatabaseSync(":memory:", { allowExtension: true });
    vi.stubEnv("SECOND_LIBRARY_FILE", path);
  });
  afterEach(() => {
    loader.close();
    vi.unstubAllEnvs();
  });
  const openSecond = () => loader.loadExtension(library, "open_second");
  const closeSecond = () => loader.loadExtension(library, "close_second");

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
        /^A second SQLite library in this process has .*tasks\.db open \(libsqlite3\.so/,
      ),
      details: { location: path },
    });
    await dure.close().catch(() => undefined);
    closeSecond();
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
    closeSecond();
    expect(write).toThrow("A second SQLite library");
    connection.close();
  });
});

function loads(library: string): boolean {
  return spawnSync("ldconfig", ["-p"], { encoding: "utf8" }).stdout?.includes(library) ?? false;
}
