import { expect, test } from "vitest";
import { newTask, startAt } from "../support/builders.ts";
import { ok, onEachStore } from "../support/stores.ts";

onEachStore("reportProgress", (world) => {
  const logs = [{ at: new Date(startAt), level: "info" as const, message: "half", fields: { page: 2 } }];

  test("progress and logs are kept while the attempt runs, without a new version", async () => {
    const { ref } = await world.running(newTask({ id: "a" }));
    const before = await world.get("a");
    const report = {
      ref,
      taskId: "a",
      fence: 1,
      workerId: "worker-1",
      progress: { done: 1, total: 3, message: "한" },
      logs,
    };
    ok(await world.store.reportProgress([report]));
    expect(await world.get("a")).toEqual({ ...before, progress: report.progress });
    expect(await world.store.listAttempts("a")).toMatchObject([{ fence: 1, logs }]);
  });

  test("logs replace the logs before; a report without progress keeps the last", async () => {
    const { ref } = await world.running(newTask({ id: "a" }));
    const report = { ref, taskId: "a", fence: 1, workerId: "worker-1" };
    ok(
      await world.store.reportProgress([
        { ...report, progress: { done: 1 }, logs },
        { ...report, logs: [...logs, ...logs] },
      ]),
    );
    expect((await world.get("a")).progress).toEqual({ done: 1 });
    expect((await world.store.listAttempts("a"))[0]?.logs).toHaveLength(2);
  });

  test("stale fences, other workers and unknown tasks are passed over, the rest is kept", async () => {
    const { ref } = await world.running(newTask({ id: "a" }));
    const good = { ref, taskId: "a", fence: 1, workerId: "worker-1", progress: { done: 1 } };
    const bad = { ...good, progress: { done: 9 }, logs };
    ok(
      await world.store.reportProgress([
        good,
        { ...bad, fence: 0 },
        { ...bad, workerId: "nobody" },
        { ...bad, taskId: "b" },
      ]),
    );
    expect((await world.get("a")).progress).toEqual({ done: 1 });
    expect((await world.store.listAttempts("a"))[0]?.logs).toEqual([]);
  });

  test("a report after the end changes nothing", async () => {
    const claimed = await world.running(newTask({ id: "a" }));
    await world.settle(claimed, "completed");
    const before = await world.get("a");
    ok(
      await world.store.reportProgress([
        { ref: claimed.ref, taskId: "a", fence: 1, workerId: "worker-1", progress: { done: 1 }, logs },
      ]),
    );
    expect(await world.get("a")).toEqual(before);
  });

  test("a settlement does not overtake the report before it", async () => {
    const ids = Array.from({ length: 12 }, (_, number) => `task-${number}`);
    await Promise.all(ids.map((id) => world.enqueue(newTask({ id }))));
    const claimed = await world.claim({ limit: ids.length });
    await Promise.all(
      claimed.flatMap((one, done) => [
        world.store.reportProgress([
          { ref: one.ref, taskId: one.task.id, fence: 1, workerId: "worker-1", progress: { done } },
        ]),
        world.settle(one, "completed"),
      ]),
    );
    for (const [done, { task }] of claimed.entries())
      expect(await world.get(task.id)).toMatchObject({ status: "COMPLETED", progress: { done } });
  });
});
