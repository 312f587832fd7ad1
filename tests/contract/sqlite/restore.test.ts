/** A backup that is put back (F148): what it holds goes on, and nobody of before can settle anything of it. */
import { copyFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { TaskStore } from "../../../server/tasks/core/store.ts";
import { createSqliteStore } from "../../../server/tasks/stores/sqlite/store.ts";
import { newTask, newWorker, settlementOf } from "../../support/builders.ts";
import { claimRequest, ok } from "../../support/stores.ts";
import { TestClock } from "../../support/test-clock.ts";

let folder: string;
let path: string;
let stores: TaskStore[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "dure-restore-"));
  path = join(folder, "tasks.db");
  stores = [];
});

afterEach(async () => {
  await Promise.all(stores.map((store) => store.close()));
  rmSync(folder, { recursive: true, force: true });
});

async function open(): Promise<TaskStore> {
  const store = createSqliteStore({ path, clock: new TestClock() });
  stores.push(store);
  await store.open();
  return store;
}

/** As docs/start.md says. */
function backUp(): string {
  const copy = join(folder, "backup.db");
  const reader = new DatabaseSync(path, { timeout: 10_000 });
  reader.prepare("VACUUM INTO ?").run(copy);
  reader.close();
  return copy;
}

function restore(copy: string): void {
  for (const suffix of ["-wal", "-shm"]) rmSync(`${path}${suffix}`, { force: true });
  copyFileSync(copy, path);
}

test("tasks go on from where the backup has them, and no worker of before settles one, whatever its fence", async () => {
  const before = await open();
  ok(await before.registerWorker(newWorker()));
  ok(await before.enqueueTasks([newTask({ id: "ran" }), newTask({ id: "waited" })]));
  const [ran] = ok(await before.claimTasks(claimRequest({ limit: 1 }))).claimed;
  const copy = backUp();
  const [waited] = ok(await before.claimTasks(claimRequest())).claimed;
  ok(await before.settleTasks([settlementOf(ran!, "completed")]));
  ok(await before.enqueueTasks([newTask({ id: "too-late" })]));
  await before.close();
  restore(copy);

  const after = await open();
  ok(await after.registerWorker(newWorker("worker-2")));
  const reaping = { observerId: "worker-2", suspects: [], crashBudget: 3, cancelGraceMs: 60_000 };
  expect(ok(await after.reapWorkers(reaping))).toMatchObject({
    buried: ["worker-1"],
    tasks: [{ id: "ran" }],
  });
  expect(await after.getTask("too-late")).toBeUndefined();
  const request = claimRequest({ workerId: "worker-2", suspect: true });
  const again = ok(await after.claimTasks(request)).claimed;
  const fences = Object.fromEntries(again.map(({ task, fence }) => [task.id, fence]));
  // The fence of the attempt that the backup does not know comes again.
  expect(fences).toEqual({ ran: 2, waited: waited!.fence });

  const late = [ran!, waited!].map((claimed) => settlementOf(claimed, "completed"));
  expect(ok(await after.settleTasks(late)).map(({ kind }) => kind)).toEqual(["lease-lost", "lease-lost"]);
  const settled = ok(
    await after.settleTasks(again.map((one) => settlementOf(one, "completed", { workerId: "worker-2" }))),
  );
  expect(settled.map(({ kind }) => kind)).toEqual(["settled", "settled"]);
  expect((await after.checkHealth({ full: true })).filter(({ level }) => level === "error")).toEqual([]);
});
