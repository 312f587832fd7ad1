import { AsyncLocalStorage } from "node:async_hooks";
import { afterEach, expect, test, vi } from "vitest";
import type { Dure } from "../../server/dure.ts";
import { createDure } from "../../server/index.ts";

vi.setConfig({ testTimeout: 60_000 });

const storage = new AsyncLocalStorage<string>();
let dure: Dure;

afterEach(() => dure.close());

test("ten thousand handlers that take turns each see their own async context, and nobody else's", async () => {
  dure = createDure({ database: ":memory:", worker: { concurrency: 100 } });
  const wrong: unknown[] = [];
  const see = (expected: string | undefined) => {
    if (storage.getStore() !== expected) wrong.push([expected, storage.getStore()]);
  };
  const resize = dure.defineTask("resize-image", async (task) => {
    see(undefined);
    await storage.run(task.id, async () => {
      for (let turn = 0; turn < 3; turn += 1) {
        await (turn % 2 === 0 ? new Promise((done) => setImmediate(done)) : Promise.resolve());
        see(task.id);
      }
    });
    see(undefined);
  });
  await dure.start();
  const tasks = await storage.run("a caller of enqueue", async () => {
    const enqueued = Array.from({ length: 5_000 }, (_, n) => resize.enqueue(n));
    return [
      ...(await resize.enqueueMany(Array.from({ length: 5_000 }, (_, n) => ({ payload: n })))),
      ...(await Promise.all(enqueued)),
    ];
  });
  await Promise.all(tasks.map(({ id }) => dure.waitForTask(id)));
  expect(wrong).toEqual([]);
});
