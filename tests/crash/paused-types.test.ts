import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createDure, type Dure } from "../../server/dure.ts";
import type { TaskDefinition } from "../../server/index.ts";
import { crashDatabases } from "../support/crash-databases.ts";

const program = join(import.meta.dirname, "paused-program.ts");
const workers = 3;
const rounds = 25;

describe.each(crashDatabases)("worker processes on $name", ({ make }) => {
  const silent = { info: () => {}, warn: () => {}, error: () => {} };
  let dure: Dure;
  let receipts: TaskDefinition<unknown, void>;
  let location: string;
  let children: ChildProcess[] = [];
  let remove: () => Promise<void>;

  beforeEach(async () => {
    const made = await make();
    const folder = mkdtempSync(join(tmpdir(), "dure-paused-"));
    location = made.database ?? join(folder, "tasks.db");
    remove = async () => {
      await made.remove();
      rmSync(folder, { recursive: true, force: true });
    };
    dure = createDure({ database: location, logger: silent });
    receipts = dure.defineTask("send-receipt", async () => {});
    dure.defineTask("resize-image", async () => {});
    await dure.stats();
    children = await Promise.all(Array.from({ length: workers }, startWorker));
  });

  afterEach(async () => {
    const ended = children.map((child) => once(child, "exit"));
    for (const child of children) child.kill("SIGTERM");
    await Promise.all(ended);
    await dure.close();
    await remove();
  });

  async function startWorker(): Promise<ChildProcess> {
    const child = spawn(process.execPath, [program, location], { stdio: ["pipe", "pipe", "inherit"] });
    await once(child.stdout, "data");
    return child;
  }

  /** The tasks that were not claimed yet when they were read. */
  async function waiting(): Promise<Map<string, number>> {
    const tasks = await dure.searchTasks({ type: "send-receipt", status: "PENDING", limit: 1_000 });
    return new Map(tasks.map(({ id, attempts }) => [id, attempts]));
  }

  test("start nothing of a type, or of a queue, from the moment its pause is acknowledged", async () => {
    let held = 0;
    for (let round = 0; round < rounds; round += 1) {
      const target = round % 2 === 0 ? { type: "send-receipt" } : { queue: "mail" };
      const items = Array.from({ length: 200 }, (_, number) => ({ payload: { number }, queue: "mail" }));
      const tasks = await receipts.enqueueMany(items);
      await dure.waitForTask(tasks[round]!.id);
      await dure.pause(target, { reason: `round ${round}` });
      const before = await waiting();
      held += before.size;
      // Whoever has run one of these has asked for tasks after the pause.
      const others = await Promise.all(
        Array.from({ length: 4 * workers }, () => dure.enqueueTask("resize-image", {})),
      );
      await Promise.all(others.map(({ id }) => dure.waitForTask(id)));
      expect(await waiting()).toEqual(before);
      expect(await dure.resume(target)).toBe(true);
      await Promise.all(tasks.map(({ id }) => dure.waitForTask(id)));
    }
    expect(held, "tasks that a pause held back").toBeGreaterThan(rounds * 10);
  }, 120_000);

  test("go on at once when it is resumed", async () => {
    await dure.pause({ type: "send-receipt" });
    const { id } = await dure.enqueueTask("send-receipt", {});
    const other = await dure.enqueueTask("resize-image", {});
    await dure.waitForTask(other.id);
    const resumedAt = performance.now();
    await dure.resume({ type: "send-receipt" });
    await dure.waitForTask(id);
    expect(performance.now() - resumedAt).toBeLessThan(2_000);
  });
});
