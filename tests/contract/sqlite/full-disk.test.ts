/** On a full disk (F75) every write says DATABASE_FULL and changes nothing, and every read goes on. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import type { NewTask, TaskStore } from "../../../server/tasks/core/store.ts";
import { createSqliteStore } from "../../../server/tasks/stores/sqlite/store.ts";
import { newSearch, newTask, newTasks, newWorker, settlementOf } from "../../support/builders.ts";
import { countOf, tasksOf } from "../../support/found.ts";
import { claimRequest, ok } from "../../support/stores.ts";
import { TestClock } from "../../support/test-clock.ts";

const disk = mkdtempSync(join(tmpdir(), "dure-full-disk-"));
const isMounted = spawnSync("mount", ["-t", "tmpfs", "-o", "size=6m", "tmpfs", disk]).status === 0;
const payload = "x".repeat(3_000);

afterAll(() => {
  if (isMounted) spawnSync("umount", ["-l", disk]);
  rmdirSync(disk);
});

const codeOf = (answer: Promise<unknown>) =>
  answer.then(
    () => "ok",
    ({ code }) => code as string,
  );

// Only root in a machine of its own may mount a small file system to fill.
test.skipIf(!isMounted)(
  "every kind of write is refused whole, reads go on, and so does all once there is space",
  async () => {
    const ballast = join(disk, "ballast");
    writeFileSync(ballast, Buffer.alloc(1_500_000));
    const store = createSqliteStore({ path: join(disk, "tasks.db"), clock: new TestClock() });
    await store.open();
    ok(await store.registerWorker(newWorker()));
    ok(await store.enqueueTasks(newTasks(40)));
    const held = ok(await store.claimTasks(claimRequest({ limit: 20 }))).claimed;
    const stored = 40 + (await fill(store));

    expect(await codeOf(store.enqueueTasks(parts(30)))).toBe("DATABASE_FULL");
    const result = { json: JSON.stringify("y".repeat(400_000)) };
    expect(
      await codeOf(store.settleTasks(held.map((one) => settlementOf(one, "completed", { result })))),
    ).toBe("DATABASE_FULL");
    expect(await countOf(store.countTasks(newSearch()))).toBe(stored);
    expect(await countOf(store.countTasks(newSearch({ statuses: ["RUNNING"] })))).toBe(20);
    expect(await tasksOf(store.searchTasks(newSearch({ limit: 5 })))).toHaveLength(5);

    rmSync(ballast);
    const settled = ok(await store.settleTasks(held.map((one) => settlementOf(one, "completed"))));
    expect(settled.filter(({ kind }) => kind === "settled")).toHaveLength(20);
    ok(await store.enqueueTasks(parts(3)));
    expect(await countOf(store.countTasks(newSearch()))).toBe(stored + 30);
    const findings = await store.checkHealth({ full: true });
    expect(findings.filter(({ level }) => level === "error")).toEqual([]);
    await store.close();
  },
);

/** Enqueues, single tasks and batches, until the disk is full; answers how many were acknowledged. */
async function fill(store: TaskStore): Promise<number> {
  let stored = 0;
  for (let count = 50; count > 0; ) {
    const code = await codeOf(store.enqueueTasks(Array.from({ length: count }, () => newTask({ payload }))));
    if (code === "ok") stored += count;
    else {
      expect(code).toBe("DATABASE_FULL");
      count = Math.floor(count / 5);
    }
  }
  return stored;
}

async function* parts(many: number): AsyncGenerator<NewTask[]> {
  for (let part = 0; part < many; part++) yield newTasks(10, { payload });
}
