import { expect, test } from "vitest";
import { newDefinition, newSearch, newTask, someError, startAt } from "../support/builders.ts";
import { countOf, tasksOf } from "../support/found.ts";
import { ok, onEachStore } from "../support/stores.ts";

onEachStore("getTask, listAttempts and findNearIds", (world) => {
  test("an unknown id is undefined and has no attempts", async () => {
    expect(await world.store.getTask("a")).toBeUndefined();
    expect(await world.store.listAttempts("a")).toEqual([]);
  });

  test("an id that no task can have is as unknown as any other", async () => {
    for (const id of ["a\0b", "\0", "\ud800", "a".repeat(10_000), "%", "'"]) {
      expect(await world.store.getTask(id)).toBeUndefined();
      expect(await world.store.listAttempts(id)).toEqual([]);
      expect(await world.store.findNearIds(id)).toEqual([]);
      expect(await world.store.deleteTask(id)).toMatchObject({ kind: "rejected", reason: "not-found" });
      expect(await tasksOf(world.store.searchTasks(newSearch({ types: [id], queues: [id] })))).toEqual([]);
      expect(await countOf(world.store.countTasks(newSearch({ types: [id], queues: [id] })))).toBe(0);
      expect(await tasksOf(world.store.searchTasks(newSearch({ id })))).toEqual([]);
    }
  });

  test("ids are compared byte for byte", async () => {
    await world.enqueue(newTask({ id: "é" }));
    expect(await world.store.getTask("e\u0301")).toBeUndefined();
    expect(await world.store.getTask("É")).toBeUndefined();
  });

  test("a definition's id answers its entry, with what its latest task says", async () => {
    ok(await world.store.saveDefinitions([{ ...newDefinition(), maxAttempts: 4 }]));
    expect(await world.get("resize-image")).toMatchObject({
      isDefinition: true,
      status: "PENDING",
      attempts: 0,
      maxAttempts: 4,
    });
    await world.settle(await world.running(newTask({ id: "old" })), "completed", { result: { json: "1" } });
    const latest = await world.running(newTask({ createdAt: startAt + 1, dueAt: startAt }));
    await world.settle(latest, "failed", { error: someError });
    const entry = await world.get("resize-image");
    expect(entry).toMatchObject({
      id: "resize-image",
      isDefinition: true,
      status: "FAILED",
      attempts: 1,
      error: "mailbox full",
    });
    expect(entry.payload).toBeUndefined();
    expect(entry.result).toBeUndefined();
  });

  test("a running attempt is listed without an end", async () => {
    await world.running(newTask({ id: "a" }));
    const [attempt] = await world.store.listAttempts("a");
    expect(attempt).toEqual({
      taskId: "a",
      fence: 1,
      number: 1,
      workerId: "worker-1",
      startedAt: new Date(startAt),
      logs: [],
    });
  });

  test("attempts are listed oldest first", async () => {
    let claimed = await world.running(newTask({ id: "a", maxAttempts: 12 }));
    for (let attempt = 1; attempt < 12; attempt++) {
      await world.settle(claimed, "failed", { retryAt: startAt });
      claimed = (await world.claim())[0]!;
    }
    const fences = (await world.store.listAttempts("a")).map(({ fence }) => fence);
    expect(fences).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
  });

  test("near ids share a beginning or are one edit away, at most 3", async () => {
    ok(await world.store.saveDefinitions([newDefinition("resize-image"), newDefinition("send-receipt")]));
    await world.enqueue(...[1, 2, 3, 4, 5].map((order) => newTask({ id: `receipt-${order}` })));
    expect(await world.store.findNearIds("resize-imgae")).toContain("resize-image");
    const near = await world.store.findNearIds("receipt-6");
    expect(near.length).toBeGreaterThan(0);
    expect(near.length).toBeLessThanOrEqual(3);
    expect(near.every((id) => id.startsWith("receipt-"))).toBe(true);
    expect(await world.store.findNearIds("zzzzzzzzzzz")).toEqual([]);
  });
});
