/**
 * npm run bench:search: how long searches take, at the median and at the 99th percentile, while a worker runs tasks
 * beside them; and beside each what a bare page takes in the same moments (bare-page.ts).
 *
 *   node bench/search/run.ts --store sqlite,postgres --tasks 10000000 --mix waiting --questions 1000 --only text,offset
 *   node bench/search/run.ts tasks.db 'postgres://…?schema=dure_bench' --calm
 *   node bench/search/run.ts --only attribute --slowest 5
 *   node bench/search/run.ts --peers --tasks 1000000 --seconds 20
 *
 * Without a database it makes what it needs: a file of `--tasks` tasks in bench/.data, kept for later; a PostgreSQL of
 * its own, removed at the end. `--peers` asks Dure and its peers the same instead.
 */
import { parseArgs } from "node:util";
import Table from "cli-table3";
import pc from "picocolors";
import type { TaskSummaryOptions } from "../../server/tasks/core/counts/summary.ts";
import type { TaskSearchOptions } from "../../server/tasks/core/search.ts";
import { seeded } from "../../tests/support/seeded.ts";
import { percentile } from "../support/numbers.ts";
import { knowsLetters, startServer } from "../support/postgres.ts";
import { type BenchDure, createDure } from "../support/product.ts";
import { type BarePage, openBarePage } from "./bare-page.ts";
import { compare } from "./beside.ts";
import { fill, filledFile } from "./fill.ts";
import { type Kind, kindsOf } from "./kinds.ts";
import type { Mix } from "./records.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    tasks: { type: "string", default: "1000000" },
    mix: { type: "string", default: "history" },
    store: { type: "string", default: "sqlite" },
    questions: { type: "string", default: "1000" },
    only: { type: "string" },
    calm: { type: "boolean", default: false },
    "no-texts": { type: "boolean", default: false },
    peers: { type: "boolean", default: false },
    seconds: { type: "string", default: "20" },
    slowest: { type: "string", default: "0" },
  },
});
const tasks = Number(values.tasks.replaceAll("_", ""));
const questions = Number(values.questions);
const only = values.only?.split(",");
const loadType = "bench-load";
const slowest = Number(values.slowest);
const mix = values.mix as Mix;
const hasTexts = !values["no-texts"];
const chosen = kindsOf(mix).filter(
  ({ name, ofTexts }) => (hasTexts || !ofTexts) && (!only || only.some((part) => name.includes(part))),
);
if (values.peers) await compare({ tasks, questionsMax: questions, secondsMax: Number(values.seconds) }, only);
else if (positionals.length > 0) for (const database of positionals) await measure(database);
else for (const store of values.store.split(",")) await measureOwn(store);

async function measureOwn(store: string): Promise<void> {
  if (store !== "sqlite" && store !== "postgres")
    throw new Error("There are these stores: sqlite, postgres.");
  if (store === "sqlite") return measure(await filledFile(tasks, mix, hasTexts));
  const server = await startServer();
  try {
    const url = await server.createDatabase("bench_search", knowsLetters);
    await fill(url, tasks, mix, hasTexts);
    await measure(url);
  } finally {
    await server.remove();
  }
}

async function measure(database: string): Promise<void> {
  const store = database.includes("://") ? "postgres" : "sqlite";
  const dure = createDure({
    ...{ database, retention: false, fullText: hasTexts },
    worker: { concurrency: 10, queues: ["bench"] },
  });
  const total = await dure.countTasks();
  const load = values.calm ? undefined : await startLoad(dure);
  const bare = await openBarePage(database, mix);
  const table = new Table({
    head: ["search", "p50 ms", "p99 ms", "most ms", "asked p50 / p99", "complete", "bare page", "× bare"],
    style: { head: [], border: [], compact: true },
    colAligns: ["left", ...Array.from({ length: 7 }, () => "right" as const)],
  });
  for (const kind of chosen) table.push(await measureKind(dure, kind, store, bare));
  const ran = load && (await load());
  await bare.close();
  await dure.close();
  if (load) await removeLoad(database);
  console.log(
    `\n${store}: ${total.toLocaleString("en")} tasks${ran === undefined ? "" : `; beside them a worker ran ${ran} tasks a second`}`,
  );
  console.log(table.toString());
}

/** The worker's tasks lie newest, in the way of the texts that the next run looks for. */
async function removeLoad(database: string): Promise<void> {
  const types = { [loadType]: { completed: 0, failed: 0, cancelled: 0 } };
  const dure = createDure({
    database,
    retention: { completed: false, failed: false, cancelled: false, types },
  });
  await dure.prune();
  await dure.close();
}

/** A worker in this process runs some two hundred tasks a second; answers what stops it. */
async function startLoad(dure: BenchDure): Promise<() => Promise<number>> {
  const definition = dure.defineTask(loadType, async () => undefined, { queue: "bench" });
  await dure.start();
  const beganAt = performance.now();
  let enqueued = 0;
  const timer = setInterval(() => {
    enqueued += 10;
    void definition.enqueueMany(Array.from({ length: 10 }, () => ({ payload: null })));
  }, 50);
  return async () => {
    clearInterval(timer);
    await dure.stop();
    return Math.round((enqueued / (performance.now() - beganAt)) * 1_000);
  };
}

async function measureKind(
  dure: BenchDure,
  kind: Kind,
  store: "sqlite" | "postgres",
  bare: BarePage,
): Promise<string[]> {
  const random = seeded(1);
  const asked: { ms: number; search: object }[] = [];
  const bareTimes: number[] = [];
  let complete = 0;
  const count = Math.max(10, Math.round(questions * (kind.share ?? 1)));
  for (let n = -5; n < count; n += 1) {
    let search = kind.search(random, Date.now());
    if (kind.ask === "next") {
      const { nextCursor } = await dure.searchTaskPage(search as TaskSearchOptions);
      if (nextCursor) search = { ...search, cursor: nextCursor } as TaskSearchOptions;
    }
    const bareAt = performance.now();
    await bare.read();
    const startedAt = performance.now();
    const isComplete = await ask(dure, kind, search);
    if (n < 0) continue;
    asked.push({ ms: performance.now() - startedAt, search });
    bareTimes.push(startedAt - bareAt);
    if (isComplete) complete += 1;
  }
  printSlowest(kind, asked);
  const times = asked.map(({ ms }) => ms);
  const [asked50, asked99] = kind.targets?.[store] ?? [];
  const [p50, p99, most] = [50, 99, 100].map((percent) => percentile(times, percent)) as [
    number,
    number,
    number,
  ];
  const [bare50, bare99] = [percentile(bareTimes, 50), percentile(bareTimes, 99)];
  return [
    kind.name,
    judged(p50, asked50),
    judged(p99, asked99),
    most.toFixed(1),
    asked99 === undefined ? "" : `${asked50 ?? "–"} / ${asked99}`,
    `${Math.round((complete / count) * 100)} %`,
    `${bare50.toFixed(2)} / ${bare99.toFixed(1)}`,
    (p50 / bare50).toFixed(1),
  ];
}

function printSlowest({ name }: Kind, asked: readonly { ms: number; search: object }[]): void {
  if (slowest === 0) return;
  const first = [...asked].sort((a, b) => b.ms - a.ms).slice(0, slowest);
  console.log(`\n${name}`);
  for (const { ms, search } of first)
    console.log(`${ms.toFixed(1).padStart(8)} ms  ${JSON.stringify(search)}`);
}

async function ask(
  dure: BenchDure,
  kind: Kind,
  search: TaskSearchOptions | TaskSummaryOptions,
): Promise<boolean> {
  if (kind.ask === "summary") return (await dure.summarizeTasks(search as TaskSummaryOptions)) !== undefined;
  if (kind.ask === "count") return (await dure.countTasks(search as TaskSearchOptions)) >= 0;
  return (await dure.searchTaskPage(search as TaskSearchOptions)).complete;
}

function judged(ms: number, asked: number | undefined): string {
  const text = ms.toFixed(2);
  if (asked === undefined) return text;
  return ms <= asked ? pc.green(text) : pc.red(text);
}
