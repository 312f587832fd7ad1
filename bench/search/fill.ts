/**
 * Fills a store with tasks of records.ts and indexes their texts, as a store would have them after a month:
 * node bench/search/fill.ts <path or postgres://…> 1000000 [history|waiting] [--no-texts]
 */
import { parseArgs } from "node:util";
import { searchableText } from "../../server/tasks/core/searchable-text.ts";
import type { TaskStore } from "../../server/tasks/core/store.ts";
import { committed } from "../../server/tasks/core/written.ts";
import { createSystemClock } from "../../server/tasks/runtime/system-clock.ts";
import { type Mix, recordOf, types } from "./records.ts";

const batch = 5_000;
const textBatch = 1_000;

if (process.argv[1] === import.meta.filename) {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { "no-texts": { type: "boolean", default: false } },
  });
  const [database = "", count = "1000000", mix = "history"] = positionals;
  const store = await openStore(database);
  await fillTasks(store, Number(count), mix as Mix);
  if (!values["no-texts"]) await fillTexts(store);
  await store.close();
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

export async function fillTasks(store: TaskStore, count: number, mix: Mix): Promise<void> {
  const now = Date.now();
  committed(await store.saveDefinitions(types.map(definitionOf)), store);
  for (let first = 0; first < count; first += batch) {
    const last = Math.min(first + batch, count);
    const records = Array.from({ length: last - first }, (_, n) => recordOf(first + n, count, now, mix));
    committed(await store.writeRecords(records), store);
    if (first % 100_000 === 0) process.stderr.write(`\r${first} tasks`);
  }
  process.stderr.write("\n");
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

/** Answers how many were indexed a second. */
export async function fillTexts(store: TaskStore): Promise<number> {
  const beganAt = performance.now();
  let indexed = 0;
  for (;;) {
    const unindexed = await store.readUnindexed({ limit: textBatch });
    if (unindexed.length === 0) break;
    const texts = unindexed.map(({ ref, task, attempts }) => ({ ref, text: searchableText(task, attempts) }));
    committed(await store.writeTexts(texts), store);
    indexed += texts.length;
    if (indexed % 50_000 < textBatch) process.stderr.write(`\r${indexed} texts`);
  }
  process.stderr.write("\n");
  return (indexed / (performance.now() - beganAt)) * 1_000;
}
