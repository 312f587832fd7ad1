import { expect, test } from "vitest";
import { newSearch, newTask, newWorker, startAt } from "../support/builders.ts";
import { countOf } from "../support/found.ts";
import { detailsOf, ok, onEachStore, reasonOf } from "../support/stores.ts";

onEachStore("readRecords, writeRecords, seal", (world) => {
  /** One task in each way to be, and one that was tried twice. */
  async function fill(): Promise<void> {
    const done = await world.running(newTask({ id: "done", tags: ["vip"], description: "with a result" }));
    await world.settle(done, "completed", { result: { json: '{"ok":true}' } });
    const tried = await world.running(newTask({ id: "tried", maxAttempts: 3, idempotencyKey: "k" }));
    await world.settle(tried, "failed", {
      error: { name: "Error", message: "no\0 luck" },
      retryAt: startAt + 60_000,
      logs: [{ at: new Date(startAt), level: "info", message: "tried" }],
    });
    await world.enqueue(newTask({ id: "fresh", queue: "other", priority: 7, settings: { timeoutMs: 5 } }));
    await world.enqueue(newTask({ id: "cancelled" }), newTask({ ownId: false }));
    await world.store.cancelTask("cancelled");
  }

  test("records come by id, in pages, with their attempts; RUNNING tasks stay out", async () => {
    await fill();
    await world.running(newTask({ id: "running", type: "other-type" }));
    const all = await world.store.readRecords({ limit: 100 });
    expect(all.map(({ id }) => id)).toEqual(all.map(({ id }) => id).sort());
    expect(all).toHaveLength(5);
    const first = await world.store.readRecords({ limit: 2 });
    const rest = await world.store.readRecords({ after: first[1]!.id, limit: 100 });
    expect([...first, ...rest]).toEqual(all);
    expect(await world.store.readRecords({ ids: ["tried", "nobody", "done"] })).toEqual(
      all.filter(({ id }) => id === "done" || id === "tried"),
    );
    const tried = all.find(({ id }) => id === "tried")!;
    expect(tried).toMatchObject({ status: "PENDING", fence: 1, attempts: 1, idempotencyKey: "k" });
    expect(tried.history).toMatchObject([{ fence: 1, number: 1, outcome: "failed", workerId: "worker-1" }]);
    expect(JSON.parse(tried.history[0]!.logs!)).toMatchObject([{ message: "tried" }]);
  });

  test("what is written is what was read: tasks, attempts, counts", async () => {
    await fill();
    const records = await world.store.readRecords({ limit: 100 });
    const before = await Promise.all(records.map(({ id }) => world.get(id)));
    for (const { id, status } of records) {
      if (status === "PENDING") await world.store.cancelTask(id);
      await world.store.deleteTask(id);
    }
    expect(await countOf(world.store.countTasks(newSearch()))).toBe(0);
    const plain = records.map((record) => ({
      ...record,
      ...(record.error !== undefined && { error: record.error.replaceAll("\0", "\ufffd") }),
    }));
    expect(ok(await world.store.writeRecords(plain))).toEqual(records.map(({ id }) => id));
    expect(await world.store.readRecords({ limit: 100 })).toEqual(plain);
    for (const task of before) {
      const error = task.error?.replaceAll("\0", "\ufffd");
      expect(await world.get(task.id)).toEqual({ ...task, ...(error !== undefined && { error }) });
    }
    expect(await countOf(world.store.countTasks(newSearch({ statuses: ["PENDING"] })))).toBe(3);
    expect((await world.store.listAttempts("tried")).map(({ outcome }) => outcome)).toEqual(["failed"]);
    const claimed = await world.claim({ types: ["resize-image"], limit: 10 });
    expect(claimed.map(({ task }) => task.id)).toContain("fresh");
  });

  test("an id that is there is passed over; a key that belongs to another task undoes all", async () => {
    await fill();
    const records = await world.store.readRecords({ limit: 100 });
    expect(ok(await world.store.writeRecords(records))).toEqual([]);
    const tried = records.find(({ id }) => id === "tried")!;
    const fresh = records.find(({ id }) => id === "fresh")!;
    const answer = await world.store.writeRecords([
      { ...fresh, id: "another" },
      { ...tried, id: "other-id" },
    ]);
    expect(reasonOf(answer)).toBe("idempotency-conflict");
    expect(detailsOf(answer)).toMatchObject({ id: "other-id", key: "k" });
    expect(await world.store.getTask("another")).toBeUndefined();
  });

  test("a worker of the other store is a name, not a worker that could be alive", async () => {
    await fill();
    const records = await world.store.readRecords({ ids: ["done"] });
    await world.store.deleteTask("done");
    ok(await world.store.writeRecords(records.map((record) => ({ ...record, workerId: "far-away" }))));
    expect((await world.get("done")).workerId).toBe("far-away");
    const workers = await world.store.listWorkers();
    expect(workers.find(({ id }) => id === "far-away")?.state).toBe("stopped");
  });

  test("a sealed store changes nothing, names where the tasks went, and can be opened again", async () => {
    await fill();
    const places = "postgres://it's/there";
    expect(ok(await (await world.owner()).seal(places))).toBeUndefined();
    const moved = { code: "DATABASE_MOVED", message: expect.stringContaining(places) };
    await expect(world.store.enqueueTasks([newTask()])).rejects.toMatchObject(moved);
    await expect(world.store.enqueueTasks([newTask(), newTask()])).rejects.toMatchObject(moved);
    await expect(world.store.cancelTask("fresh")).rejects.toMatchObject(moved);
    await expect(world.store.retryTask("cancelled")).rejects.toMatchObject(moved);
    await expect(world.store.deleteTask("done")).rejects.toMatchObject(moved);
    await expect(
      world.store.claimTasks({ workerId: "worker-1", types: ["resize-image"], limit: 5, suspect: false }),
    ).rejects.toMatchObject(moved);
    expect((await world.get("fresh")).status).toBe("PENDING");
    ok(await (await world.owner()).seal(undefined));
    ok(await (await world.owner()).seal(undefined));
    expect(await world.claim({ types: ["resize-image"] })).not.toHaveLength(0);
  });

  test("a store with a RUNNING task is not sealed", async () => {
    const running = await world.running(newTask({ id: "running" }));
    expect(reasonOf(await (await world.owner()).seal("elsewhere"))).toBe("owns-tasks");
    await world.enqueue(newTask());
    await world.settle(running, "completed");
    ok(await (await world.owner()).seal("elsewhere"));
  });

  test("another process meets the seal too", async ({ skip }) => {
    if (!world.shared) skip("a database in memory belongs to one process");
    const other = await world.connect();
    await other.registerWorker(newWorker("worker-2"));
    await other.enqueueTasks([newTask()]);
    ok(await (await world.owner()).seal("elsewhere"));
    await expect(other.enqueueTasks([newTask()])).rejects.toMatchObject({ code: "DATABASE_MOVED" });
  });
});
