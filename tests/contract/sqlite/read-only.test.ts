/**
 * A file or folder that may not be written. Root may write what chmod forbids, so it is made immutable with chattr;
 * where that does not work (no root, another file system) the tests are skipped.
 */
import { spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createSqliteStore } from "../../../server/tasks/stores/sqlite/store.ts";
import { newTask } from "../../support/builders.ts";
import { ok } from "../../support/stores.ts";
import { TestClock } from "../../support/test-clock.ts";

const isRoot = process.getuid?.() === 0;
let folder: string;
let data: string;
let path: string;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "dure-read-only-"));
  data = join(folder, "data");
  path = join(data, "tasks.db");
  mkdirSync(data);
});

afterEach(() => {
  for (const one of [data, path]) unlock(one);
  rmSync(folder, { recursive: true, force: true });
});

function lock(one: string): boolean {
  if (!isRoot) chmodSync(one, 0o500);
  return !isRoot || spawnSync("chattr", ["+i", one]).status === 0;
}

function unlock(one: string): void {
  if (isRoot) spawnSync("chattr", ["-i", one]);
  else if (one === data) chmodSync(one, 0o700);
}

async function open(): Promise<string> {
  const store = createSqliteStore({ path, clock: new TestClock() });
  try {
    await store.open();
    ok(await store.enqueueTasks([newTask()]));
    return "ok";
  } catch (error) {
    const { code, message } = error as { code: string; message: string };
    expect(message).toContain(path);
    return code;
  } finally {
    await store.close();
  }
}

test("a file that may not be written is refused and left as it is", async ({ skip }) => {
  expect(await open()).toBe("ok");
  const before = readFileSync(path);
  if (!lock(path)) skip("chattr does not work here");
  expect(await open()).toMatch(/^DATABASE_(READ_ONLY|UNAVAILABLE)$/);
  expect(readFileSync(path).equals(before)).toBe(true);
  unlock(path);
});

test("a folder that may not be written is refused, with a file in it and without", async ({ skip }) => {
  if (!lock(data)) skip("chattr does not work here");
  expect(await open()).toMatch(/^DATABASE_(READ_ONLY|UNAVAILABLE)$/);
  unlock(data);
  expect(await open()).toBe("ok");
  lock(data);
  expect(await open()).toMatch(/^DATABASE_(READ_ONLY|UNAVAILABLE)$/);
  unlock(data);
  expect(await open()).toBe("ok");
});

test("a folder in the place of the file is refused", async () => {
  mkdirSync(path);
  expect(await open()).toMatch(/^DATABASE_/);
});

test("a file in the place of the folder is refused", async () => {
  rmSync(data, { recursive: true });
  writeFileSync(data, "");
  expect(await open()).toMatch(/^DATABASE_/);
});
