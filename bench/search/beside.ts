/**
 * Dure on both stores beside its peers: each is filled with the same tasks and asked the same, one after the other; the
 * table says what each took, and which questions a peer has no call for. Every peer is a process of its own.
 */
import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Table from "cli-table3";
import pc from "picocolors";
import type { PostgresServer } from "../../tests/support/postgres-server.ts";
import { percentile } from "../support/numbers.ts";
import { startServer } from "../support/postgres.ts";
import { type BenchDure, createDure } from "../support/product.ts";
import { fill, filledFile } from "./fill.ts";
import { type Answered, draws, questions, timed } from "./questions.ts";
import { recordOf, types } from "./records.ts";

export interface Limits {
  tasks: number;
  questionsMax: number;
  /** For one question to one of them; three answers are waited for even if they take longer. */
  secondsMax: number;
}

/** By question. */
type Answers = Record<string, Answered>;

interface Subject {
  name: string;
  title: string;
  /** Says why, where it cannot be measured here. */
  missing?: string | undefined;
  /** What to know when reading its column. */
  note?: string;
  answers?: Answers;
}

const peersFolder = join(import.meta.dirname, "peers");
const heapMb = 12_000;
const checks = 20;

const notes = {
  bullmq:
    "each job is in a queue of all and in one of its type; newest by their end; cancelled ones are removed by it, and stand among the failed here",
  pgBoss:
    "asks within a type; lists oldest first; counts are those its monitor took last, of queued, active and failed ones",
  sidequest: "matches a payload only as a whole",
  agenda: "reads every job of the type, or all, for each answer; cancelled ones are disabled here",
};

/** Asks those of `only`, else all: `sqlite`, `postgres`, `bullmq`, `pg-boss`, `sidequest`, `agenda`. */
export async function compare(limits: Limits, only: readonly string[] | undefined): Promise<void> {
  const missing = existsSync(join(peersFolder, "node_modules")) ? undefined : "npm ci in bench/search/peers";
  const noRedis = spawnSync("redis-server", ["--version"]).status === 0 ? undefined : "needs redis-server";
  const subjects: Subject[] = [
    { name: "sqlite", title: "Dure, SQLite" },
    { name: "postgres", title: "Dure, PostgreSQL" },
    { name: "bullmq", title: "BullMQ", missing: missing ?? noRedis, note: notes.bullmq },
    { name: "pg-boss", title: "pg-boss", missing, note: notes.pgBoss },
    { name: "sidequest", title: "Sidequest", missing, note: notes.sidequest },
    { name: "agenda", title: "Agenda", missing, note: notes.agenda },
  ].filter(({ name }) => !only || only.includes(name));
  const server = await startServer();
  try {
    for (const subject of subjects) {
      if (subject.missing) continue;
      try {
        subject.answers = await ask(subject.name, server, limits);
      } catch (error) {
        subject.missing = (error as Error).message;
      }
    }
  } finally {
    await server.remove();
  }
  print(subjects, limits);
}

async function ask(name: string, server: PostgresServer, limits: Limits): Promise<Answers> {
  if (name === "sqlite") return askDure(await filledFile(limits.tasks, "history"), limits);
  if (name === "bullmq") {
    const folder = mkdtempSync(join(tmpdir(), "dure-bench-redis-"));
    try {
      return await askPeer(name, folder, limits);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }
  const database = `beside_${name.replace("-", "_")}`;
  const url = await server.createDatabase(database);
  try {
    if (name !== "postgres") return await askPeer(name, url, limits);
    await fill(url, limits.tasks, "history", true);
    return await askDure(url, limits);
  } finally {
    await server.query(`DROP DATABASE ${database} WITH (FORCE)`);
  }
}

async function askDure(database: string, limits: Limits): Promise<Answers> {
  const dure = createDure({ database, retention: false });
  const now = await madeAt(dure, limits.tasks);
  const answers: Answers = {};
  for (const { name, dure: prepare } of questions) {
    process.stderr.write(`\r${database.includes("://") ? "postgres" : "sqlite"}: ${name}            `);
    answers[name] = await timed((given) => prepare(dure, given), draws(limits.tasks, now), limits);
  }
  process.stderr.write("\r");
  await dure.close();
  return answers;
}

/** The instant that the tasks' own follow. Fails when the store has not the tasks that the questions are about. */
async function madeAt(dure: BenchDure, tasks: number): Promise<number> {
  const [newest] = await dure.searchTasks({ type: types, limit: 1, definitions: false });
  const now = Date.now();
  const at = now + newest!.createdAt.getTime() - recordOf(tasks - 1, tasks, now, "history").createdAt;
  const draw = draws(tasks, at);
  for (let n = 0; n < checks; n += 1) {
    const { record } = draw();
    const task = await dure.getTaskById(record.id);
    if (task?.type !== record.type || JSON.stringify(task.payload) !== record.payload.json)
      throw new Error(`task ${record.id} is not what was written; delete the file and fill another`);
  }
  return at;
}

function askPeer(name: string, place: string, limits: Limits): Promise<Answers> {
  const { tasks, questionsMax, secondsMax } = limits;
  const parameters = [name, place, tasks, questionsMax, secondsMax].map(String);
  const child = spawn(
    process.execPath,
    [`--max-old-space-size=${heapMb}`, join(peersFolder, "measure.js"), ...parameters],
    { stdio: ["ignore", "pipe", "inherit"] },
  );
  let output = "";
  child.stdout.setEncoding("utf8").on("data", (text) => {
    output += text;
  });
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code) => {
      // A peer may log on the same stream.
      const figures = output.split("\n").find((line) => line.startsWith(`{"fillRate"`));
      if (code !== 0 || !figures) return reject(new Error(`failed (exit code ${code}); see above`));
      const { fillRate, answers } = JSON.parse(figures) as { fillRate: number; answers: Answers };
      console.log(`${name} was filled at ${Math.round(fillRate).toLocaleString("en")} jobs a second.`);
      resolve(answers);
    });
  });
}

function print(subjects: readonly Subject[], { tasks, questionsMax, secondsMax }: Limits): void {
  const right = "right" as const;
  const table = new Table({
    head: ["p50 / p99 ms (answers)", ...subjects.map(({ title }) => title)],
    style: { head: [], border: [], compact: true },
    colAligns: ["left" as const, ...subjects.map(() => right)],
  });
  for (const { name, title } of questions)
    table.push([title, ...subjects.map(({ answers }) => (answers ? cell(answers[name]) : pc.dim("–")))]);
  console.log(
    `\n${tasks.toLocaleString("en")} tasks; at most ${questionsMax} random questions of a kind, in ${secondsMax} s; ` +
      "cut: ended by a search's budget of 1 s, with what it had found until then.",
  );
  console.log(table.toString());
  for (const { title, missing, note } of subjects) {
    if (missing) console.log(`${title}: not measured: ${missing}`);
    else if (note) console.log(`${title}: ${note}.`);
  }
}

function cell(answered: Answered | undefined): string {
  if (!answered) return pc.dim("cannot");
  const { times, cut } = answered;
  const [p50, p99] = [50, 99].map((percent) => ms(percentile(times, percent)));
  const note = cut > 0 ? `, ${Math.ceil((100 * cut) / times.length)} % cut` : "";
  return `${p50} / ${p99} (${times.length}${note})`;
}

function ms(value: number): string {
  return value < 100 ? value.toFixed(2) : Math.round(value).toLocaleString("en");
}
