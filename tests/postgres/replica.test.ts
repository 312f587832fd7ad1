/** A read replica answers searches and refuses changes. */
import { expect, test, vi } from "vitest";
import { createDure } from "../../server/dure.ts";
import { PostgresServer } from "../support/postgres-server.ts";

vi.setConfig({ testTimeout: 60_000 });

const logger = { info: () => {}, warn: () => {}, error: () => {} };

test("searches, counts and health are answered by a standby; changes are refused as read-only", async () => {
  const primary = await PostgresServer.start();
  const standby = await primary.createStandby();
  const writer = createDure({ database: primary.url(), logger });
  const reader = createDure({ database: standby.url(), logger });
  try {
    const { id } = await writer.defineTask("resize-image", async () => undefined).enqueue({ widthPx: 640 });
    await writer.cancelTask(id);
    await primary.caughtUp(standby);
    expect(await reader.searchTasks({ status: "CANCELLED" })).toMatchObject([{ id }]);
    expect(await reader.countTasks({ type: "resize-image" })).toBe(1);
    expect(await reader.getTaskById(id)).toMatchObject({ id, status: "CANCELLED" });
    expect((await reader.stats()).byType).toMatchObject([{ type: "resize-image", count: 1 }]);
    const [server] = await reader.checkHealth();
    expect(server).toMatchObject({ level: "error", message: expect.stringContaining("is a standby") });
    await expect(reader.retryTask(id)).rejects.toMatchObject({ code: "DATABASE_READ_ONLY" });
  } finally {
    await Promise.all([writer.close(), reader.close()]);
    await standby.remove();
    await primary.remove();
  }
});
