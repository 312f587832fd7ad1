import { expect, test } from "vitest";
import { newSearch, newTask, newTasks, startAt } from "../support/builders.ts";
import { countOf } from "../support/found.ts";
import { onEachStore, wait } from "../support/stores.ts";

onEachStore("open, close, onChange, stats, checkHealth, schemaVersion", (world) => {
  test("the location names the database", () => {
    expect(world.store.location).toMatch(/:memory:|tasks\.db$|^postgres:\/\/[^@]+$/);
  });

  test("closing twice does nothing, and a closed store says so", async () => {
    await world.store.close();
    await world.store.close();
    await expect(world.store.getTask("a")).rejects.toMatchObject({ code: "INSTANCE_CLOSED" });
    await expect(world.store.enqueueTasks([newTask()])).rejects.toMatchObject({ code: "INSTANCE_CLOSED" });
    await world.reopen();
  });

  test("closing waits for what is under way", async () => {
    const answers = newTasks(200).map((task) => world.store.enqueueTasks([task]));
    const closed = world.store.close();
    expect((await Promise.all(answers)).every(({ kind }) => kind === "ok")).toBe(true);
    await closed;
    await world.reopen();
    if (world.shared) expect(await countOf(world.store.countTasks(newSearch()))).toBe(200);
  });

  test("what was stored is there when the store is opened again", async ({ skip }) => {
    if (!world.shared) skip("a database in memory ends with its store");
    const claimed = await world.running(newTask({ id: "a" }));
    await world.settle(claimed, "failed", { error: { name: "Error", message: "m" } });
    const before = [await world.get("a"), await world.store.listAttempts("a")];
    await world.reopen();
    expect([await world.get("a"), await world.store.listAttempts("a")]).toEqual(before);
  });

  test("onChange calls back after a change, until taken back", async () => {
    let calls = 0;
    let stop: () => void = () => undefined;
    await new Promise<void>((resolve) => {
      stop = world.store.onChange(() => {
        calls += 1;
        resolve();
      });
      void world.enqueue(newTask());
    });
    stop();
    stop();
    await wait(20);
    const before = calls;
    await world.enqueue(newTask());
    await wait(20);
    expect(calls).toBe(before);
  });

  test("onChange hears of another process", async ({ skip }) => {
    if (!world.shared) skip("a database in memory belongs to one process");
    const other = await world.connect();
    const heard = new Promise<void>((resolve) => void world.store.onChange(() => resolve()));
    await other.enqueueTasks([newTask()]);
    await heard;
  });

  test("stats count by type, queue and status, and know the oldest due task", async () => {
    await world.enqueue(
      newTask({ queue: "a" }),
      newTask({ queue: "a", id: "own" }),
      newTask({ type: "b", dueAt: startAt + 5 }),
    );
    await world.store.cancelTask("own");
    await world.clock.advance(100);
    const stats = await world.store.stats();
    expect(stats).toMatchObject({ workers: { alive: 1, dead: 0, stopped: 0 }, oldestDueMs: 100 });
    expect(stats.byType).toHaveLength(3);
    expect(stats.byType).toContainEqual({ type: "resize-image", queue: "a", status: "CANCELLED", count: 1 });
    expect(stats.byType).toContainEqual({ type: "b", queue: "default", status: "PENDING", count: 1 });
    expect(stats.sizeBytes).toBeGreaterThan(0);
  });

  test("without a due task there is no oldest one", async () => {
    await world.enqueue(newTask({ dueAt: startAt + 5 }));
    expect((await world.store.stats()).oldestDueMs).toBeUndefined();
  });

  test("a healthy store has no error, and says what waits in vain", async () => {
    await world.enqueue(newTask({ type: "nobody-runs-this" }));
    for (const full of [false, true]) {
      const findings = await world.store.checkHealth({ full });
      expect(findings.filter(({ level }) => level === "error")).toEqual([]);
      const backlog = findings.find(({ check }) => check === "backlog");
      expect(backlog).toMatchObject({
        level: "warning",
        message: expect.stringContaining("nobody-runs-this"),
      });
      expect(backlog?.next).toBeTruthy();
    }
  });

  test("a clock of its own is told apart from this process's", async () => {
    const skewMs = (await world.store.measureSkew?.()) ?? 0;
    expect(Math.abs(skewMs), "both run on this machine").toBeLessThan(1_000);
  });

  test("the schema is the newest this program knows", async () => {
    const { stored, known } = await world.store.schemaVersion();
    expect(stored).toBe(known);
    expect(known).toBeGreaterThan(0);
  });
});
