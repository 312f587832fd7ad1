/**
 * One table for all tasks, or a hot one and a history partitioned by time? Measures on a PostgreSQL of its own what a
 * task costs on each, with many finished ones beside it: enqueued by arrays, claimed and settled by 500. Counts
 * processor time of the server's process and bytes of its log (WAL), which other programs on the machine don't change.
 *
 *   node bench/postgres/layouts.ts                               a million finished tasks, some minutes
 *   node bench/postgres/layouts.ts --finished 200000 --layouts one70,one,one100
 *   node bench/postgres/layouts.ts --layouts one --vacuum-every 2000
 *   node bench/postgres/layouts.ts --payload 8000
 */
import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import Table from "cli-table3";
import pg from "pg";
import { median } from "../support/numbers.ts";
import { startServer } from "../support/postgres.ts";
import { taskIds } from "../support/sample.ts";
import { claimFrom, insertInto, type Layout, moved, oneTable } from "./layouts/layouts.ts";

const { values } = parseArgs({
  options: {
    finished: { type: "string", default: "1000000" },
    tasks: { type: "string", default: "20000" },
    rounds: { type: "string", default: "5" },
    days: { type: "string", default: "30" },
    layouts: { type: "string", default: "one,moved" },
    payload: { type: "string", default: "100" },
    "vacuum-every": { type: "string", default: "20000" },
  },
});
const finished = Number(values.finished);
const tasks = Number(values.tasks);
const days = Number(values.days);
const vacuumEvery = Number(values["vacuum-every"]);
/** Bytes that don't compress. */
const payload = JSON.stringify(randomBytes(Math.ceil((Number(values.payload) * 3) / 4)).toString("base64"));
const batch = 500;
const dayMs = 86_400_000;
const newId = taskIds();

/** Processor milliseconds for 100,000 tasks, and bytes for one; the rest as named. */
type Figures = Record<string, number>;

const server = await startServer();
const client = new pg.Client({ connectionString: server.url() });
await client.connect();
try {
  const pid: number = (await client.query("SELECT pg_backend_pid() AS pid")).rows[0].pid;
  const results = await measure(values.layouts.split(",").map(layoutNamed), pid);
  print(results);
} finally {
  await client.end();
  await server.remove();
}

function layoutNamed(name: string): Layout {
  if (name === "moved") return moved;
  const [, fillfactor] = /^one(\d+)?$/.exec(name) ?? [];
  if (!name.startsWith("one"))
    throw new Error(`No layout "${name}"; there are one, one70 (any fillfactor) and moved.`);
  return oneTable(Number(fillfactor ?? 85));
}

/** The layouts take turns, so that a drift of the machine meets all. */
async function measure(layouts: Layout[], pid: number): Promise<Map<string, Figures>> {
  const now = Date.now();
  for (const layout of layouts) await make(layout, now);
  const rounds = new Map<string, Figures[]>(layouts.map(({ name }) => [name, []]));
  for (let round = 0; round < Number(values.rounds); round += 1) {
    for (const layout of layouts) rounds.get(layout.name)!.push(await live(layout, pid));
    process.stderr.write(`round ${round + 1} of ${values.rounds}\n`);
  }
  const results = new Map<string, Figures>();
  for (const layout of layouts) {
    const all = rounds.get(layout.name)!;
    const middle = Object.fromEntries(
      Object.keys(all[0]!).map((key) => [key, median(all.map((one) => one[key]!))]),
    );
    results.set(layout.name, { ...middle, ...(await reads(layout)), ...(await retention(layout, pid, now)) });
  }
  return results;
}

async function make(layout: Layout, now: number): Promise<void> {
  for (const text of layout.create(days, now)) await client.query(text);
  for (let first = 1; first <= finished; first += 100_000)
    await client.query(layout.fill, [first, Math.min(first + 99_999, finished), finished, now, days]);
  await client.query("VACUUM (ANALYZE)");
  process.stderr.write(`${layout.name}: filled\n`);
}

/** One round of lives; vacuum runs by hand each so many tasks, since the server's own would fall on any layout. */
async function live(layout: Layout, pid: number): Promise<Figures> {
  const hot = layout.hot;
  const spent = { enqueue: 0, claim: 0, settle: 0, vacuum: 0 };
  const bytesBefore = await sizeOf(layout);
  const walBefore = await wal();
  const timed = async (kind: keyof typeof spent, name: string, text: string, given?: unknown[]) => {
    const before = processMs(pid);
    const { rows } = await client.query({ text, values: given, ...(given && { name }) });
    spent[kind] += processMs(pid) - before;
    return rows;
  };
  for (let n = 0; n < tasks; n += 1_000) {
    const ids = Array.from({ length: 1_000 }, newId);
    await timed("enqueue", `insert-${hot}`, insertInto(hot), [ids, Date.now(), payload]);
  }
  for (let n = 0; n < tasks; n += batch) {
    const rows = await timed("claim", `claim-${hot}`, claimFrom(hot), [Date.now(), batch]);
    if (rows.length !== batch)
      throw new Error(`${layout.name} claimed ${rows.length} tasks instead of ${batch}.`);
    const places = rows.map((row) => row.ctid);
    await timed("settle", `settle-${hot}`, layout.settle, [places, Date.now()]);
    if ((n + batch) % vacuumEvery === 0) await timed("vacuum", "", `VACUUM ${hot}`);
  }
  const perTask = (await wal()) - walBefore;
  const scale = 100_000 / tasks;
  return {
    "enqueue ms": spent.enqueue * scale,
    "claim ms": spent.claim * scale,
    "settle ms": spent.settle * scale,
    "vacuum ms": spent.vacuum * scale,
    "all ms": (spent.enqueue + spent.claim + spent.settle + spent.vacuum) * scale,
    "log bytes a task": perTask / tasks,
    "growth bytes a task": ((await sizeOf(layout)) - bytesBefore) / tasks,
  };
}

async function reads(layout: Layout): Promise<Figures> {
  await client.query("VACUUM (ANALYZE)");
  const page = await explained(layout.page);
  const byId = await explained(
    layout.byId.replaceAll("$1", `'h${String(Math.ceil(finished / 2)).padStart(25, "0")}'`),
  );
  return {
    "page buffers": page.buffers,
    "page: plan ms": page.planMs,
    "page: run ms": page.runMs,
    "by id buffers": byId.buffers,
    "by id: plan ms": byId.planMs,
    "by id: run ms": byId.runMs,
  };
}

/** The medians of nine. A search is planned anew each time, since every one is another. */
async function explained(text: string): Promise<{ buffers: number; planMs: number; runMs: number }> {
  const buffers: number[] = [];
  const planMs: number[] = [];
  const runMs: number[] = [];
  for (let n = 0; n < 9; n += 1) {
    const { rows } = await client.query(`EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) ${text}`);
    const [{ Plan: plan, "Planning Time": planning, "Execution Time": execution }] = rows[0]["QUERY PLAN"];
    buffers.push(plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]);
    planMs.push(planning);
    runMs.push(execution);
  }
  return { buffers: median(buffers), planMs: median(planMs), runMs: median(runMs) };
}

/** The oldest day goes: in batches and vacuumed, or as a partition. */
async function retention(layout: Layout, pid: number, now: number): Promise<Figures> {
  const before = processMs(pid);
  const walBefore = await wal();
  if (layout.dropOldest) await client.query(layout.dropOldest);
  else {
    for (let lane = 1; lane <= 4; lane += 1)
      for (const status of [3, 4]) await prune(layout, [now - (days - 1) * dayMs, 1_000, lane, status]);
    await client.query(`VACUUM ${layout.hot}`);
  }
  const removed = finished / days;
  return {
    "retention ms": ((processMs(pid) - before) * 100_000) / removed,
    "retention log bytes": ((await wal()) - walBefore) / removed,
  };
}

async function prune(layout: Layout, given: unknown[]): Promise<void> {
  for (;;) {
    const { rowCount } = await client.query({
      name: `prune-${layout.name}`,
      text: layout.prune!,
      values: given,
    });
    if ((rowCount ?? 0) < 1_000) return;
  }
}

/** Tables, indexes and values that lie apart, partitions too. */
async function sizeOf({ name }: Layout): Promise<number> {
  const sum =
    "SELECT sum(pg_total_relation_size(oid)) AS size FROM pg_class WHERE relkind = 'r' AND relname LIKE $1";
  return Number((await client.query(sum, [`${name}\\_%`])).rows[0].size);
}

async function wal(): Promise<number> {
  return Number((await client.query("SELECT pg_current_wal_insert_lsn() - '0/0' AS bytes")).rows[0].bytes);
}

function processMs(pid: number): number {
  return Number(readFileSync(`/proc/${pid}/schedstat`, "utf8").split(" ")[0]) / 1e6;
}

function print(results: Map<string, Figures>): void {
  const names = [...results.keys()];
  const table = new Table({ head: [`per 100,000 tasks, ${finished} finished`, ...names] });
  for (const key of Object.keys(results.get(names[0]!)!))
    table.push([key, ...names.map((name) => results.get(name)![key]!.toFixed(key.includes(": ") ? 2 : 1))]);
  console.log(table.toString());
}
