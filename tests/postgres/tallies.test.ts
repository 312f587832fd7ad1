import { expect, test } from "vitest";
import { createPostgresStore } from "../../server/tasks/stores/postgres/store.ts";
import { newSearch, newTask } from "../support/builders.ts";
import { createTestSchema } from "../support/postgres.ts";

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
