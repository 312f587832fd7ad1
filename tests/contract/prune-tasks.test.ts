import { expect, test } from "vitest";
import type { PruneRequest } from "../../server/tasks/core/store.ts";
import { newTask, startAt } from "../support/builders.ts";
import { ok, onEachStore } from "../support/stores.ts";

onEachStore("pruneTasks and readPrunable", (world) => {
  const request = (facts: Partial<PruneRequest> = {}): PruneRequest => ({
    status: "COMPLETED",
    before: startAt + 1e9,
    limit: 100,
    ...facts,
  });
  /** Ends a task with the given id, `ms` after the one before. */
  const end = async (
    id: string,
    outcome: "completed" | "failed" | "cancelled" = "completed",
    facts = {},
    ms = 10,
  ) => {
    await world.clock.advance(ms);
    await world.settle(await world.running(newTask({ id, ...facts })), outcome, {
      error: { name: "Error", message: "m" },
    });
  };

  test("only tasks of the status that ended before the instant are deleted", async () => {
    await end("a");
    await end("b");
    await end("c", "failed");
    await end("d", "cancelled");
    const wanted = request({ before: startAt + 20 });
    expect((await world.store.readPrunable(wanted)).map(({ task }) => task.id)).toEqual(["a"]);
    expect(ok(await world.store.pruneTasks(wanted))).toBe(1);
    expect(ok(await world.store.pruneTasks(wanted))).toBe(0);
    expect(await world.store.getTask("a")).toBeUndefined();
    for (const id of ["b", "c", "d"]) expect(await world.store.getTask(id)).toBeDefined();
  });

  test("the oldest over all types and queues go first, at most `limit`", async () => {
    for (const [place, id] of ["e", "b", "d", "a", "c"].entries()) {
      await end(id, "failed", { type: `type-${place % 2}`, queue: `queue-${place % 3}` });
    }
    const wanted = request({ status: "FAILED", limit: 3 });
    expect((await world.store.readPrunable(wanted)).map(({ task }) => task.id)).toEqual(["e", "b", "d"]);
    expect(ok(await world.store.pruneTasks(wanted))).toBe(3);
    expect((await world.store.readPrunable(wanted)).map(({ task }) => task.id)).toEqual(["a", "c"]);
  });

  test("of those that ended at one instant the first by id, within a type and over all", async () => {
    for (const [place, id] of ["d", "c", "b", "a", "f", "e"].entries()) {
      await end(id, "cancelled", { type: `type-${place % 2}` }, 0);
    }
    const wanted = request({ status: "CANCELLED", limit: 3 });
    expect((await world.store.readPrunable(wanted)).map(({ task }) => task.id)).toEqual(["a", "b", "c"]);
    expect(ok(await world.store.pruneTasks(wanted))).toBe(3);
    expect((await world.store.readPrunable(wanted)).map(({ task }) => task.id)).toEqual(["d", "e", "f"]);
  });

  test("of some types, and all but those that ended last", async () => {
    for (const [place, id] of ["a", "b", "c", "d", "e", "f", "g"].entries()) {
      await end(id, "completed", { type: `type-${place % 2}`, queue: `queue-${place % 3}` });
    }
    const ofOne = { types: ["type-0"], limit: 2 };
    const found = async (facts: Partial<PruneRequest>) =>
      (await world.store.readPrunable(request(facts))).map(({ task }) => task.id);
    expect(await found({ types: ["type-0", "nobody's"] })).toEqual(["a", "c", "e", "g"]);
    expect(await found({ types: ["type-0", "type-0"], keep: 3 })).toEqual(["a"]);
    expect(await found({ types: ["type-0"], keep: 4 })).toEqual([]);
    expect(await found({ keep: 5 })).toEqual(["a", "b"]);
    expect(await found({ types: ["type-0"], keep: 1, before: startAt + 20 })).toEqual(["a"]);
    expect(await found({ types: [] })).toEqual([]);
    const { before: _before, ...always } = request({ ...ofOne, keep: 1 });
    const answers = await Promise.all([1, 2, 3, 4].map(() => world.store.pruneTasks(always)));
    expect(answers.map(ok).reduce((sum, deleted) => sum + deleted, 0)).toBeLessThanOrEqual(3);
    while (ok(await world.store.pruneTasks(always)) > 0);
    expect(await found({})).toEqual(["b", "d", "f", "g"]);
  });

  test("what is read is the whole record", async () => {
    const claimed = await world.running(newTask({ id: "a", maxAttempts: 2, payload: "x".repeat(9_000) }));
    await world.settle(claimed, "failed", { retryAt: startAt, error: { name: "Error", message: "m" } });
    await world.settle((await world.claim())[0]!, "completed", { result: { json: "[1]" } });
    const [record] = await world.store.readPrunable(request());
    expect(record).toEqual({ task: await world.get("a"), attempts: await world.store.listAttempts("a") });
    expect(record?.attempts).toHaveLength(2);
  });

  test("what is read has the attributes of those that have any", async () => {
    await end("a", "failed", { attributes: { userId: 42, vip: true, tag: ["new", "Ü 한국"] } });
    await end("b", "failed");
    const read = await world.store.readPrunable(request({ status: "FAILED" }));
    expect(read[0]!.attributes).toEqual({ userId: 42, vip: true, tag: ["new", "Ü 한국"] });
    expect(read[1]).not.toHaveProperty("attributes");
  });

  test("attempts and long payloads go too", async () => {
    await end("a", "failed", { payload: "x".repeat(9_000) });
    ok(await world.store.pruneTasks(request({ status: "FAILED" })));
    await world.enqueue(newTask({ id: "a" }));
    expect(await world.store.listAttempts("a")).toEqual([]);
    expect((await world.get("a")).payload).toEqual({ widthPx: 640 });
  });

  test("tasks that wait or run are never deleted, however old", async () => {
    await world.running(newTask({ id: "a" }));
    await world.enqueue(newTask({ id: "b" }));
    for (const status of ["COMPLETED", "FAILED", "CANCELLED"] as const) {
      expect(ok(await world.store.pruneTasks(request({ status })))).toBe(0);
    }
  });

  test("a retried task is no longer prunable", async () => {
    await end("a", "failed");
    await world.store.retryTask("a");
    expect(await world.store.readPrunable(request({ status: "FAILED" }))).toEqual([]);
    expect(ok(await world.store.pruneTasks(request({ status: "FAILED" })))).toBe(0);
  });
});
