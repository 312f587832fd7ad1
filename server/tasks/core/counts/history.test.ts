import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { createTestSchema } from "../../../../tests/support/postgres.ts";
import { createDure, type Dure } from "../../../dure.ts";
import type { HistoryBucket } from "./history.ts";

const silent = { info: () => undefined, warn: () => undefined, error: () => undefined };

const databases = {
  SQLite: () => {
    const folder = mkdtempSync(join(tmpdir(), "dure-history-"));
    return { url: join(folder, "tasks.db"), drop: async () => rmSync(folder, { recursive: true }) };
  },
  PostgreSQL: createTestSchema,
};

describe.each(Object.entries(databases))("readHistory on %s", (_, makeDatabase) => {
  test("agrees with what ran, stopped gracefully and deleted since", async () => {
    const { url, drop } = await makeDatabase();
    const dure = makeDure(url);
    await dure.start();
    const ids = await enqueueAll(dure);
    for (const id of ids) await dure.waitForTask(id);
    await dure.stop();
    const attempts = (await Promise.all(ids.map((id) => dure.listAttempts(id)))).flat();
    const runs = attempts.map(({ startedAt, endedAt }) => endedAt!.getTime() - startedAt.getTime());
    for (const id of ids) await dure.deleteTask(id);
    await dure.close();

    const later = makeDure(url);
    const buckets = await later.readHistory({ bucket: "day" });
    expect(sumOf(buckets)).toEqual({ completed: 60, failed: 15, cancelled: 1, retried: 15 });
    expect(sumOf(await later.readHistory({ bucket: "minute" }))).toEqual(sumOf(buckets));
    expect(sumOf(await later.readHistory())).toEqual(sumOf(buckets));
    const byType = await later.readHistory({ bucket: "day", by: "type" });
    expect(sumOf(byType.filter(({ type }) => type === "send-receipt"))).toMatchObject({
      completed: 60,
      failed: 15,
    });
    expect(sumOf(await later.readHistory({ types: ["wait-for-ever"] }))).toEqual({
      ...{ completed: 0, failed: 0, cancelled: 1, retried: 0 },
    });
    // The store's instants are taken after the handler's end, and PostgreSQL's by its own clock.
    const { runMs, waitMs, throughput, failureRate } = buckets.reduce((one, other) =>
      other.completed > one.completed ? other : one,
    );
    expect(runMs!.max).toBeLessThanOrEqual(Math.max(...runs) + 100);
    expect(runMs!.p95).toBeGreaterThan(10);
    expect(waitMs!.p50).toBeLessThan(60_000);
    expect(throughput).toBeGreaterThan(0);
    if (buckets.length === 1) expect(failureRate).toBe(0.2);
    await later.close();
    await drop();
  });
});

test("a start that is not before the end is refused", async () => {
  const dure = makeDure(":memory:");
  const [start, end] = [new Date("2026-11-02T00:00:00Z"), new Date("2026-11-01T00:00:00Z")];
  for (const span of [
    { start, end },
    { start, end: start },
  ]) {
    await expect(dure.readHistory({ bucket: "day", ...span })).rejects.toMatchObject({
      code: "INVALID_OPTION",
      message: expect.stringContaining("start before the end"),
    });
  }
  await dure.close();
});

function makeDure(database: string): Dure {
  const dure = createDure({ database, logger: silent, worker: { concurrency: 20 } });
  dure.defineTask(
    "send-receipt",
    async ({ payload }) => {
      await new Promise((resolve) => setTimeout(resolve, 20));
      if (payload.order % 5 === 0) throw new Error("mailbox full");
    },
    { maxAttempts: 2, backoff: { first: "1ms", jitter: "none" } },
  );
  dure.defineTask(
    "wait-for-ever",
    (_, { signal }) => new Promise((_, fail) => signal.addEventListener("abort", fail)),
  );
  return dure;
}

async function enqueueAll(dure: Dure): Promise<string[]> {
  const ids: string[] = [];
  for (let order = 1; order <= 75; order += 1)
    ids.push((await dure.enqueueTask("send-receipt", { order })).id);
  const { id } = await dure.enqueueTask("wait-for-ever", {});
  await expect.poll(async () => (await dure.getTaskById(id))!.status, { timeout: 20_000 }).toBe("RUNNING");
  await dure.cancelTask(id);
  return [...ids, id];
}

function sumOf(buckets: readonly HistoryBucket[]) {
  const sum = { completed: 0, failed: 0, cancelled: 0, retried: 0 };
  for (const bucket of buckets) {
    for (const key of Object.keys(sum) as (keyof typeof sum)[]) sum[key] += bucket[key];
  }
  return sum;
}

describe("the options", () => {
  const dure = makeDure(":memory:");

  test.each([
    [{ bucket: "week" }, /bucket is "week"/],
    [{ by: "queue" }, /by is "queue"/],
    [{ start: "2026-11-23" }, /start is "2026-11-23"; it must be a valid Date/],
    [{ type: "a" }, /types/],
  ])("%j is refused", async (options, message) => {
    await expect(dure.readHistory(options as never)).rejects.toThrow(message);
  });

  test("a time before what is kept is refused, with what to do", async () => {
    const start = (days: number) => new Date(Date.now() - days * 86_400_000);
    await expect(dure.readHistory({ bucket: "minute", start: start(3) })).rejects.toThrow(
      /goes back 2 days.*Ask with bucket: "hour"/,
    );
    await expect(dure.readHistory({ bucket: "hour", start: start(61) })).rejects.toThrow(/bucket: "day"/);
    expect(await dure.readHistory({ bucket: "day", start: start(2_000) })).toEqual([]);
    expect(await dure.readHistory({ bucket: "minute", start: start(2) })).toEqual([]);
  });
});
