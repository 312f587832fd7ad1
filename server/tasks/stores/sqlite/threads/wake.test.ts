import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { Connection } from "../connection.ts";
import { Wake } from "./wake.ts";

let folder: string;
let wake: Wake;
let version: number;
let told: number[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "dure-wake-"));
  writeFileSync(join(folder, "tasks.db-wal"), "");
});
afterEach(() => {
  wake.stop();
  rmSync(folder, { recursive: true });
});

function start(): void {
  version = 1;
  told = [];
  const connection = { path: join(folder, "tasks.db"), dataVersion: () => version } as unknown as Connection;
  wake = new Wake(connection, () => told.push(performance.now()));
  wake.start();
}

/** How long after a change of the log a commit is told that counts so late; the next poll would be 230 ms after it. */
async function tellDelay(lateMs: number): Promise<number> {
  start();
  await sleep(20);
  const began = performance.now();
  writeFileSync(join(folder, "tasks.db-wal"), "frames");
  await sleep(lateMs);
  version += 1;
  while (told.length === 0) await sleep(1);
  await sleep(300);
  expect(told).toHaveLength(1);
  wake.stop();
  return told[0]! - began;
}

test.each([0, 20, 60])(
  "a commit that counts %i ms after its change of the log is told well before the next poll",
  async (lateMs) => {
    let delayMs = Number.POSITIVE_INFINITY;
    // A busy machine may be late once, and again.
    for (let tries = 0; tries < 5 && delayMs >= 200; tries += 1) delayMs = await tellDelay(lateMs);
    expect(delayMs).toBeLessThan(200);
  },
);
