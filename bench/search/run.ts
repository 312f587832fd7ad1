/**
 * npm run bench:search: how long searches take, at the median and at the 99th percentile, on stores that fill.ts filled,
 * while a worker runs tasks beside them.
 *
 *   node bench/search/run.ts tasks.db 'postgres://…?schema=dure_bench' --questions 1000 --only text,offset --calm
 *
 * Without a database it makes a file of `--tasks` tasks (a million unless told) in bench/.data and keeps it for later.
 */
import { existsSync, mkdirSync, renameSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import Table from "cli-table3";
import pc from "picocolors";
import type { TaskSearchOptions } from "../../server/tasks/core/search.ts";
import type { TaskSummaryOptions } from "../../server/tasks/core/summary.ts";
import { dataFolder } from "../support/data.ts";
import { percentile } from "../support/numbers.ts";
import { type BenchDure, createDure } from "../support/product.ts";
import { fillTasks, fillTexts, openStore } from "./fill.ts";
import { type Kind, kinds } from "./kinds.ts";
import { type Mix, seeded } from "./records.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    tasks: { type: "string", default: "1000000" },
    mix: { type: "string", default: "history" },
    questions: { type: "string", default: "1000" },
    only: { type: "string" },
    calm: { type: "boolean", default: false },
  },
});
const questions = Number(values.questions);
const only = values.only?.split(",");
const chosen = kinds.filter(({ name }) => !only || only.some((part) => name.includes(part)));
const databases =
  positionals.length > 0 ? positionals : [await ownFile(Number(values.tasks), values.mix as Mix)];
for (const database of databases) await measure(database);

async function ownFile(tasks: number, mix: Mix): Promise<string> {
  const path = join(dataFolder, `search-${mix}-${tasks}.db`);
  if (existsSync(path)) return path;
  mkdirSync(dataFolder, { recursive: true });
  const store = await openStore(`${path}.part`);
  await fillTasks(store, tasks, mix);
  const rate = await fillTexts(store);
  await store.close();
  renameSync(`${path}.part`, path);
  console.log(`Texts were indexed at ${Math.round(rate).toLocaleString("en")} tasks a second.`);
  return path;
}

async function measure(database: string): Promise<void> {
  const store = database.includes("://") ? "postgres" : "sqlite";
  const dure = createDure({ database, retention: false, worker: { concurrency: 10, queues: ["bench"] } });
  const total = await dure.countTasks();
  const load = values.calm ? undefined : await startLoad(dure);
  const table = new Table({
    head: ["search", "p50 ms", "p99 ms", "most ms", "asked p50 / p99", "complete"],
    style: { head: [] },
    colAligns: ["left", "right", "right", "right", "right", "right"],
  });
  for (const kind of chosen) table.push(await measureKind(dure, kind, store));
  const ran = load && (await load());
  await dure.close();
  console.log(
    `\n${store}: ${total.toLocaleString("en")} tasks${ran === undefined ? "" : `; beside them a worker ran ${ran} tasks a second`}`,
  );
  console.log(table.toString());
}

/** A worker in this process runs some two hundred tasks a second; answers what stops it. */
async function startLoad(dure: BenchDure): Promise<() => Promise<number>> {
  const definition = dure.defineTask("bench-load", async () => undefined, { queue: "bench" });
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

async function measureKind(dure: BenchDure, kind: Kind, store: "sqlite" | "postgres"): Promise<string[]> {
  const random = seeded(1);
  const times: number[] = [];
  let complete = 0;
  const count = Math.max(10, Math.round(questions * (kind.share ?? 1)));
  for (let n = -5; n < count; n += 1) {
    let search = kind.search(random, Date.now());
    if (kind.ask === "next") {
      const { nextCursor } = await dure.searchTaskPage(search as TaskSearchOptions);
      if (nextCursor) search = { ...search, cursor: nextCursor } as TaskSearchOptions;
    }
    const startedAt = performance.now();
    const isComplete = await ask(dure, kind, search);
    if (n < 0) continue;
    times.push(performance.now() - startedAt);
    if (isComplete) complete += 1;
  }
  const [asked50, asked99] = kind.targets?.[store] ?? [];
  const [p50, p99, most] = [50, 99, 100].map((percent) => percentile(times, percent)) as [
    number,
    number,
    number,
  ];
  return [
    kind.name,
    judged(p50, asked50),
    judged(p99, asked99),
    most.toFixed(1),
    asked99 === undefined ? "" : `${asked50 ?? "–"} / ${asked99}`,
    `${Math.round((complete / count) * 100)} %`,
  ];
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
