import { beforeEach, describe, expect, test } from "vitest";
import { newSearch, newTask, newTasks, newWorker, startAt } from "../support/builders.ts";
import { tasksOf } from "../support/found.ts";
import { claimRequest, ok, onEachStore, reasonOf } from "../support/stores.ts";

onEachStore("claimTasks", (world) => {
  const ids = async (request = {}) => (await world.claim(request)).map(({ task }) => task.id);

  test("a claimed task is RUNNING, charged, and has a fence", async () => {
    const claimed = await world.running(newTask({ id: "a", maxAttempts: 3, settings: { timeoutMs: 5 } }));
    expect(claimed).toMatchObject({ fence: 1, settings: { timeoutMs: 5 } });
    expect(claimed.task).toEqual(await world.get("a"));
    expect(claimed.task).toMatchObject({
      status: "RUNNING",
      attempts: 1,
      version: 2,
      workerId: "worker-1",
      startedAt: new Date(startAt),
      payload: { widthPx: 640 },
    });
  });

  test("a claimed task is invisible to other workers", async () => {
    await world.store.registerWorker(newWorker("worker-2"));
    await world.enqueue(...newTasks(50));
    const [one, other] = await Promise.all([ids({ limit: 30 }), ids({ workerId: "worker-2", limit: 30 })]);
    expect(new Set([...one, ...other]).size).toBe(50);
    expect(one.length + other.length).toBe(50);
    expect(await ids()).toEqual([]);
  });

  test("only a registered, alive worker may claim", async () => {
    const claim = async (workerId: string) =>
      reasonOf(await world.store.claimTasks(claimRequest({ workerId })));
    await world.enqueue(newTask());
    expect(await claim("nobody")).toBe("worker-dead");
    await world.store.registerWorker(newWorker("stopped"));
    await world.store.stopWorker("stopped");
    expect(await claim("stopped")).toBe("worker-dead");
    await world.bury();
    expect(await claim("worker-1")).toBe("worker-dead");
  });

  test("only the wanted types and queues are claimed, byte for byte", async () => {
    await world.enqueue(
      newTask({ id: "a", queue: "images" }),
      newTask({ id: "b", queue: "Images" }),
      newTask({ id: "c", type: "리포트-생성" }),
    );
    expect(await ids({ types: ["Resize-image"] })).toEqual([]);
    expect(await ids({ types: [] })).toEqual([]);
    expect(await ids({ queues: [] })).toEqual([]);
    expect(await ids({ queues: ["images"] })).toEqual(["a"]);
    expect(await ids({ types: ["리포트-생성", "resize-image"] })).toEqual(["b", "c"]);
  });

  test("types that have their first task after an earlier claim are claimed", async () => {
    const both = { types: ["resize-image", "send-receipt"] };
    expect(await ids(both)).toEqual([]);
    await world.enqueue(newTask({ id: "a", type: "send-receipt" }));
    expect(await ids(both)).toEqual(["a"]);
    await world.enqueue(newTask({ id: "b", type: "send-receipt", queue: "mail" }));
    expect(await ids(both)).toEqual(["b"]);
  });

  test("the order is priority, then due time, then the order stored, over types, queues and kinds of ids", async () => {
    const tasks = Array.from({ length: 120 }, (_, place) =>
      newTask({
        ...(world.clock.random() < 0.5 ? { id: `own-${119 - place}` } : {}),
        type: `type-${Math.floor(world.clock.random() * 3)}`,
        queue: `queue-${Math.floor(world.clock.random() * 2)}`,
        priority: Math.floor(world.clock.random() * 3) - 1,
        dueAt: startAt - Math.floor(world.clock.random() * 4),
        payload: place,
      }),
    );
    await world.enqueue(...tasks);
    const claimed: string[] = [];
    for (let found = [""]; found.length > 0; claimed.push(...found)) {
      found = await ids({ types: ["type-0", "type-1", "type-2"], limit: 7 });
    }
    const place = new Map(tasks.map((task, index) => [task, index]));
    const expected = tasks.toSorted(
      (a, b) => b.priority - a.priority || a.dueAt - b.dueAt || place.get(a)! - place.get(b)!,
    );
    expect(claimed).toEqual(expected.map((task) => task.id));
  });

  test("a limit of 0 claims nothing", async () => {
    await world.enqueue(newTask());
    expect(await ids({ limit: 0, suspect: true })).toEqual([]);
  });

  test("a task is claimed from the very millisecond it is due", async () => {
    await world.enqueue(newTask({ dueAt: startAt + 1_000 }));
    await world.clock.advance(999);
    expect(await ids()).toEqual([]);
    await world.clock.advance(1);
    expect(await ids()).toHaveLength(1);
  });

  test("nextDueAt is the earliest of what the worker waits for", async () => {
    const next = async (request = {}) => ok(await world.store.claimTasks(claimRequest(request))).nextDueAt;
    expect(await next()).toBeUndefined();
    await world.enqueue(
      newTask({ dueAt: startAt + 3_000, priority: 5 }),
      newTask({ dueAt: startAt + 2_000, queue: "images" }),
      newTask({ dueAt: startAt + 1_000, type: "send-receipt" }),
    );
    expect(await next()).toBe(startAt + 2_000);
    expect(await next({ queues: ["default"] })).toBe(startAt + 3_000);
  });

  test("nextDueAt knows of a suspect, when the worker would take one", async () => {
    await world.running(newTask({ id: "a" }));
    await world.bury();
    await world.store.registerWorker(newWorker("worker-2"));
    await world.store.editTask("a", { dueAt: startAt + 4_000 });
    const next = async (suspect: boolean) =>
      ok(await world.store.claimTasks(claimRequest({ workerId: "worker-2", suspect }))).nextDueAt;
    expect(await next(true)).toBe(startAt + 4_000);
    expect(await next(false)).toBeUndefined();
  });

  test("a task whose worker died is given only to whom asks for a suspect, one at a time, and first", async () => {
    await world.enqueue(newTask({ id: "a" }), newTask({ id: "b", priority: 3 }));
    await world.claim();
    await world.bury();
    await world.store.registerWorker(newWorker("worker-2"));
    await world.enqueue(newTask({ id: "c", priority: 9 }));
    expect(await ids({ workerId: "worker-2" })).toEqual(["c"]);
    expect(await ids({ workerId: "worker-2", suspect: true })).toEqual(["b"]);
    await world.enqueue(newTask({ id: "d" }), newTask({ id: "e" }));
    expect(await ids({ workerId: "worker-2", suspect: true, limit: 2 })).toEqual(["a", "d"]);
  });

  test("the fence grows with every claim, also after an operator's retry", async () => {
    let claimed = await world.running(newTask({ id: "a" }));
    for (const fence of [1, 2, 3]) {
      expect(claimed.fence).toBe(fence);
      await world.settle(claimed, "failed");
      await world.store.retryTask("a");
      claimed = (await world.claim())[0]!;
    }
  });

  test("a payload that cannot be read is claimed with what is wrong", async () => {
    const broken = { json: '{"at":1}', types: "no json" };
    await world.enqueue({ ...newTask({ id: "a" }), payload: broken });
    const [claimed] = await world.claim();
    expect(claimed?.unreadable).toMatch(/cannot be read back/);
    expect((await world.get("a")).unreadable).toBe(claimed?.unreadable);
    expect(await tasksOf(world.store.searchTasks(newSearch()))).toHaveLength(1);
  });

  test("a claim with something due is not held back", async () => {
    await world.enqueue(newTask());
    expect(await ids({ waitMs: 20_000 })).toHaveLength(1);
  });

  test("a store that cannot hold a claim answers at once, and tells of changes", async ({ skip }) => {
    if (world.holdsClaims) skip("this store holds claims");
    const changed = new Promise<void>((resolve) => void world.store.onChange(() => resolve()));
    expect(ok(await world.store.claimTasks(claimRequest({ waitMs: 20_000 })))).toEqual({ claimed: [] });
    await world.enqueue(newTask({ id: "a" }));
    await changed;
    expect(await ids()).toEqual(["a"]);
  });

  describe("a held claim", () => {
    beforeEach(({ skip }) => {
      if (!world.holdsClaims) skip("this store answers every claim at once");
    });

    test("is answered with nothing when its time is over", async () => {
      const reply = ok(await world.store.claimTasks(claimRequest({ waitMs: 30 })));
      expect(reply.claimed).toEqual([]);
    });

    test("is answered when a task is enqueued", async () => {
      const held = ids({ waitMs: 20_000 });
      await world.store.stats();
      await world.enqueue(newTask({ id: "other", type: "send-receipt" }));
      await world.enqueue(newTask({ id: "a" }));
      expect(await held).toEqual(["a"]);
    });

    test("is answered when a batch in parts is stored", async () => {
      const held = ids({ waitMs: 20_000 });
      async function* parts() {
        yield [newTask({ id: "a" })];
        yield [newTask({ id: "b" })];
      }
      ok(await world.store.enqueueTasks(parts()));
      expect(await held).toEqual(["a", "b"]);
    });

    test("is answered when a waiting task becomes due", async () => {
      await world.enqueue(newTask({ id: "a", dueAt: startAt + 50 }));
      expect(await ids({ waitMs: 20_000 })).toEqual(["a"]);
    });

    test("is answered when a waiting suspect becomes due", async () => {
      await world.running(newTask({ id: "a" }));
      await world.bury();
      await world.store.registerWorker(newWorker("worker-2"));
      await world.store.editTask("a", { dueAt: startAt + 50 });
      expect(await ids({ workerId: "worker-2", suspect: true, waitMs: 20_000 })).toEqual(["a"]);
    });

    test.each<[string, () => Promise<unknown>]>([
      ["brought forward", () => world.store.editTask("later", { dueAt: startAt })],
      ["retried", () => world.store.retryTask("failed")],
    ])("is answered when a task is %s", async (_what, act) => {
      await world.settle(await world.running(newTask({ id: "failed" })), "failed");
      await world.enqueue(newTask({ id: "later", dueAt: startAt + 1e9 }));
      const held = ids({ waitMs: 20_000 });
      await act();
      expect(await held).toHaveLength(1);
    });

    test("is answered when another worker gives a task back", async () => {
      const claimed = await world.running(newTask({ id: "a" }));
      await world.store.registerWorker(newWorker("worker-2"));
      const held = ids({ workerId: "worker-2", waitMs: 20_000 });
      await world.settle(claimed, "released");
      expect(await held).toEqual(["a"]);
    });

    test("and another share: one task goes to one", async () => {
      await world.store.registerWorker(newWorker("worker-2"));
      const held = [ids({ waitMs: 400 }), ids({ workerId: "worker-2", waitMs: 400 })];
      await world.enqueue(newTask());
      expect((await Promise.all(held)).flat()).toHaveLength(1);
    });

    test("lets other verbs go on", async () => {
      const held = ids({ waitMs: 20_000 });
      await world.enqueue(newTask({ id: "other", type: "send-receipt" }));
      expect((await world.get("other")).status).toBe("PENDING");
      world.store.endClaimWait("worker-1");
      expect(await held).toEqual([]);
    });

    test("of a worker that is buried meanwhile gets nothing", async () => {
      const held = world.store.claimTasks(claimRequest({ waitMs: 20_000 }));
      await world.bury();
      await world.enqueue(newTask({ id: "a" }));
      expect(reasonOf(await held)).toBe("worker-dead");
      expect((await world.get("a")).status).toBe("PENDING");
    });

    test("is answered when another process enqueues", async ({ skip }) => {
      if (!world.shared) skip("a database in memory belongs to one process");
      const other = await world.connect();
      world.store.onChange(() => undefined);
      const held = ids({ waitMs: 20_000 });
      await world.store.stats();
      await other.enqueueTasks([newTask({ id: "a" })]);
      expect(await held).toEqual(["a"]);
    });

    test("is answered when the store is closed", async () => {
      const held = world.store.claimTasks(claimRequest({ waitMs: 20_000 }));
      await world.reopen();
      expect(
        await held.then(
          (answer) => ok(answer).claimed,
          () => [],
        ),
      ).toEqual([]);
    });
  });
});
