/**
 * Fills a store with tasks of records.ts and indexes their texts, as a store would have them after a month:
 * node bench/search/fill.ts <path or postgres://…> 1000000 [history|waiting] [--no-texts]
 */
import { existsSync, mkdirSync, renameSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import pg from "pg";
import type { TaskStore, UnindexedTask } from "../../server/tasks/core/store.ts";
import { searchableText } from "../../server/tasks/core/values/searchable-text.ts";
import { committed } from "../../server/tasks/core/written.ts";
import { createSystemClock } from "../../server/tasks/runtime/system-clock.ts";
import { parseLocation } from "../../server/tasks/stores/postgres/connections/location.ts";
import { dataFolder, removeDatabase } from "../support/data.ts";
import { rateSince } from "../support/numbers.ts";
import { type Mix, recordOf, types } from "./records.ts";

const batch = 5_000;
const textBatch = 1_000;

if (process.argv[1] === import.meta.filename) {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { "no-texts": { type: "boolean", default: false } },
  });
  const [database = "", count = "1000000", mix = "history"] = positionals;
  await fill(database, Number(count), mix as Mix, !values["no-texts"]);
}

/** A file of so many tasks in bench/.data: made at the first call, there at the next. */
export async function filledFile(count: number, mix: Mix, hasTexts = true): Promise<string> {
  const path = join(dataFolder, `search-${mix}-${count}${hasTexts ? "" : "-no-texts"}.db`);
  if (existsSync(path)) return path;
  mkdirSync(dataFolder, { recursive: true });
  removeDatabase(`${path}.part`);
  await fill(`${path}.part`, count, mix, hasTexts);
  renameSync(`${path}.part`, path);
  return path;
}

/** Says how fast it went. On PostgreSQL it leaves statistics as the server's own vacuum would. */
export async function fill(database: string, count: number, mix: Mix, hasTexts: boolean): Promise<void> {
  const store = await openStore(database);
  const rate = await fillTasks(store, count, mix);
  console.log(`${shown(count)} tasks were written at ${shown(rate)} a second.`);
  if (hasTexts) console.log(`Their texts were indexed at ${shown(await fillTexts(store))} a second.`);
  await store.close();
  if (database.includes("://")) await vacuum(database);
}

async function vacuum(url: string): Promise<void> {
  const client = new pg.Client({ connectionString: parseLocation(url).connectionStrings[0]! });
  await client.connect();
  await client.query("VACUUM (ANALYZE)");
  await client.end();
}

function shown(count: number): string {
  return Math.round(count).toLocaleString("en");
}

export async function openStore(database: string): Promise<TaskStore> {
  const clock = createSystemClock();
  const store = database.includes("://")
    ? (await import("../../server/tasks/stores/postgres/store.ts")).createPostgresStore({
        url: database,
        clock,
      })
    : (await import("../../server/tasks/stores/sqlite/store.ts")).createSqliteStore({
        path: database,
        durability: "normal",
        clock,
      });
  await store.open();
  return store;
}

/** Answers how many were written a second. */
export async function fillTasks(store: TaskStore, count: number, mix: Mix): Promise<number> {
  const now = Date.now();
  const beganAt = performance.now();
  committed(await store.saveDefinitions(types.map(definitionOf)), store);
  let next = 0;
  const write = async () => {
    while (next < count) {
      const first = next;
      next = Math.min(first + batch, count);
      const records = Array.from({ length: next - first }, (_, n) => recordOf(first + n, count, now, mix));
      committed(await store.writeRecords(records), store);
      if (first % 100_000 === 0) process.stderr.write(`\r${first} tasks`);
    }
  };
  // One makes the next batch while the other's is written.
  await Promise.all([write(), write()]);
  process.stderr.write("\n");
  return rateSince(count, beganAt);
}

function definitionOf(id: string) {
  return {
    id,
    maxAttempts: 3,
    queue: "default",
    priority: 0,
    timeoutMs: null,
    tags: [],
    rerunAfterCrash: true,
    attributes: ["userId", "plan"],
  };
}

/** Answers how many were indexed a second. The next are read while the last are written, as the indexer does. */
export async function fillTexts(store: TaskStore, msMax = Number.POSITIVE_INFINITY): Promise<number> {
  const beganAt = performance.now();
  let indexed = 0;
  let read = await readTexts(store);
  while (read.texts.length > 0) {
    const goesOn = performance.now() - beganAt < msMax;
    const [written, next] = await Promise.all([
      store.writeTexts(read.texts, { isAlone: true }),
      goesOn ? readTexts(store, read.last) : { texts: [], last: undefined },
    ]);
    committed(written, store);
    indexed += read.texts.length;
    if (indexed % 50_000 < textBatch) process.stderr.write(`\r${indexed} texts`);
    // Nothing comes after what was read last, while it is written; something may have been left.
    read = next.texts.length === 0 && goesOn ? await readTexts(store) : next;
  }
  process.stderr.write("\n");
  return rateSince(indexed, beganAt);
}

async function readTexts(store: TaskStore, after?: UnindexedTask) {
  const unindexed = await store.readUnindexed({ limit: textBatch, ...(after && { after }) });
  const texts = unindexed.map(({ ref, task, attempts, json }) => ({
    ref,
    text: searchableText(task, attempts, json),
  }));
  return { texts, last: unindexed.at(-1) };
}
