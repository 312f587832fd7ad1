/**
 * Which layout of the tasks table to choose? Measures inserting, claiming and settling on several, each with an empty
 * file and with many finished tasks in it. Bare `node:sqlite`, synchronous=FULL, one connection.
 *
 *   node bench/layouts.ts                              200,000 finished tasks, about a minute
 *   node bench/layouts.ts --finished 10000000          the run behind docs/design/storage.md; some 6 GB per layout
 *   node bench/layouts.ts --layouts partial,moved --rounds 5 --json
 */
import { statSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import Table from "cli-table3";
import { fillFinished } from "./layouts/fill.ts";
import { type Layout, layouts } from "./layouts/layouts.ts";
import { type LifeRates, measureLives } from "./layouts/lives.ts";
import { openBare } from "./support/connection.ts";
import { removeDatabase, temporaryFolder } from "./support/data.ts";
import { median } from "./support/numbers.ts";

interface Result {
  layout: string;
  finished: number;
  rates: LifeRates;
  fileMiB: number;
}

const { values } = parseArgs({
  options: {
    finished: { type: "string", default: "200000" },
    live: { type: "string", default: "100000" },
    rounds: { type: "string", default: "3" },
    layouts: { type: "string", default: layouts.map((layout) => layout.name).join(",") },
    json: { type: "boolean", default: false },
  },
});
const finished = Number(values.finished);
const live = Number(values.live);
const rounds = Number(values.rounds);
const chosen = values.layouts.split(",").map(layoutNamed);

const results: Result[] = [];
for (const layout of chosen) results.push(...measureLayout(layout));
if (values.json) console.log(JSON.stringify(results, null, 2));
else printResults(results);

function layoutNamed(name: string): Layout {
  const layout = layouts.find((known) => known.name === name);
  if (layout) return layout;
  throw new Error(`No layout "${name}"; there are ${layouts.map((known) => known.name).join(", ")}.`);
}

/** Alternates between the empty file and the full one, so that a drift of the machine meets both. */
function measureLayout(layout: Layout): Result[] {
  const folder = temporaryFolder("layout");
  const full = join(folder, "full.db");
  const counts = finished > 0 ? [0, finished] : [0];
  if (finished > 0) fillFinished(full, layout, finished);
  const fullMiB = finished > 0 ? sizeMiB(full) : 0;
  const measured = new Map<number, LifeRates[]>(counts.map((count) => [count, []]));
  let emptyMiB = 0;
  for (let round = 0; round < rounds; round++) {
    for (const count of counts) {
      const path = count === 0 ? join(folder, `empty-${round}.db`) : full;
      measured.get(count)!.push(measureFile(path, layout, count === 0));
      if (count === 0) emptyMiB = sizeMiB(path);
      if (count === 0) removeDatabase(path);
    }
    process.stderr.write(`${layout.name}: round ${round + 1} of ${rounds}\n`);
  }
  removeDatabase(full);
  return counts.map((count) => ({
    layout: layout.name,
    finished: count,
    rates: medianRates(measured.get(count)!),
    fileMiB: count === 0 ? emptyMiB : fullMiB,
  }));
}

function measureFile(path: string, layout: Layout, isNew: boolean): LifeRates {
  const database = openBare(path);
  if (isNew) database.exec(layout.tables.concat(layout.indexes).join(";"));
  const rates = measureLives(database, layout, live);
  database.close();
  return rates;
}

function medianRates(rates: readonly LifeRates[]): LifeRates {
  const of = (pick: (rate: LifeRates) => number) => median(rates.map(pick));
  return {
    insert: of((rate) => rate.insert),
    claim: of((rate) => rate.claim),
    settle: of((rate) => rate.settle),
    drain: of((rate) => rate.drain),
    life: of((rate) => rate.life),
  };
}

function sizeMiB(path: string): number {
  return Math.round(statSync(path).size / 1024 / 1024);
}

function printResults(rows: readonly Result[]): void {
  const head = [
    "layout",
    "finished tasks",
    "insert/s",
    "claim/s",
    "settle/s",
    "claim + settle/s",
    "whole lives/s",
    "file MiB",
  ];
  const table = new Table({
    head,
    style: { head: [], border: [] },
    colAligns: ["left", ...head.slice(1).map(() => "right" as const)],
  });
  for (const { layout, finished: count, rates, fileMiB } of rows) {
    const figures = [count, rates.insert, rates.claim, rates.settle, rates.drain, rates.life, fileMiB];
    table.push([layout, ...figures.map((figure) => Math.round(figure).toLocaleString("en"))]);
  }
  console.log(table.toString());
  console.log(
    `SQLite ${process.versions.sqlite}, Node ${process.version}; medians of ${rounds} rounds of ${live} tasks.`,
  );
}
