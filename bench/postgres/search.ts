/**
 * How long searches take on a PostgreSQL that fill.ts filled, through the store, one after another:
 * node bench/postgres/search.ts 'postgres://user@host/db?schema=dure_bench' 1000
 */
import { readFileSync } from "node:fs";
import pg from "pg";
import { sortValueOf } from "../../server/tasks/core/filters/meets.ts";
import type { StoreSearch, TaskStore } from "../../server/tasks/core/store.ts";
import type { TaskStatusName } from "../../server/tasks/core/task.ts";
import { parseLocation } from "../../server/tasks/stores/postgres/connections/location.ts";
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

/** Milliseconds: by the clock, and of processors in use by client and server, which other programs' load hardly changes. */
interface Figures {
  kind: string;
  p50: number;
  p99: number;
  cpu50: number;
  cpu99: number;
}

/** Processor time of this process, and of the server's processes that work for us where they are on this machine. */
function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1_000 + backends.map(backendMs).reduce((sum, ms) => sum + ms, 0);
}

function backendMs(pid: number): number {
  try {
    return Number(readFileSync(`/proc/${pid}/schedstat`, "utf8").split(" ")[0]) / 1e6;
  } catch {
    return 0;
  }
}

async function measure(
  kind: string,
  count: number,
  makeSearch: () => StoreSearch | Promise<StoreSearch>,
  ask: (search: StoreSearch) => Promise<unknown>,
): Promise<Figures> {
  const clock: number[] = [];
  const cpu: number[] = [];
  for (let n = 0; n < count; n += 1) {
    const search = await makeSearch();
    const usedBefore = cpuMs();
    const startedAt = performance.now();
    await ask(search);
    clock.push(performance.now() - startedAt);
    cpu.push(cpuMs() - usedBefore);
    if (cpu.at(-1)! > slowMs)
      process.stderr.write(`${kind}: ${cpu.at(-1)!.toFixed(1)} ms ${JSON.stringify(search)}\n`);
  }
  return {
    kind,
    p50: share(clock, 0.5),
    p99: share(clock, 0.99),
    cpu50: share(cpu, 0.5),
    cpu99: share(cpu, 0.99),
  };
}

function share(values: number[], part: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return Number(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))]!.toFixed(2));
}

/** A search that goes on after the last task of the one before. */
async function nextPage(store: TaskStore, search: StoreSearch): Promise<StoreSearch> {
  const last = (await store.searchTasks({ ...search, definitions: false })).tasks.at(-1);
  if (!last) return search;
  const value = sortValueOf(search.sortBy, last) ?? null;
  return { ...search, after: { value, id: last.id, backwards: pick([true, false]) } };
}

// Searches that take more processor time are shown.
const slowMs = Number(process.argv[4] ?? Number.POSITIVE_INFINITY);
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
const admin = new pg.Client({ connectionString: parseLocation(process.argv[2]!).connectionStrings[0]! });
await admin.connect();
const { rows } = await admin.query("SELECT pid FROM pg_stat_activity WHERE application_name = 'dure'");
await admin.end();
const backends = rows.map(({ pid }) => pid as number);
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
