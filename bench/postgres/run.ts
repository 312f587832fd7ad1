/**
 * npm run bench:postgres: measures Dure on PostgreSQL beside graphile-worker, pg-boss and bare SQL on the same tables,
 * and prints one table.
 *
 *   npm run bench:postgres -- --only drain,latency --rounds 5
 *   npm run bench:postgres -- --history 10000000
 *   npm run bench:postgres -- --json          every round's figures; also kept in bench/.data/latest-postgres.json
 *
 * One server of its own, durable (fsync and synchronous_commit on), takes all; every measurement gets a database of its
 * own in it. The machine's speed drifts, so the subjects' rounds alternate, each figure is the median of its rounds, and
 * only ratios are judged. Peers are optional: `npm ci` in bench/postgres/peers.
 */
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import Table from "cli-table3";
import pc from "picocolors";
import { Measured } from "../measured.ts";
import { measure } from "../subjects.ts";
import { dataFolder } from "../support/data.ts";
import { lateness } from "../support/event-loop.ts";
import { serverSettings, startServer } from "../support/postgres.ts";
import { fillPostgres } from "./fill.ts";
import { isMet, type Question, questions, subjects, targets } from "./questions.ts";

const { values } = parseArgs({
  options: {
    only: { type: "string" },
    rounds: { type: "string", default: "3" },
    history: { type: "string", default: "1000000" },
    json: { type: "boolean", default: false },
  },
});
const rounds = Number(values.rounds);
const only = values.only?.split(",");
const chosen = questions.filter(({ name }) => !only || only.includes(name));
if (only && chosen.length < only.length) {
  throw new Error(`There are these questions: ${questions.map(({ name }) => name).join(", ")}.`);
}

const server = await startServer();
const measured = new Measured();
let made = 0;
try {
  const history = chosen.some((question) => question.history)
    ? await makeHistory(Number(values.history))
    : undefined;
  for (const question of chosen) {
    for (let round = 0; round < Math.min(rounds, question.roundsMax ?? rounds); round += 1) {
      for (const subject of subjects) await ask(question, subject.name, round, history);
    }
    keep();
  }
} finally {
  await server.remove();
}
const whole = keep();
if (values.json) console.log(whole);
else print();

/** After each question, so that a run that is ended early was not in vain. */
function keep(): string {
  const json = JSON.stringify({ machine: machine(), measured }, null, 2);
  mkdirSync(dataFolder, { recursive: true });
  writeFileSync(join(dataFolder, "latest-postgres.json"), json);
  return json;
}

async function makeHistory(count: number): Promise<string> {
  const name = "bench_history";
  await server.createDatabase(name);
  await fillPostgres(server.url(name), count);
  return name;
}

async function ask(
  question: Question,
  subject: string,
  round: number,
  history: string | undefined,
): Promise<void> {
  if (measured.failure(question.name, subject)) return;
  made += 1;
  const name = `bench_${made}`;
  await server.createDatabase(name, question.history ? `TEMPLATE ${history}` : "");
  try {
    const command = subjects.find((one) => one.name === subject)!.command(question, server.url(name));
    if (!command) return;
    process.stderr.write(`${question.name}: ${subject}, round ${round + 1}\n`);
    measured.add(question.name, subject, await measure(command));
  } catch (error) {
    measured.fail(question.name, subject, (error as Error).message);
  } finally {
    await server.query(`DROP DATABASE ${name} WITH (FORCE)`);
  }
}

function print(): void {
  const head = ["", ...subjects.map(({ title }) => title), "reached", "target", ""];
  const right = "right" as const;
  const colAligns = ["left" as const, ...subjects.map(() => right), right, "left" as const, "left" as const];
  const table = new Table({ head, style: { head: [], border: [], compact: true }, colAligns });
  for (const target of targets) {
    if (!chosen.some(({ name }) => name === target.question)) continue;
    const figures = subjects.map(({ name }) =>
      shown(measured.figure(target.question, name, target.figure), target.unit),
    );
    const met = isMet(target, measured);
    const verdict = met === undefined ? pc.dim("not measured") : met ? pc.green("met") : pc.red("not met");
    const reached = shown(target.value(measured), target.sense === "atLeast" ? "×" : target.unit);
    table.push([target.label, ...figures, reached, target.wanted, verdict]);
  }
  console.log(table.toString());
  for (const { name, title } of subjects) {
    for (const question of chosen) {
      const reason = measured.failure(question.name, name);
      if (reason) console.log(`${question.name}, ${title}: ${pc.red("failed")}: ${reason}`);
    }
  }
  for (const { name } of chosen) {
    const late = lateness(measured, name);
    if (late) console.log(late);
  }
  if (!existsSync(join(import.meta.dirname, "peers/node_modules"))) {
    console.log("The peers are not installed: npm ci in bench/postgres/peers");
  }
  console.log(machine());
}

function machine(): string {
  const cores = cpus();
  const set = Object.entries(serverSettings).map(([name, value]) => `${name} ${value}`);
  return (
    `${cores.length} cores (${cores[0]?.model.trim()}) for server and clients, Node ${process.version}, ` +
    `PostgreSQL 18 with ${set.join(", ")}; medians of ${rounds} rounds; ` +
    `history of ${Number(values.history).toLocaleString("en")} tasks.`
  );
}

function shown(value: number | undefined, unit: string): string {
  if (value === undefined) return "";
  if (unit === "tasks/s") return `${Math.round(value).toLocaleString("en")}/s`;
  return `${value.toFixed(2)} ${unit}`;
}
