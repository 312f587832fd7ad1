/** Wherever a page by duration ends at its budget, the next one goes on: between brief tasks and others nothing is left out. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test, vi } from "vitest";
import type { StoreSearch, TaskRecord } from "../../../server/tasks/core/store.ts";
import { Connection } from "../../../server/tasks/stores/sqlite/connection.ts";
import { searchTasks } from "../../../server/tasks/stores/sqlite/search/search-walk.ts";
import { createSqliteStore } from "../../../server/tasks/stores/sqlite/store.ts";
import { newSearch, newTask, newTasks, startAt } from "../../support/builders.ts";
import { ok, World } from "../../support/stores.ts";
import type { TestClock } from "../../support/test-clock.ts";

const hourMs = 3_600_000;
const [start, end] = [startAt + 3 * hourMs, startAt + 4 * hourMs];

afterEach(() => vi.restoreAllMocks());

test("where brief tasks lie outside the range, those that took a little more or less are found", async () => {
  const folder = mkdtempSync(join(tmpdir(), "dure-duration-stops-"));
  const path = join(folder, "tasks.db");
  const database = async () => ({
    connect: (clock: TestClock) => createSqliteStore({ path, clock }),
    remove: async () => rmSync(folder, { recursive: true }),
  });
  const world = new World({ name: "SQLite on disk", shared: true, holdsClaims: true, database });
  await world.open();
  ok(await world.store.writeRecords(await records(world)));
  const reader = new Connection({ path, durability: "full", role: "reader" });
  for (const descending of [false, true]) {
    const search = newSearch({ sortBy: "duration", descending, limit: 10, updated: { start, end } });
    const wanted = pagesOf(reader, search, Number.POSITIVE_INFINITY);
    expect(wanted).toHaveLength(66);
    for (let looks = 1; looks < 40; looks += 1)
      expect(pagesOf(reader, search, looks), `${descending} ${looks}`).toEqual(wanted);
  }
  reader.close();
  await world.close();
});

/** Each page ends where the clock is looked at for so many times. */
function pagesOf(reader: Connection, search: StoreSearch, looks: number): string[] {
  const found: string[] = [];
  let more = looks;
  for (let after: StoreSearch["after"]; ; ) {
    let left = more;
    const clock = vi.spyOn(performance, "now").mockImplementation(() => (left-- > 0 ? 0 : 1_000));
    const asked: StoreSearch = { ...search, ...(after && { after }), budgetMs: 1 };
    const { tasks, stoppedAt } = reader.snapshot(() => searchTasks(reader, asked));
    clock.mockRestore();
    found.push(...tasks.rows.map((row) => row[1]));
    const last = tasks.rows.at(-1);
    const isFull = tasks.rows.length === search.limit && last;
    const place = stoppedAt ?? (isFull ? { value: last[9]! - last[8]!, id: last[1] } : undefined);
    if (!place) return found;
    more = place.value === after?.value && place.id === after?.id ? more + 1 : looks;
    after = { ...place, backwards: false };
  }
}

/** Many in the range, some that were changed in it late, or have ids of their own; and brief ones of other types outside it. */
async function records(world: World): Promise<TaskRecord[]> {
  await world.settle(await world.running(newTask()), "completed");
  const { id: _id, history: _history, ...sample } = (await world.store.readRecords({ limit: 1 }))[0]!;
  const taken = (count: number, createdAt: number, startedAt: number, tookMs: number) =>
    newTasks(count, { createdAt }).map(({ id }): TaskRecord => {
      const completedAt = startedAt + tookMs;
      const times = { createdAt, dueAt: createdAt, startedAt, completedAt };
      const updatedAt = Math.max(createdAt, completedAt);
      return { ...sample, ...times, id, updatedAt, history: [] };
    });
  const outside = [startAt, end + 2 * hourMs].flatMap((at) =>
    [0, 63].flatMap((tookMs) =>
      taken(5, at, at, tookMs).map((task) => ({ ...task, type: `type-${tookMs}-${at}` })),
    ),
  );
  const late = [-1, 64].flatMap((tookMs) => taken(2, startAt, start + 60_000, tookMs));
  const own = [-1, 64].flatMap((tookMs) =>
    taken(1, start + 2_000, start + 2_000, tookMs).map((task) => {
      return { ...task, id: `order-${tookMs}`, ownId: true };
    }),
  );
  return [...taken(60, start + 1_000, start + 1_000, 20), ...outside, ...late, ...own];
}
