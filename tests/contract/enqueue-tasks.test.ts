import { describe, expect, test } from "vitest";
import type { NewTask } from "../../server/tasks/core/store.ts";
import { newDefinition, newTask, newTasks, startAt } from "../support/builders.ts";
import { countOf } from "../support/found.ts";
import { detailsOf, ok, onEachStore, reasonOf, wait } from "../support/stores.ts";

onEachStore("enqueueTasks", (world) => {
  const total = () =>
    countOf(
      world.store.countTasks({
        sortBy: "createdAt",
        descending: true,
        limit: 1,
        offset: 0,
        definitions: false,
      }),
    );

  test("a stored task comes back with every field it was given", async () => {
    const task = newTask({
      id: "picture-1",
      queue: "images",
      priority: -7,
      dueAt: startAt + 5_000,
      maxAttempts: 4,
      description: "Three sizes",
      tags: ["image", "그림"],
      idempotencyKey: "picture 1",
      payload: { at: new Date(5), big: 12n, text: "그림 🖼" },
    });
    expect(ok(await world.store.enqueueTasks([task]))).toEqual([null]);
    expect(await world.get("picture-1")).toMatchObject({
      id: "picture-1",
      type: "resize-image",
      status: "PENDING",
      queue: "images",
      priority: -7,
      createdAt: new Date(startAt),
      updatedAt: new Date(startAt),
      dueAt: new Date(startAt + 5_000),
      maxAttempts: 4,
      attempts: 0,
      crashes: 0,
      snoozes: 0,
      version: 1,
      description: "Three sizes",
      tags: ["image", "그림"],
      idempotencyKey: "picture 1",
      payload: { at: new Date(5), big: 12n, text: "그림 🖼" },
    });
  });

  test("a task without a description has its definition's", async () => {
    await world.store.saveDefinitions([{ ...newDefinition(), description: "Makes three sizes" }]);
    const task = newTask();
    await world.enqueue(task);
    expect((await world.get(task.id)).description).toBe("Makes three sizes");
  });

  test.each([1, 100, 4_000, 4_001, 300_000])(
    "a payload of %i characters comes back whole",
    async (length) => {
      const task = newTask({ payload: "한".repeat(length) });
      await world.enqueue(task, newTask());
      expect((await world.get(task.id)).payload).toBe("한".repeat(length));
      expect((await world.claim()).map((claimed) => claimed.task.payload)).toContain("한".repeat(length));
    },
  );

  test("an empty batch is stored", async () => {
    expect(ok(await world.store.enqueueTasks([]))).toEqual([]);
    expect(ok(await world.store.enqueueTasks(parts([])))).toEqual([]);
  });

  test("the same call sent again stores nothing and answers the stored tasks", async () => {
    const tasks = [...newTasks(12), newTask({ id: "own" })];
    await world.enqueue(...tasks);
    const again = ok(await world.store.enqueueTasks(tasks));
    expect(again.map((task) => task?.id)).toEqual(tasks.map((task) => task.id));
    expect(await total()).toBe(13);
  });

  test("a repeated call answers the task as it is now", async () => {
    const task = newTask({ id: "own" });
    const claimed = await world.running(task);
    await world.settle(claimed, "completed");
    expect(ok(await world.store.enqueueTasks([task]))[0]).toMatchObject({ id: "own", status: "COMPLETED" });
  });

  test.each([
    ["another payload", { payload: 2 }],
    ["another type", { type: "send-receipt" }],
    ["another queue", { queue: "images" }],
  ])("an id that is taken by a task with %s is refused", async (_what, facts) => {
    await world.enqueue(newTask({ id: "own", payload: 1 }));
    const refused = await world.store.enqueueTasks([newTask(), newTask({ id: "own", payload: 1, ...facts })]);
    expect(reasonOf(refused)).toBe("id-taken");
    expect(detailsOf(refused)).toMatchObject({ index: 1, id: "own", owner: "task" });
    expect(await total()).toBe(1);
  });

  test("a definition's id is refused as a task's own id", async () => {
    await world.store.saveDefinitions([newDefinition("nightly-report")]);
    const refused = await world.store.enqueueTasks([newTask({ id: "nightly-report" })]);
    expect(reasonOf(refused)).toBe("id-taken");
    expect(detailsOf(refused)).toMatchObject({ id: "nightly-report", owner: "definition" });
  });

  test("ids that differ only in case, form or trailing space are different", async () => {
    await world.enqueue(...["a", "A", "é", "e\u0301", "a.", "𐐷"].map((id) => newTask({ id })));
    expect(await total()).toBe(6);
    expect((await world.get("A")).id).toBe("A");
  });

  test("an idempotency key met again with the same payload answers the stored task", async () => {
    const first = newTask({ idempotencyKey: "order 17" });
    await world.enqueue(first);
    const [existing] = ok(await world.store.enqueueTasks([newTask({ idempotencyKey: "order 17" })]));
    expect(existing?.id).toBe(first.id);
    expect(await total()).toBe(1);
  });

  test("an idempotency key met again with another payload refuses the whole call", async () => {
    const first = newTask({ idempotencyKey: "order 17" });
    await world.enqueue(first);
    const refused = await world.store.enqueueTasks([
      ...newTasks(14),
      newTask({ idempotencyKey: "order 17", payload: "other" }),
    ]);
    expect(reasonOf(refused)).toBe("idempotency-conflict");
    expect(detailsOf(refused)).toMatchObject({ index: 14, key: "order 17", existingId: first.id });
    expect(await total()).toBe(1);
  });

  test("an idempotency key belongs to its type", async () => {
    await world.enqueue(
      newTask({ idempotencyKey: "k" }),
      newTask({ idempotencyKey: "k", type: "send-receipt" }),
    );
    expect(await total()).toBe(2);
  });

  test("twice the same key within one call is one task", async () => {
    const tasks = [newTask({ idempotencyKey: "k" }), newTask({ idempotencyKey: "k" })];
    const [first, second] = ok(await world.store.enqueueTasks(tasks));
    expect([first, second?.id]).toEqual([null, tasks[0]!.id]);
    expect(await total()).toBe(1);
  });

  test("a key is free again once its task is deleted", async () => {
    const first = newTask({ idempotencyKey: "k" });
    await world.settle(await world.running(first), "completed");
    await world.store.deleteTask(first.id);
    await world.enqueue(newTask({ idempotencyKey: "k", payload: "other" }));
  });

  test("a refused batch leaves nothing behind, wherever its bad task stands", async () => {
    await world.enqueue(newTask({ id: "own", payload: 1 }));
    for (const place of [0, 9, 10, 11, 20]) {
      const tasks = newTasks(21, { type: `type-${place}` });
      tasks[place] = newTask({ id: "own", payload: 2 });
      expect(detailsOf(await world.store.enqueueTasks(tasks))).toMatchObject({ index: place });
    }
    expect(await total()).toBe(1);
    expect((await world.store.stats()).byType).toHaveLength(1);
  });

  test("a refused call does not take the calls beside it with it", async () => {
    await world.enqueue(newTask({ id: "own", payload: 1 }));
    const good = newTasks(5);
    const [before, bad, after] = await Promise.all([
      world.store.enqueueTasks(good.slice(0, 2)),
      world.store.enqueueTasks([newTask(), newTask({ id: "own", payload: 2 })]),
      world.store.enqueueTasks(good.slice(2)),
    ]);
    expect([before.kind, bad.kind, after.kind]).toEqual(["ok", "rejected", "ok"]);
    expect(await total()).toBe(6);
  });

  test("of many calls at once each is answered for its own tasks", async () => {
    const tasks = newTasks(300);
    await Promise.all(tasks.map((task) => world.enqueue(task)));
    expect(await total()).toBe(300);
  });

  test("parts are stored as one batch, in order", async () => {
    const tasks = newTasks(250);
    const answer = ok(await world.store.enqueueTasks(parts(split(tasks, 60))));
    expect(answer).toEqual(tasks.map(() => null));
    const claimed = await world.claim({ limit: 250 });
    expect(claimed.map(({ task }) => task.id)).toEqual(tasks.map(({ id }) => id));
  });

  test("parts keep every text as it is", async () => {
    const odd = [
      "\\",
      "\\N",
      "\\.",
      "a\tb\nc\rd",
      "\\t\\n",
      "그림 🖼",
      "",
      " ",
      "\u0001\u007f",
      '"',
      "'",
      "{NULL}",
    ];
    const tasks = odd.map((text, n) =>
      newTask({
        id: `odd-${n}`,
        ownId: false,
        description: text,
        tags: [`tag${text}`],
        idempotencyKey: `${n} ${text}`,
        payload: { [text]: text, at: new Date(5) },
      }),
    );
    ok(await world.store.enqueueTasks(parts(split(tasks, 5))));
    for (const [n, text] of odd.entries()) {
      expect(await world.get(`odd-${n}`)).toMatchObject({
        description: text,
        tags: [`tag${text}`],
        idempotencyKey: `${n} ${text}`,
        payload: { [text]: text, at: new Date(5) },
      });
    }
  });

  test("parts may come late", async () => {
    const tasks = newTasks(40);
    ok(await world.store.enqueueTasks(parts(split(tasks, 10), 40)));
    expect(await total()).toBe(40);
  });

  test("parts sent again are answered with the stored tasks by their place", async () => {
    const tasks = newTasks(30);
    await world.enqueue(tasks[3]!, tasks[25]!);
    const answer = ok(await world.store.enqueueTasks(parts(split(tasks, 7), 30)));
    const places = answer.flatMap((task, place) => (task === null ? [] : [place]));
    expect(places).toEqual([3, 25]);
    expect(await total()).toBe(30);
  });

  test.each([0, 30])(
    "a bad task in a later part, %i ms after the one before, refuses all",
    async (lateMs) => {
      await world.enqueue(newTask({ id: "own", payload: 1 }));
      const tasks = newTasks(40);
      tasks[33] = newTask({ id: "own", payload: 2 });
      const refused = await world.store.enqueueTasks(parts(split(tasks, 10), lateMs));
      expect(reasonOf(refused)).toBe("id-taken");
      expect(detailsOf(refused)).toMatchObject({ index: 33 });
      expect(await total()).toBe(1);
    },
  );

  test.each([0, 30])("parts that throw half-way, %i ms after each other, store nothing", async (lateMs) => {
    async function* broken(): AsyncGenerator<NewTask[]> {
      yield* parts(split(newTasks(20), 10), lateMs);
      throw new Error("no more");
    }
    await expect(world.store.enqueueTasks(broken())).rejects.toThrow("no more");
    expect(await total()).toBe(0);
    await world.enqueue(newTask());
  });

  test.each([0, 30])("two batches of parts at once, %i ms apart, do not mix", async (lateMs) => {
    const first = newTasks(50);
    const second = newTasks(50, { type: "send-receipt" });
    second[45] = { ...first[0]!, id: first[0]!.id, payload: { json: "0" } };
    const [stored, refused] = await Promise.all([
      world.store.enqueueTasks(parts(split(first, 10), lateMs)),
      world.store.enqueueTasks(parts(split(second, 10), lateMs)),
    ]);
    // Which of them comes first is nobody's to say.
    expect([stored.kind, refused.kind].sort()).toEqual(["ok", "rejected"]);
    const kept = await total();
    expect(kept).toBe([stored, refused].filter(({ kind }) => kind === "ok").length * 50);
  });

  test("other verbs go on while parts are awaited", async () => {
    async function* slow(): AsyncGenerator<NewTask[]> {
      yield newTasks(10);
      await world.enqueue(newTask({ id: "beside" }));
      expect((await world.get("beside")).id).toBe("beside");
      expect(await world.claim()).toHaveLength(1);
      yield newTasks(10);
    }
    ok(await world.store.enqueueTasks(slow()));
    expect(await total()).toBe(21);
  });

  describe("a queue with a limit of its depth", () => {
    const mail = { queue: "mail", queueDepthMax: 3 };
    const answerTo = async (...tasks: NewTask[]) => reasonOf(await world.store.enqueueTasks(tasks));

    test("takes so many waiting tasks and no more, whatever their types; a batch whole or not", async () => {
      await world.enqueue(...newTasks(2, mail));
      const tooMany = await world.store.enqueueTasks(newTasks(2, mail));
      expect([reasonOf(tooMany), detailsOf(tooMany)]).toEqual([
        "queue-full",
        expect.objectContaining({ queue: "mail", max: 3 }),
      ]);
      expect(
        await answerTo(newTask({ ...mail, type: "send-receipt", dueAt: startAt + 60_000 })),
      ).toBeUndefined();
      expect(await answerTo(newTask(mail))).toBe("queue-full");
      expect(await answerTo(newTask({ ...mail, id: "own" }))).toBe("queue-full");
      expect(await answerTo(newTask({ ...mail, queue: "images" }))).toBeUndefined();
      expect(await total()).toBe(4);
      expect(await world.get("own").catch(() => undefined)).toBeUndefined();
    });

    test("has room again for as many as have begun to run, and never refuses what is stored already", async () => {
      const first = newTask({ ...mail, id: "receipt-17" });
      await world.enqueue(first, ...newTasks(2, mail));
      expect(ok(await world.store.enqueueTasks([first]))).toMatchObject([{ id: "receipt-17" }]);
      await world.claim({ limit: 2 });
      expect(await answerTo(...newTasks(3, mail))).toBe("queue-full");
      expect(await answerTo(...newTasks(2, mail))).toBeUndefined();
      expect(await total()).toBe(5);
    });

    test("takes a batch that comes in parts whole or not", async () => {
      const refused = await world.store.enqueueTasks(parts(split(newTasks(4, mail), 2)));
      expect(reasonOf(refused)).toBe("queue-full");
      expect(await total()).toBe(0);
      ok(await world.store.enqueueTasks(parts(split(newTasks(3, mail), 2))));
      expect(await total()).toBe(3);
    });

    test("takes of those that come at once what fits", async () => {
      await world.enqueue(...newTasks(2, mail));
      const two = answerTo(...newTasks(2, mail));
      expect(await Promise.all([two, answerTo(newTask(mail))])).toEqual(["queue-full", undefined]);
      expect(await total()).toBe(3);
    });

    test("refuses those that come at once, but for what comes in the same moment", async () => {
      await world.enqueue(...newTasks(3, mail));
      const answers = await Promise.all(newTasks(20, mail).map((task) => answerTo(task)));
      expect(new Set(answers)).toEqual(new Set(["queue-full"]));
      expect(await total()).toBe(3);
    });
  });

  test("no part is seen before all are stored", async () => {
    let seen = -1;
    async function* watched(): AsyncGenerator<NewTask[]> {
      yield newTasks(10);
      await wait(5);
      seen = await total();
      yield newTasks(10);
    }
    ok(await world.store.enqueueTasks(watched()));
    expect(seen).toBe(0);
    expect(await total()).toBe(20);
  });
});

function split(tasks: NewTask[], size: number): NewTask[][] {
  return Array.from({ length: Math.ceil(tasks.length / size) }, (_, part) =>
    tasks.slice(part * size, (part + 1) * size),
  );
}

async function* parts(batches: NewTask[][], lateMs = 0): AsyncGenerator<NewTask[]> {
  for (const [place, batch] of batches.entries()) {
    if (place > 0 && lateMs > 0) await wait(lateMs);
    yield batch;
  }
}
