/** Of what waits and is due within a range, the newest: more than are sorted are found in the list of all tasks, and behind it. */
import { beforeAll, expect, test } from "vitest";
import { recordOf } from "../../bench/search/records.ts";
import { createIds } from "../../server/tasks/core/ids.ts";
import type { StoreSearch, TaskRecord } from "../../server/tasks/core/store.ts";
import type { Task } from "../../server/tasks/core/task.ts";
import { newSearch, startAt } from "../support/builders.ts";
import { schemaStoreForAll } from "../support/schema-store.ts";
import { pagesOf } from "../support/search-pages.ts";
import { ok } from "../support/stores.ts";

const tasks = 11_000;
const [everyMs, dayMs] = [1_000, 86_400_000];
const endAt = startAt + tasks * everyMs;

const of = schemaStoreForAll(async (store) => {
  const all = records();
  for (let from = 0; from < tasks; from += 1_000) ok(await store.writeRecords(all.slice(from, from + 1_000)));
});
let all: Task[];

beforeAll(async () => {
  all = (await of.store.searchTasks(newSearch({ limit: 2 * tasks }))).tasks;
  expect(all).toHaveLength(tasks);
});

/** One of two of the first 5,000 is due at some time of the day ten days later, and one of forty of the others; one of nine is due in a minute. */
function records(): TaskRecord[] {
  let at = startAt;
  const ids = createIds(
    () => at,
    (count) => crypto.getRandomValues(new Uint8Array(count)),
  );
  return Array.from({ length: tasks }, (_, n) => {
    at += everyMs;
    const isLater = n < 5_000 ? n % 2 === 0 : n % 40 === 0;
    const delay = isLater ? 10 * dayMs + ((7_919 * n) % dayMs) : n % 9 === 0 ? 60_000 : 0;
    const {
      completedAt: _completedAt,
      startedAt: _startedAt,
      ...record
    } = recordOf(n, tasks, startAt, "waiting");
    return {
      ...record,
      ...{ id: ids.taskId(), ownId: false, queue: "default", type: `type-${n % 3}`, status: "PENDING" },
      ...{ createdAt: at, updatedAt: at, dueAt: at + delay, attempts: 0, version: 1, history: [] },
    };
  });
}

const ranges: [from: number, to: number][] = [
  [startAt + 10 * dayMs, startAt + 11 * dayMs + dayMs / 2],
  [startAt + 10.2 * dayMs, startAt + 10.3 * dayMs],
  [startAt + 2_000 * everyMs, startAt + 2_400 * everyMs],
  [endAt - 100 * everyMs, startAt + 11 * dayMs],
];

test.each<Partial<StoreSearch>>([
  {},
  { types: ["type-1", "type-2"] },
  { created: { start: startAt + 3_000 * everyMs, end: endAt - 500 * everyMs } },
  { updated: { end: endAt - 4_000 * everyMs } },
])("%j", async (filter) => {
  for (const [from, to] of ranges) {
    const search = newSearch({
      ...{ ...filter, statuses: ["PENDING"], limit: 400 },
      where: {
        kind: "range",
        field: { of: "task", name: "dueAt" },
        from: { value: from, isIncluded: true },
        to: { value: to, isIncluded: false },
      },
    });
    const within = (range: StoreSearch["created"], time: Date) =>
      time.getTime() >= (range?.start ?? 0) && time.getTime() < (range?.end ?? Number.POSITIVE_INFINITY);
    const wanted = all
      .filter(({ dueAt }) => within({ start: from, end: to }, dueAt!))
      .filter(({ type }) => filter.types?.includes(type) ?? true)
      .filter(({ createdAt }) => within(filter.created, createdAt))
      .filter(({ updatedAt }) => within(filter.updated, updatedAt))
      .map(({ id }) => id);
    expect(await pagesOf({ store: of.store } as never, search)).toEqual(wanted);
    const { tasks: page } = await of.store.searchTasks({ ...search, offset: 70, limit: 20 });
    expect(page.map(({ id }) => id)).toEqual(wanted.slice(70, 90));
    const { count } = await of.store.countTasks(search);
    expect(count).toBe(wanted.length);
  }
});
