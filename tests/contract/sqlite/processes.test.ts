/** Several processes on one file: they open it at once, write at once, and die while they do. */
import { type ChildProcess, fork, spawn } from "node:child_process";
import cluster from "node:cluster";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setTimeout as sleep } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createDure } from "../../../server/index.ts";
import { createSqliteStore } from "../../../server/tasks/stores/sqlite/store.ts";
import { newSearch } from "../../support/builders.ts";
import { countOf } from "../../support/found.ts";
import { root } from "../../support/project.ts";
import type { Shared } from "../../support/sharing-program.ts";
import type { Errand, Outcome } from "../../support/sqlite-process.ts";
import { TestClock } from "../../support/test-clock.ts";

const program = join(root, "tests/support/sqlite-process.ts");
const sharing = join(root, "tests/support/sharing-program.ts");
let folder: string;
let path: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "dure-processes-"));
  path = join(folder, "tasks.db");
});

afterEach(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }));

test("of twenty processes that open a new file at once, one migrates and none fails (F39)", async () => {
  const outcomes = await Promise.all(
    Array.from({ length: 20 }, (_, index) => run({ deed: "open", name: `p${index}` })),
  );
  expect(outcomes.filter(({ error }) => error)).toEqual([]);
  for (const { schema } of outcomes) expect(schema!.stored).toBe(schema!.known);
  await examine(async () => undefined);
}, 120_000);

test("a store that only looks opens and searches while another process holds the write lock", async () => {
  await examine(async () => undefined);
  const writer = new DatabaseSync(path, { timeout: 10_000 });
  writer.exec("BEGIN IMMEDIATE");
  try {
    const store = createSqliteStore({ path, clock: new TestClock() });
    await store.open();
    expect(await countOf(store.countTasks(newSearch()))).toBe(0);
    expect((await store.checkHealth({ full: false })).length).toBeGreaterThan(0);
    writer.exec("ROLLBACK");
    await store.close();
  } finally {
    writer.close();
  }
});

test("two processes that write at once meet no SQLITE_BUSY and lose nothing (F69)", async () => {
  const outcomes = await Promise.all(
    ["p1", "p2"].map((name) => run({ deed: "write", name, callers: 4, ms: 3_000 })),
  );
  expect(outcomes.filter(({ error }) => error)).toEqual([]);
  const enqueued = outcomes.flatMap((outcome) => outcome.enqueued!);
  const completed = outcomes.flatMap((outcome) => outcome.completed!);
  for (const outcome of outcomes) expect(outcome.enqueued!.length).toBeGreaterThan(20);
  expect(new Set(completed).size).toBe(completed.length);
  await examine(async (store) => {
    expect(await countOf(store.countTasks(newSearch()))).toBe(enqueued.length);
    expect(await countOf(store.countTasks(newSearch({ statuses: ["COMPLETED"] })))).toBe(completed.length);
  });
}, 120_000);

test("a process killed while it makes the file leaves one that opens (F39)", async () => {
  for (let round = 0; round < 25; round++) {
    const child = start({ deed: "open", name: "killed" });
    const appeared = performance.now();
    while (!existsSync(path) && performance.now() - appeared < 10_000) await sleep(1);
    await sleep(round % 8);
    await kill(child);
    await examine(async (store) => expect((await store.schemaVersion()).stored).toBeGreaterThan(0));
    for (const name of ["", "-wal", "-shm"]) rmSync(`${path}${name}`, { force: true });
  }
}, 120_000);

test("what a process acknowledged before kill -9 is there", async () => {
  for (let round = 0; round < 5; round++) {
    const child = start({ deed: "enqueue", name: "killed" });
    const acknowledged = await linesUntil(child, 50 + round * 37);
    await kill(child);
    await examine(async (store) => {
      for (const id of acknowledged.slice(-5)) expect(await store.getTask(id), id).toBeDefined();
      expect(await countOf(store.countTasks(newSearch()))).toBeGreaterThanOrEqual(acknowledged.length);
    });
    for (const name of ["", "-wal", "-shm"]) rmSync(`${path}${name}`, { force: true });
  }
}, 120_000);

test("what is forked, clustered or a thread inherits nothing that is open, and works beside it (F82)", async () => {
  const dure = createDure({ database: path });
  const ran: string[] = [];
  dure.defineTask("resize-image", async ({ id }) => void ran.push(id));
  await dure.start();
  cluster.setupPrimary({ exec: sharing, args: [path] });
  const [forked, clustered, thread] = await Promise.all(
    [fork(sharing, [path]), cluster.fork(), new Worker(sharing, { argv: [path] })].map(sharedBy),
  );
  expect([forked!.openAtStart, clustered!.openAtStart]).toEqual([[], []]);
  const ids = [forked, clustered, thread].flatMap((shared) => shared!.ids);
  for (const id of ids) expect((await dure.waitForTask(id, { timeout: "10s" })).attempts).toBe(1);
  expect(ran.sort()).toEqual(ids.sort());
  await dure.close();
  await examine(async () => undefined);
});

/** What it tells, once it has ended. */
async function sharedBy(started: NodeJS.EventEmitter): Promise<Shared> {
  const ended = once(started, "exit");
  const [shared] = await once(started, "message");
  await ended;
  return shared;
}

function start(errand: Omit<Errand, "path">): ChildProcess {
  const child = spawn(process.execPath, [program, JSON.stringify({ path, ...errand })], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  child.stdout!.setEncoding("utf8");
  return child;
}

async function run(errand: Omit<Errand, "path">): Promise<Outcome> {
  const child = start(errand);
  let text = "";
  child.stdout!.on("data", (part: string) => {
    text += part;
  });
  await once(child, "close");
  return JSON.parse(text.trim().split("\n").at(-1)!) as Outcome;
}

async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return;
  const closed = once(child, "close");
  child.kill("SIGKILL");
  await closed;
}

/** The whole lines that a process has printed once they are `count`. */
async function linesUntil(child: ChildProcess, count: number): Promise<string[]> {
  let text = "";
  for await (const part of child.stdout!) {
    text += part;
    const lines = text.split("\n").slice(0, -1);
    if (lines.length >= count) return lines;
  }
  throw new Error(`The process ended after ${text.split("\n").length - 1} lines.`);
}

/** Opens the file as it was left, looks, and finds every page sound. */
async function examine(
  look: (store: ReturnType<typeof createSqliteStore>) => Promise<unknown>,
): Promise<void> {
  const store = createSqliteStore({ path, clock: new TestClock() });
  await store.open();
  try {
    await look(store);
    const findings = await store.checkHealth({ full: true });
    expect(findings.filter(({ level }) => level === "error")).toEqual([]);
  } finally {
    await store.close();
  }
}
