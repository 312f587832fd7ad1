import { expect, test } from "vitest";
import type { ClaimedTask, TaskStore } from "../../server/tasks/core/store.ts";
import { copyTasks } from "../../server/tasks/runtime/copier.ts";
import { createPostgresStore } from "../../server/tasks/stores/postgres/store.ts";
import { createSqliteStore } from "../../server/tasks/stores/sqlite/store.ts";
import { newSearch, newTask, newWorker, settlementOf, startAt } from "../support/builders.ts";
import { takeTestSchema } from "../support/spare-schemas.ts";
import { claimRequest, ok } from "../support/stores.ts";
import { TestClock } from "../support/test-clock.ts";

test("changes of the counts are folded while tasks are stored, by several processes at once, and stay exact", async () => {
  const schema = await takeTestSchema();
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

test("changes of the counts are folded while tasks are deleted", async () => {
  const schema = await takeTestSchema();
  const store = createPostgresStore({ url: schema.url });
  try {
    await store.open();
    const tasks = Array.from({ length: 260 }, () => newTask());
    ok(await store.enqueueTasks(tasks));
    for (const { id } of tasks) ok(await store.cancelTask(id));
    // Neither are so many alone that they would be folded.
    for (const { id } of tasks.slice(0, 130)) ok(await store.deleteTask(id));
    for (let n = 0; n < 130; n += 1) ok(await store.pruneTasks({ status: "CANCELLED", limit: 1 }));
    await store.close();
    const [{ changes }] = (await schema.query(
      "SELECT count(*)::integer AS changes FROM :schema.tally_changes",
    )) as [{ changes: number }];
    expect(changes).toBeLessThan(130);
  } finally {
    await store.close();
    await schema.drop();
  }
});

test("what a copy adds to the counts is folded at once", async () => {
  const schema = await takeTestSchema();
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
  const schema = await takeTestSchema();
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

test("processes that end soon leave few changes of the history, and many are folded in several goes, by those asked for", async () => {
  const schema = await takeTestSchema();
  const stores: TaskStore[] = [];
  const open = async () => {
    const store = createPostgresStore({ url: schema.url });
    stores.push(store);
    await store.open();
    return store;
  };
  const unfolded = async () => {
    const [sums] = await schema.query("SELECT count(*)::integer AS changes FROM :schema.history_changes");
    return sums!.changes;
  };
  try {
    const [workerId, limit] = ["worker-1", 100];
    const first = await open();
    ok(await first.registerWorker(newWorker(workerId)));
    ok(await first.enqueueTasks(Array.from({ length: limit + 2 }, () => newTask())));
    const { claimed } = ok(await first.claimTasks(claimRequest({ workerId, limit: limit + 2 })));
    const settle = async (store: TaskStore, ...ended: ClaimedTask[]) =>
      ok(await store.settleTasks(ended.map((one) => settlementOf(one, "completed", { workerId }))));
    for (let start = 0; start < limit; start += 20) {
      const store = await open();
      for (const one of claimed.slice(start, start + 20)) await settle(store, one);
      await store.close();
    }
    // The fold runs beside the settlements, and may see some of those that follow the first.
    expect(await unfolded(), "the first that a process ends folds").toBeLessThan(20);

    await schema.query(
      `INSERT INTO :schema.history_changes
        SELECT 60000 * (n % 3), lane, 3, 1000, 7, 7, array_fill(7::smallint, '{1000}'), array_fill(7::smallint, '{1000}')
        FROM generate_series(1, 180) AS n, (SELECT lane FROM :schema.lanes LIMIT 1) AS lanes`,
    );
    const asked = { span: "minute", start: 60_000, end: 120_000, limit: 10 } as const;
    const rows = await first.readHistory(asked);
    expect(rows).toMatchObject([{ start: 60_000, completed: 60_000, waits: { counts: { 7: 60_000 } } }]);
    ok(await first.pruneHistory({ span: "minute", before: 0, limit: 1 }));
    expect(await unfolded(), "one statement folds so many attempts").toBeGreaterThan(100);
    const last = await open();
    await settle(last, claimed[limit]!);
    await last.close();
    expect(await unfolded(), "a process goes on until none is left").toBe(0);
    expect(await first.readHistory(asked)).toEqual(rows);

    await schema.query(
      `INSERT INTO :schema.history_changes
        SELECT 0, lane, 3, 20000, 7, 7, '{}', '{}' FROM generate_series(1, 40) AS n, (SELECT lane FROM :schema.lanes LIMIT 1) AS lanes`,
    );
    const busy = await open();
    await settle(busy, claimed[limit + 1]!);
    await busy.close();
    expect(await unfolded(), "within a bound").toBeGreaterThan(0);
  } finally {
    await Promise.all(stores.map((store) => store.close()));
    await schema.drop();
  }
});
