/**
 * How long searches take on a PostgreSQL that fill.ts filled, through the store, one after another:
 * node bench/postgres/search.ts 'postgres://user@host/db?schema=dure_bench' 1000
 */
import type { StoreSearch, TaskStore } from "../../server/tasks/core/store.ts";
import type { TaskStatusName } from "../../server/tasks/core/task.ts";
import { createPostgresStore } from "../../server/tasks/stores/postgres/store.ts";

const dayMs = 86_400_000;
const statuses: TaskStatusName[] = ["PENDING", "RUNNING", "COMPLETED", "FAILED", "CANCELLED"];
const pick = <Value>(values: readonly Value[]): Value => values[Math.floor(Math.random() * values.length)]!;

/** A random one of the searches that the options allow. */
function randomSearch(now: number): StoreSearch {
  const within = (days: number) => {
    const start = now - Math.floor(Math.random() * days * dayMs);
    return pick([{ start }, { start, end: start + dayMs }, { end: start }]);
  };
  const search: StoreSearch = {
    sortBy: pick(["createdAt", "updatedAt", "id"]),
    descending: pick([true, true, false]),
    limit: 50,
    offset: 0,
    definitions: true,
  };
  const types = pick([undefined, [randomType()], [randomType(), randomType(), randomType()]]);
  const status = pick([undefined, [pick(statuses)], ["FAILED", "CANCELLED"] as TaskStatusName[]]);
  const queues = pick([undefined, undefined, ["mail"], ["default"]]);
  const created = pick([undefined, undefined, within(30)]);
  const updated = pick([undefined, undefined, undefined, within(30)]);
  if (types) search.types = types;
  if (status) search.statuses = status;
  if (queues) search.queues = queues;
  if (created) search.created = created;
  if (updated) search.updated = updated;
  return search;
}

function randomType(): string {
  return `type-${Math.floor(Math.random() * 20)}`;
}

interface Figures {
  kind: string;
  p50: number;
  p99: number;
  max: number;
}

async function measure(
  kind: string,
  count: number,
  makeSearch: () => StoreSearch | Promise<StoreSearch>,
  ask: (search: StoreSearch) => Promise<unknown>,
): Promise<Figures> {
  const took: { ms: number; search: StoreSearch }[] = [];
  for (let n = 0; n < count; n += 1) {
    const search = await makeSearch();
    const startedAt = performance.now();
    await ask(search);
    took.push({ ms: performance.now() - startedAt, search });
  }
  took.sort((a, b) => a.ms - b.ms);
  if (process.env.SLOWEST)
    for (const { ms, search } of took.slice(-Number(process.env.SLOWEST)))
      console.error(kind, ms.toFixed(1), JSON.stringify(search));
  const at = (share: number) => Number(took[Math.min(count - 1, Math.floor(count * share))]!.ms.toFixed(2));
  return { kind, p50: at(0.5), p99: at(0.99), max: at(1) };
}

/** A search that goes on after the last task of the one before. */
async function nextPage(store: TaskStore, search: StoreSearch): Promise<StoreSearch> {
  const last = (await store.searchTasks({ ...search, definitions: false })).at(-1);
  if (!last) return search;
  const value = search.sortBy === "id" ? null : last[search.sortBy].getTime();
  return { ...search, after: { value, id: last.id, backwards: pick([true, false]) } };
}

const store = createPostgresStore({ url: process.argv[2]! });
const count = Number(process.argv[3] ?? 1000);
await store.open();
const now = Date.now();
const newest: StoreSearch = {
  sortBy: "createdAt",
  descending: true,
  limit: 50,
  offset: 0,
  definitions: true,
};
const find = (search: StoreSearch) => store.searchTasks(search);
for (let n = 0; n < 50; n += 1) await find(randomSearch(now));
const figures = [
  await measure("newest 50 of all", count, () => newest, find),
  await measure("newest 50 failed", count, () => ({ ...newest, statuses: ["FAILED"] }), find),
  await measure("newest 50 of a type", count, () => ({ ...newest, types: [randomType()] }), find),
  await measure("any combination", count, () => randomSearch(now), find),
  await measure("page after or before", count / 4, () => nextPage(store, randomSearch(now)), find),
  await measure(
    "offset 100,000, unfiltered",
    count / 10,
    () => ({ ...newest, sortBy: pick(["createdAt", "id", "updatedAt"]), offset: 100_000 }),
    find,
  ),
  await measure(
    "offset 100,000, any combination",
    count / 10,
    () => ({ ...randomSearch(now), offset: 100_000 }),
    find,
  ),
  await measure(
    "count by type, queue, status",
    count,
    () => ({ ...newest, types: [randomType()], statuses: [pick(statuses)] }),
    (search) => store.countTasks(search),
  ),
  await measure(
    "count, any combination",
    count / 10,
    () => randomSearch(now),
    (search) => store.countTasks(search),
  ),
];
console.table(figures);
await store.close();
