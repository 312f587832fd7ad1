/** Tasks by how long they ran: the longest first or the shortest, a page at a time, and those that ran longer than a bound. */
import { beforeEach, expect, test } from "vitest";
import type { Condition } from "../../server/tasks/core/filters/condition.ts";
import { sortValueOf } from "../../server/tasks/core/filters/meets.ts";
import type { StoreSearch } from "../../server/tasks/core/store.ts";
import type { Task } from "../../server/tasks/core/task.ts";
import { newSearch, newTask } from "../support/builders.ts";
import { onEachLastingStore } from "../support/stores.ts";

onEachLastingStore("slow tasks", (world) => {
  let all: Task[] = [];

  beforeEach(async () => {
    await world.enqueue(...[1, 2, 3, 4].map(() => newTask({ type: "nightly-report" })));
    // Some of less than a second, some alike, in two types and three statuses; some waiting.
    for (let place = 0; place < 48; place += 1) {
      const type = place % 4 === 0 ? "send-mail" : "resize-image";
      const claimed = await world.running(newTask({ type, payload: { place } }), { types: [type] });
      await world.clock.advance([5, 400, 999, 1_000, 1_001, 2_500, 2_500, 3_700 + place][place % 8]!);
      await world.settle(claimed, (["completed", "failed", "cancelled"] as const)[place % 3]!);
    }
    // Last changed long after they were created.
    await world.clock.advance(2 * 3_600_000);
    for (const claimed of await world.claim({ types: ["nightly-report"], limit: 4 })) {
      await world.clock.advance(1_000);
      await world.settle(claimed, "completed");
    }
    await world.enqueue(newTask(), newTask());
    all = (await world.store.searchTasks(newSearch({ limit: 100, definitions: false }))).tasks;
    expect(all).toHaveLength(54);
  });

  const slowest: StoreSearch = newSearch({
    sortBy: "duration",
    descending: true,
    limit: 5,
    definitions: false,
  });
  const wanted = (fits: (task: Task) => boolean) =>
    all
      .filter((task) => fits(task) && sortValueOf("duration", task) !== undefined)
      .sort((a, b) => sortValueOf("duration", b)! - sortValueOf("duration", a)! || (a.id < b.id ? 1 : -1))
      .map(({ id }) => id);
  const idsOf = (tasks: readonly Task[]) => tasks.map(({ id }) => id);

  test.each(["longest", "shortest"])("the %s first, page by page, forth and back", async (first) => {
    const descending = first === "longest";
    const middle = all[20]!.createdAt.getTime();
    const end = all[5]!.createdAt.getTime();
    const took = (from: number, to: number): Condition => ({
      ...{ kind: "range", field: { of: "task", name: "duration" } },
      ...{ from: { value: from, isIncluded: true }, to: { value: to, isIncluded: false } },
    });
    const within = (instant: Date, from: number, to = Number.POSITIVE_INFINITY) =>
      instant.getTime() >= from && instant.getTime() < to;
    const filters: [Partial<StoreSearch>, (task: Task) => boolean][] = [
      [{}, () => true],
      [{ types: ["send-mail"] }, ({ type }) => type === "send-mail"],
      [{ statuses: ["FAILED", "PENDING"] }, ({ status }) => status === "FAILED"],
      [{ created: { start: middle } }, ({ createdAt }) => within(createdAt, middle)],
      [{ created: { start: middle, end } }, ({ createdAt }) => within(createdAt, middle, end)],
      [{ updated: { start: middle } }, ({ updatedAt }) => within(updatedAt, middle)],
      [{ updated: { start: middle, end } }, ({ updatedAt }) => within(updatedAt, middle, end)],
      [
        { updated: { start: end }, statuses: ["COMPLETED"], where: took(1, 2_000) },
        ({ updatedAt, status, startedAt, completedAt }) =>
          within(updatedAt, end) &&
          status === "COMPLETED" &&
          within(new Date(completedAt!.getTime() - startedAt!.getTime()), 1, 2_000),
      ],
      [{ where: took(400, 1_001) }, (task) => within(new Date(sortValueOf("duration", task)!), 400, 1_001)],
    ];
    for (const [filter, fits] of filters) {
      const expected = wanted(fits);
      if (!descending) expected.reverse();
      const found: string[] = [];
      let after: StoreSearch["after"];
      for (;;) {
        const search = { ...slowest, descending, ...filter, ...(after && { after }) };
        const page = (await world.store.searchTasks(search)).tasks;
        const { after: _after, ...unplaced } = search;
        const whole = (await world.store.searchTasks({ ...unplaced, offset: found.length })).tasks;
        expect(idsOf(page)).toEqual(idsOf(whole));
        if (after) {
          const back = { ...search, after: { ...after, backwards: true } };
          const before = expected.slice(0, found.length - 1).slice(-slowest.limit);
          expect(idsOf((await world.store.searchTasks(back)).tasks).sort()).toEqual([...before].sort());
        }
        if (page.length === 0) break;
        found.push(...idsOf(page));
        const last = page.at(-1)!;
        after = { value: sortValueOf("duration", last)!, id: last.id, backwards: false };
      }
      expect(found).toEqual(expected);
    }
  });

  test("those that ran for longer than a bound, in any order", async () => {
    for (const least of [0, 999, 1_000, 1_001, 2_500, 3_800, 60_000]) {
      const where: Condition = {
        kind: "range",
        field: { of: "task", name: "duration" },
        from: { value: least, isIncluded: true },
      };
      const slow = all.filter((task) => (sortValueOf("duration", task) ?? -1) >= least);
      for (const sortBy of ["createdAt", "updatedAt", "duration"] as const) {
        const { tasks } = await world.store.searchTasks({ ...slowest, where, sortBy, limit: 100 });
        expect(idsOf(tasks).sort()).toEqual(idsOf(slow).sort());
      }
      expect(await world.store.countTasks({ ...slowest, where })).toEqual({
        count: slow.length,
        errorMax: 0,
      });
    }
  });
});
