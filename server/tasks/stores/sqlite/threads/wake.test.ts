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
  version = 1;
  told = [];
  const path = join(folder, "tasks.db");
  writeFileSync(`${path}-wal`, "");
  const connection = { path, dataVersion: () => version } as unknown as Connection;
  wake = new Wake(connection, () => told.push(performance.now()));
  wake.start();
});
afterEach(() => {
  wake.stop();
  rmSync(folder, { recursive: true });
});

test.each([0, 20, 60])(
  "a commit that counts %i ms after its change of the log is told well before the next poll",
  async (lateMs) => {
    await sleep(20);
    const began = performance.now();
    writeFileSync(join(folder, "tasks.db-wal"), "frames");
    await sleep(lateMs);
    version += 1;
    while (told.length === 0) await sleep(1);
    expect(told[0]! - began).toBeLessThan(200);
    await sleep(300);
    expect(told).toHaveLength(1);
  },
);
