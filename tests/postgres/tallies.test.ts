import { expect, test } from "vitest";
import { copyTasks } from "../../server/tasks/runtime/copier.ts";
import { createPostgresStore } from "../../server/tasks/stores/postgres/store.ts";
import { createSqliteStore } from "../../server/tasks/stores/sqlite/store.ts";
import { newSearch, newTask, newWorker, settlementOf, startAt } from "../support/builders.ts";
import { createTestSchema } from "../support/postgres.ts";
import { claimRequest, ok } from "../support/stores.ts";
import { TestClock } from "../support/test-clock.ts";

test("changes of the counts are folded while tasks are stored, by several processes at once, and stay exact", async () => {
  const schema = await createTestSchema();
  const stores = [1, 2, 3].map(() => createPostgresStore({ url: schema.url }));
  try {
    for (const store of stores) await store.open();
    for (let round = 0; round < 300; round += 1) {
      await Promise.all(stores.map((store) => store.enqueueTasks([newTask()])));
    }
    const [{ unfolded, kept }] = (await schema.query(
      `SELECT (SELECT count(*) FROM :schema.tally_changes)::integer AS unfolded,
        (SELECT sum(tasks) FROM :schema.tallies)::integer AS kept`,
    )) as [{ unfolded: number; kept: number }];
    expect(kept).toBeGreaterThan(200);
    expect(unfolded).toBeLessThan(900 - 200);
    expect(await stores[0]!.countTasks(newSearch())).toEqual({ count: 900, errorMax: 0 });
    const { byType } = await stores[1]!.stats();
    expect(byType).toMatchObject([{ count: 900 }]);
    const findings = await stores[2]!.checkHealth({ full: true });
    expect(findings.find(({ check }) => check === "counts")).toMatchObject({ level: "ok" });
  } finally {
    await Promise.all(stores.map((store) => store.close()));
    await schema.drop();
  }
});

test("what a copy adds to the counts is folded at once", async () => {
  const schema = await createTestSchema();
  const [from, to] = [
    createSqliteStore({ path: ":memory:", clock: new TestClock() }),
    createPostgresStore({ url: schema.url }),
  ];
  try {
    await from.open();
    await to.open();
    // Of as many hours as there are tasks.
    const tasks = Array.from({ length: 1_200 }, (_, hour) =>
      newTask({ createdAt: startAt - hour * 3_600_000 }),
    );
    await from.enqueueTasks(tasks);
    expect(await copyTasks(from, to, schema.url)).toMatchObject({ copied: 1_200 });
    const [counts] = await schema.query(
      `SELECT (SELECT count(*) FROM :schema.tally_changes)::integer AS unfolded,
        (SELECT sum(tasks) FROM :schema.tallies)::integer AS kept`,
    );
    expect(counts).toEqual({ unfolded: 0, kept: 1_200 });
  } finally {
    await from.close();
    await to.close();
    await schema.drop();
  }
});

test("what attempts add to the history is folded, by several processes at once, and stays exact", async () => {
  const schema = await createTestSchema();
  const stores = [1, 2].map(() => createPostgresStore({ url: schema.url }));
  const workers = ["worker-1", "worker-2"];
  const each = 300;
  try {
    for (const store of stores) await store.open();
    for (const workerId of workers) ok(await stores[0]!.registerWorker(newWorker(workerId)));
    const queues = ["default", "urgent"];
    const tasks = Array.from({ length: 2 * each }, (_, n) => newTask({ queue: queues[n % 2]! }));
    ok(await stores[0]!.enqueueTasks(tasks));
    await Promise.all(
      stores.map(async (store, index) => {
        const workerId = workers[index]!;
        const { claimed } = ok(await store.claimTasks(claimRequest({ workerId, limit: each })));
        for (const one of claimed)
          ok(await store.settleTasks([settlementOf(one, "completed", { workerId })]));
        await store.close();
      }),
    );
    const [{ unfolded, folded }] = (await schema.query(
      `SELECT (SELECT count(*) FROM :schema.history_changes)::integer AS unfolded,
        (SELECT sum(completed) FROM :schema.history WHERE span = 86400000)::integer AS folded`,
    )) as [{ unfolded: number; folded: number }];
    expect(unfolded, "each process folds, not each time").toBeLessThan(each);
    expect(folded).toBe(2 * each - unfolded);
    const reader = createPostgresStore({ url: schema.url });
    stores.push(reader);
    await reader.open();
    const all = { start: 0, end: Number.MAX_SAFE_INTEGER, limit: 10 };
    const before = await reader.readHistory({ span: "day", ...all });
    expect(before.reduce((sum, { completed }) => sum + completed, 0)).toBe(2 * each);
    await reader.pruneHistory({ span: "minute", before: 0, limit: 1 });
    const [left] = await schema.query("SELECT count(*)::integer AS unfolded FROM :schema.history_changes");
    expect(left, "what is pruned is folded first").toEqual({ unfolded: 0 });
    expect(await reader.readHistory({ span: "day", ...all })).toEqual(before);
  } finally {
    await Promise.all(stores.map((store) => store.close()));
    await schema.drop();
  }
});
