/**
 * npm run bench: measures every target and prints one table.
 *
 *   npm run bench -- --only drain,at-once --rounds 5
 *   npm run bench -- --history 10000000       the file of finished tasks is made once and kept in bench/.data
 *   npm run bench -- --json                   every round's figures; also kept in bench/.data/latest.json
 *
 * The machine's speed drifts, so rounds of Dure, bare SQLite and the peers alternate, each figure is the median of
 * its rounds, and only ratios are judged. Peers are optional: see bench/peers.
 */
import { execFileSync } from "node:child_process";
import { existsSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import Table from "cli-table3";
import pc from "picocolors";
import { Measured } from "./measured.ts";
import { type Question, questions } from "./questions.ts";
import { findSubjects, measure, type Subject } from "./subjects.ts";
import { dataFolder } from "./support/data.ts";
import { lateness } from "./support/event-loop.ts";
import { isMet, type Target, targets } from "./targets.ts";

const { values } = parseArgs({
  options: {
    only: { type: "string" },
    rounds: { type: "string", default: "3" },
    history: { type: "string", default: "1000000" },
    json: { type: "boolean", default: false },
  },
});
const chosen = chooseQuestions(values.only);
const rounds = Number(values.rounds);
const subjects = findSubjects();
const measured = new Measured();

if (!process.env.DURE_BENCH_DIST && !existsSync(new URL("../dist/server/index.js", import.meta.url))) {
  console.error("Dure is not built: run `npm run build` first, so that the bench measures what users get.");
  process.exit(1);
}
const history = chosen.some((question) => question.history) ? makeHistory(Number(values.history)) : undefined;
for (const question of chosen) await ask(question);
const whole = JSON.stringify({ machine: machine(), measured, targets: judged() }, null, 2);
writeFileSync(join(dataFolder, "latest.json"), whole);
if (values.json) console.log(whole);
else print();

function chooseQuestions(only: string | undefined): readonly Question[] {
  if (only === undefined) return questions;
  const names = only.split(",");
  const unknown = names.find((name) => !questions.some((question) => question.name === name));
  if (unknown)
    throw new Error(`No question "${unknown}"; there are ${questions.map((q) => q.name).join(", ")}.`);
  return questions.filter((question) => names.includes(question.name));
}

/** In a process of its own, since the memory it takes would stay with this one. Answers the file's path. */
function makeHistory(count: number): string {
  const script = fileURLToPath(new URL("./history.ts", import.meta.url));
  const stdio = ["ignore", "pipe", "inherit"] as const;
  return execFileSync(process.execPath, [script, String(count)], {
    encoding: "utf8",
    stdio: [...stdio],
  }).trim();
}

/** Rounds of all subjects in turn. */
async function ask(question: Question): Promise<void> {
  for (let round = 0; round < Math.min(rounds, question.roundsMax ?? rounds); round++) {
    for (const subject of subjects) await askOne(question, subject, round);
  }
}

async function askOne(question: Question, subject: Subject, round: number): Promise<void> {
  if (subject.missing || measured.failure(question.name, subject.name)) return;
  const command = subject.command(question, question.history ? history : undefined);
  if (!command) return;
  process.stderr.write(`${question.name}: ${subject.title}, round ${round + 1}\n`);
  try {
    measured.add(question.name, subject.name, await measure(command));
  } catch (error) {
    measured.fail(question.name, subject.name, (error as Error).message);
  }
}

function judged(): object[] {
  return shownTargets().map((target) => ({
    question: target.question,
    label: target.label,
    wanted: target.wanted,
    value: target.value(measured),
    met: isMet(target, measured),
  }));
}

function shownTargets(): Target[] {
  return targets.filter((target) => chosen.some((question) => question.name === target.question));
}

function print(): void {
  const head = ["", ...subjects.map((subject) => subject.title), "reached", "target", ""];
  const right = "right" as const;
  const colAligns = ["left" as const, ...subjects.map(() => right), right, "left" as const, "left" as const];
  const table = new Table({ head, style: { head: [], border: [], compact: true }, colAligns });
  for (const target of shownTargets()) table.push(rowOf(target));
  console.log(table.toString());
  for (const subject of subjects) if (subject.missing) console.log(`${subject.title}: ${subject.missing}`);
  for (const { name } of chosen) {
    printFailures(name);
    const late = lateness(measured, name);
    if (late) console.log(late);
  }
  console.log(machine());
}

function rowOf(target: Target): string[] {
  const figures = subjects.map((subject) =>
    shown(measured.figure(target.question, subject.name, target.figure), target.unit),
  );
  const value = target.value(measured);
  const reached = target.sense === "atLeast" ? shown(value, "×") : shown(value, target.unit);
  const met = isMet(target, measured);
  const verdict = met === undefined ? pc.dim("not measured") : met ? pc.green("met") : pc.red("not met");
  return [target.label, ...figures, reached, target.wanted, verdict];
}

function shown(value: number | undefined, unit: Target["unit"]): string {
  if (value === undefined) return "";
  if (unit === "tasks/s") return `${Math.round(value).toLocaleString("en")}/s`;
  return `${value.toFixed(unit === "MB" ? 0 : 2)} ${unit}`;
}

function printFailures(question: string): void {
  for (const subject of subjects) {
    const reason = measured.failure(question, subject.name);
    if (reason) console.log(`${question}, ${subject.title}: ${pc.red("failed")}: ${reason}`);
  }
}

function machine(): string {
  const cores = cpus();
  const about = `${cores.length} cores (${cores[0]?.model.trim()}), Node ${process.version}, SQLite ${process.versions.sqlite}`;
  return `${about}; medians of ${rounds} rounds; history of ${Number(values.history).toLocaleString("en")} finished tasks.`;
}
