/** By an attribute in another order than that of creation: what many tasks have is met in that order, what few have is gathered and sorted. */
import { beforeAll, expect, test } from "vitest";
import { recordOf } from "../../bench/search/records.ts";
import type { Condition } from "../../server/tasks/core/filters/condition.ts";
import { sortValueOf } from "../../server/tasks/core/filters/meets.ts";
import type { AttributeKey, StoreSearch, TaskRecord } from "../../server/tasks/core/store.ts";
import type { Task } from "../../server/tasks/core/task.ts";
import { compareText } from "../../server/tasks/core/values/compare.ts";
import type { AttributeCondition } from "../../server/tasks/stores/postgres/attributes/attribute-conditions.ts";
import { newSearch, startAt } from "../support/builders.ts";
import { schemaStoreForAll } from "../support/schema-store.ts";
import { pagesOf } from "../support/search-pages.ts";
import { ok } from "../support/stores.ts";

const tasks = 6_000;
/** Of the first alone; more than are sorted sooner. */
const early = 1_200;
const secondMs = 1_000;

const of = schemaStoreForAll(async (store) => {
  const all = Array.from({ length: tasks }, (_, n) => record(n));
  for (let from = 0; from < tasks; from += 1_000) ok(await store.writeRecords(all.slice(from, from + 1_000)));
});
let all: Task[];

beforeAll(async () => {
  all = (await of.store.searchTasks(newSearch({ limit: 2 * tasks }))).tasks;
  expect(all).toHaveLength(tasks);
});

const orders = ["duration", "priority", "startedAt", "dueAt"] as const;
const ways = orders.flatMap((sortBy) => [true, false].map((descending) => ({ sortBy, descending })));

test.each(ways)("what a third has is met in order: %j", async (way) => {
  for (const filter of [{}, { types: ["type-1"] }, { statuses: ["COMPLETED" as const] }]) {
    const search = byAttribute("plan", "team", { ...way, ...filter });
    expect(await of.store.explainSearch(search)).toMatchObject({ source: "walk", isSorted: false });
    const { tasks: page, isPartial } = await of.store.searchTasks({ ...search, offset: 30 });
    expect(isPartial).toBeUndefined();
    expect(page.map(({ id }) => id)).toEqual(wanted(search).slice(30, 80));
  }
  const search = byAttribute("plan", "team", { ...way, types: ["type-1"], limit: 300 });
  expect(await pagesOf({ store: of.store } as never, search)).toEqual(wanted(search));
});

test.each(ways)("what lies behind others is found as well: %j", async (way) => {
  const search = byAttribute("wave", "first", way);
  const { tasks: page, isPartial } = await of.store.searchTasks(search);
  expect(isPartial).toBeUndefined();
  expect(page.map(({ id }) => id)).toEqual(wanted(search).slice(0, 50));
  expect(await pagesOf({ store: of.store } as never, { ...search, limit: 300 })).toEqual(wanted(search));
});

test.each(ways)("what few have is gathered: %j", async (way) => {
  const search = byAttribute("user", 7, way);
  const source = { source: "attributes", isSorted: true };
  expect(await of.store.explainSearch(search)).toMatchObject(source);
  const two: Condition = { kind: "and", parts: [search.where!, is("plan", "team")] };
  expect(await of.store.explainSearch({ ...search, where: two })).toMatchObject(source);
  expect(await pagesOf({ store: of.store } as never, search)).toEqual(wanted(search));
});

function byAttribute(name: string, value: AttributeKey, facts: Partial<StoreSearch>): StoreSearch {
  return newSearch({ limit: 50, ...facts, definitions: false, where: is(name, value) });
}

function is(name: string, value: AttributeKey): Condition {
  return { kind: "equals", field: { of: "attribute", name }, values: [value] };
}

function wanted({ where, sortBy, descending, types, statuses }: StoreSearch): string[] {
  const { field, values } = where as AttributeCondition & { kind: "equals" };
  const sign = descending ? -1 : 1;
  return all
    .filter(({ id }) => attributesOf(placeOf.get(id)!)[field.name] === values[0])
    .filter(({ type, status }) => (types?.includes(type) ?? true) && (statuses?.includes(status) ?? true))
    .map((task) => ({ id: task.id, value: sortValueOf(sortBy, task) }))
    .filter(({ value }) => value !== undefined && value !== null)
    .sort((a, b) => sign * (a.value! - b.value! || compareText(a.id, b.id)))
    .map(({ id }) => id);
}

const placeOf = new Map<string, number>();

function attributesOf(n: number): Record<string, AttributeKey> {
  return {
    plan: n % 3 === 0 ? "team" : "free",
    wave: n < early ? "first" : "later",
    user: n % 40,
  };
}

function record(n: number): TaskRecord {
  const written = recordOf(n, tasks, startAt + 30 * 86_400_000, "history");
  placeOf.set(written.id, n);
  const { createdAt } = written;
  const type = `type-${n % 2}`;
  return {
    ...written,
    type,
    priority: n % 4,
    dueAt: createdAt + (n % 7) * secondMs,
    attributes: attributesOf(n),
  };
}
