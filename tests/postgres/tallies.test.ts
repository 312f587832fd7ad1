import { expect, test } from "vitest";
import { copyTasks } from "../../server/tasks/runtime/copier.ts";
import { createPostgresStore } from "../../server/tasks/stores/postgres/store.ts";
import { createSqliteStore } from "../../server/tasks/stores/sqlite/store.ts";
import { newSearch, newTask, startAt } from "../support/builders.ts";
import { createTestSchema } from "../support/postgres.ts";
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
