import { expect, test } from "vitest";
import type { SavedSearchContent } from "../../server/tasks/core/store.ts";
import { copyTasks } from "../../server/tasks/runtime/copier.ts";
import { createSqliteStore } from "../../server/tasks/stores/sqlite/store.ts";
import { startAt } from "../support/builders.ts";
import { ok, onEachStore, reasonOf } from "../support/stores.ts";

const stuck: SavedSearchContent = {
  name: "stuck-emails",
  query: "type:send-receipt status:pending created:<10m",
  description: "Receipts that nobody sends",
  alert: { over: 20, for: "5m", enqueue: { type: "nightly-report", payload: { page: "me\u0000\ud800" } } },
};

onEachStore("saved searches", (world) => {
  const save = async (search: SavedSearchContent) => ok(await world.store.saveSearch(search));

  test("a search is kept with all it says, and read by every store on the database", async () => {
    const saved = await save(stuck);
    expect(saved).toEqual({
      ...stuck,
      createdAt: new Date(startAt),
      updatedAt: new Date(startAt),
      revision: 1,
    });
    const other = world.shared ? await world.connect() : world.store;
    expect(await other.listSearches()).toEqual([saved]);
  });

  test("searches are listed by name, in the order of code points", async () => {
    for (const name of ["b", "a", "B", "é", "실패", "a-1", "𐌰"]) await save({ name, query: "status:failed" });
    const names = (await world.store.listSearches()).map(({ name }) => name);
    expect(names).toEqual(["B", "a", "a-1", "b", "é", "실패", "𐌰"]);
  });

  test("a search of the same name takes the place of the first, whose creation it keeps", async () => {
    await save(stuck);
    await world.clock.advance(1_000);
    const saved = await save({ name: stuck.name, query: "status:failed" });
    expect(saved).toEqual({
      ...{ name: stuck.name, query: "status:failed", revision: 2 },
      ...{ createdAt: new Date(startAt), updatedAt: new Date(startAt + 1_000) },
    });
    expect(await world.store.listSearches()).toEqual([saved]);
  });

  test("saved once more as it is, a search is not changed, and its rule goes on", async () => {
    await save(stuck);
    const state = { checkedAt: startAt, count: 21, since: startAt };
    expect(ok(await world.store.writeAlertState({ name: stuck.name, revision: 1, state }))).toBe(2);
    await world.clock.advance(1_000);
    const same = await save(stuck);
    expect(same).toMatchObject({ updatedAt: new Date(startAt), alertState: state, revision: 2 });
    const described = await save({ ...stuck, description: "Call somebody" });
    expect(described).toMatchObject({ updatedAt: new Date(startAt + 1_000), alertState: state, revision: 2 });
  });

  test.each([
    ["query", { query: "status:failed" }],
    ["rule", { alert: { over: 3, enqueue: { type: "nightly-report" } } }],
  ])(
    "another %s lets the rule begin anew, and whoever watched the old one writes no more",
    async (_what, other) => {
      await save(stuck);
      const state = { checkedAt: startAt, since: startAt };
      ok(await world.store.writeAlertState({ name: stuck.name, revision: 1, state }));
      const changed = await save({ ...stuck, ...other });
      expect(changed.alertState).toBeUndefined();
      expect(changed.revision).toBe(3);
      expect(reasonOf(await world.store.writeAlertState({ name: stuck.name, revision: 2, state }))).toBe(
        "changed",
      );
    },
  );

  test("of several that write the state of one revision, one does", async () => {
    await save(stuck);
    const other = world.shared ? await world.connect() : world.store;
    const answers = await Promise.all(
      [0, 1, 2, 3, 4, 5].map((n) =>
        (n % 2 === 0 ? world.store : other).writeAlertState({
          ...{ name: stuck.name, revision: 1 },
          state: { checkedAt: startAt + n },
        }),
      ),
    );
    expect(answers.filter(({ kind }) => kind === "ok")).toHaveLength(1);
    expect(answers.filter((answer) => reasonOf(answer) === "changed")).toHaveLength(5);
    const winner = answers.findIndex(({ kind }) => kind === "ok");
    const [kept] = await world.store.listSearches();
    expect(kept).toMatchObject({ revision: 2, alertState: { checkedAt: startAt + winner } });
  });

  test("a deleted search is gone, and so is the state of its rule", async () => {
    await save(stuck);
    expect(ok(await world.store.deleteSearch(stuck.name))).toBe(true);
    expect(ok(await world.store.deleteSearch(stuck.name))).toBe(false);
    expect(await world.store.listSearches()).toEqual([]);
    const state = { checkedAt: startAt };
    expect(reasonOf(await world.store.writeAlertState({ name: stuck.name, revision: 1, state }))).toBe(
      "changed",
    );
  });

  test("a thousand are kept; one more is refused, and a change of one of them is not", async () => {
    for (let start = 0; start < 1_000; start += 100) {
      await Promise.all(
        Array.from({ length: 100 }, (_, n) => save({ name: `search-${start + n}`, query: "tag:vip" })),
      );
    }
    expect(reasonOf(await world.store.saveSearch(stuck))).toBe("full");
    expect(await save({ name: "search-7", query: "tag:other" })).toMatchObject({ query: "tag:other" });
    expect(await world.store.listSearches()).toHaveLength(1_000);
  });

  test("searches move with the tasks, with how far their alerts have come; what the target has stays", async () => {
    await save(stuck);
    await save({ name: "failed", query: "status:failed" });
    const state = { checkedAt: startAt, count: 21, since: startAt, enqueuedAt: startAt };
    ok(await world.store.writeAlertState({ name: stuck.name, revision: 1, state }));
    ok(await world.store.stopWorker("worker-1"));
    const target = createSqliteStore({ path: ":memory:", clock: world.clock });
    await target.open();
    ok(await target.saveSearch({ name: "failed", query: "status:failed tag:vip" }));
    expect(await copyTasks(await world.owner(), target, "elsewhere")).toMatchObject({ searches: 1 });
    expect(await target.listSearches()).toMatchObject([
      { name: "failed", query: "status:failed tag:vip" },
      { ...stuck, alertState: state },
    ]);
    await target.close();
  });
});
