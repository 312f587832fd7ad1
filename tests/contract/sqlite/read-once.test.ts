/** What a reading connection has read once: it is read again as soon as somebody has committed. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { Connection } from "../../../server/tasks/stores/sqlite/connection.ts";
import { findPairs } from "../../../server/tasks/stores/sqlite/search/pairs.ts";
import { laneNames } from "../../../server/tasks/stores/sqlite/threads/write-context.ts";
import { newTask } from "../../support/builders.ts";
import { SqliteBench } from "../../support/sqlite-context.ts";

let folder: string;
let bench: SqliteBench;
let reader: Connection;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "dure-read-once-"));
  const path = join(folder, "tasks.db");
  bench = new SqliteBench(undefined, new Connection({ path, durability: "full", role: "writer" }));
  bench.enqueue(newTask());
  reader = new Connection({ path, durability: "full", role: "reader" });
});

afterEach(() => {
  reader.close();
  bench.close();
  rmSync(folder, { recursive: true });
});

const all = { sortBy: "createdAt", descending: true, limit: 50, offset: 0, definitions: false } as const;

function counted(): number {
  const pairs = reader.snapshot(() => findPairs(reader, all));
  return pairs.reduce((sum, { tasks }) => sum + tasks, 0);
}

function describe(description: string): void {
  bench.connection.beginWrite();
  bench.connection
    .prepare(
      `INSERT INTO definitions (id, description, max_attempts, queue, priority, tags, rerun_after_crash, created_at, updated_at)
       SELECT type, ?, 1, queue, 0, '[]', 1, 0, 0 FROM lanes WHERE lane = 1
       ON CONFLICT (id) DO UPDATE SET description = excluded.description`,
    )
    .run(description);
  bench.connection.commit();
}

function described(): unknown {
  return reader.snapshot(() => laneNames(reader, [1]))[0]?.[3];
}

test("a commit of another connection is seen by the next snapshot", () => {
  expect(counted()).toBe(1);
  bench.enqueue(newTask(), newTask());
  expect(counted()).toBe(3);
  bench.enqueue(newTask({ type: "nightly-report" }));
  expect(counted()).toBe(4);
});

test("a description that was changed is the next snapshot's", () => {
  expect(described()).toBeNull();
  for (const description of ["Sends it.", "Sends it by post."]) {
    describe(description);
    expect(described()).toBe(description);
  }
});

test("while nobody commits nothing is read twice", () => {
  let reads = 0;
  const read = () => reader.snapshot(() => reader.once("reads", () => ++reads));
  expect([read(), read()]).toEqual([1, 1]);
  bench.enqueue(newTask());
  expect([read(), read()]).toEqual([2, 2]);
});

test("what many searches have read once does not pile up", () => {
  let reads = 0;
  const read = (name: string) => reader.snapshot(() => reader.once(name, () => ++reads));
  for (let name = 0; name < 1_000; name += 1) read(`${name}`);
  const before = reads;
  read("0");
  expect(reads).toBe(before + 1);
});

test("a writer's own changes are in its next snapshot", () => {
  const { connection } = bench;
  const count = () =>
    connection.snapshot(() => findPairs(connection, all)).reduce((sum, { tasks }) => sum + tasks, 0);
  expect(count()).toBe(1);
  bench.enqueue(newTask());
  expect(count()).toBe(2);
});
