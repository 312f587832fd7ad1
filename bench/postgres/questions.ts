/** What is asked on PostgreSQL, of whom, and what Dure is to reach. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Measured } from "../measured.ts";

export interface Question {
  name: string;
  /** The file of Dure's case, when it is not ../cases/<name>.ts. */
  case?: string;
  /** The file that answers with bare SQL. */
  bare?: string;
  peers?: boolean;
  /** Needs the database with many finished tasks. */
  history?: boolean;
  tasks?: number;
  peerTasks?: number;
  roundsMax?: number;
}

export const questions: readonly Question[] = [
  { name: "bulk-enqueue", bare: "bare.ts", peers: true },
  { name: "enqueue-attributes" },
  { name: "one-by-one", bare: "bare.ts", peers: true, tasks: 2_000 },
  { name: "hundred-callers", tasks: 50_000 },
  { name: "drain", bare: "bare.ts", peers: true },
  { name: "drain-by-two", case: "./drain-by-two.ts", peers: true },
  { name: "drain-with-history", case: "drain.ts", history: true },
  { name: "drain-searched", history: true },
  { name: "drain-held", case: "./drain-held.ts", roundsMax: 2 },
  { name: "at-once", peers: true },
  { name: "latency", peers: true, tasks: 500, peerTasks: 500 },
  { name: "latency-across", bare: "bare-across.ts", tasks: 400 },
  { name: "idle", case: "./idle.ts", roundsMax: 1 },
];

export interface Subject {
  name: string;
  title: string;
  /** Undefined when it has no answer to the question. */
  command(question: Question, url: string): string[] | undefined;
}

const folder = import.meta.dirname;
const tasksDefault = 100_000;

export const subjects: readonly Subject[] = [
  {
    name: "dure",
    title: "Dure",
    command: (question, url) => [
      process.execPath,
      join(folder, "../cases", question.case ?? `${question.name}.ts`),
      "--database",
      url,
      "--tasks",
      String(question.tasks ?? tasksDefault),
    ],
  },
  {
    name: "bare",
    title: "bare SQL",
    command: ({ bare, name, tasks = tasksDefault }, url) =>
      bare ? [process.execPath, join(folder, bare), name, String(tasks), url] : undefined,
  },
  peer("graphile-worker"),
  peer("pg-boss"),
];

function peer(name: string): Subject {
  return {
    name,
    title: name,
    command: (question, url) => {
      if (!question.peers || !existsSync(join(folder, "peers/node_modules", name))) return undefined;
      // pg-boss polls, twice a second at most: twenty waits tell as much as five hundred.
      const tasks =
        name === "pg-boss" && question.name === "latency" ? 20 : (question.peerTasks ?? question.tasks);
      return [
        process.execPath,
        join(folder, "peers/measure.js"),
        name,
        question.name,
        String(tasks ?? tasksDefault),
        url,
      ];
    },
  };
}

export interface Target {
  question: string;
  label: string;
  figure: string;
  unit: "tasks/s" | "ms" | "%" | "/s";
  value(measured: Measured): number | undefined;
  bound: number;
  sense: "atLeast" | "atMost";
  wanted: string;
}

const graphile = "graphile-worker";

export const targets: readonly Target[] = [
  ratio("bulk-enqueue", "enqueueMany of 100,000", 2, graphile),
  {
    ...ratio("enqueue-attributes", "the same enqueueMany with two attributes", 0.77, "without"),
    value: ({ figure }) =>
      divide(figure("enqueue-attributes", "dure", "rate"), figure("bulk-enqueue", "dure", "rate")),
    wanted: "≥ 0.77 × without",
  },
  ratio("one-by-one", "one caller, each task awaited", 1.75, graphile),
  {
    ...ratio("hundred-callers", "100 callers, each task awaited, against one", 10, "one-by-one"),
    value: ({ figure }) =>
      divide(figure("hundred-callers", "dure", "rate"), figure("one-by-one", "dure", "rate")),
    wanted: "≥ 10 × one caller",
  },
  ratio("drain", "drain of 100,000, against pg-boss", 1.5, "pg-boss"),
  ratio("drain", "drain of 100,000, against graphile-worker", 1.5, graphile),
  ratio("drain-by-two", "drain by two processes", 1.2, graphile),
  {
    ...ratio("drain-with-history", "the same drain, many finished tasks in the table", 0.9, "drain"),
    value: ({ figure }) =>
      divide(figure("drain-with-history", "dure", "rate"), figure("drain", "dure", "rate")),
    wanted: "≥ 0.9 × without",
  },
  {
    ...ratio("drain-searched", "that drain while eight searches run", 0.6, "drain-with-history"),
    value: ({ figure }) =>
      divide(figure("drain-searched", "dure", "rate"), figure("drain-with-history", "dure", "rate")),
    wanted: "≥ 0.6 × without",
  },
  atMost("drain-searched", "event-loop delay meanwhile, 99th", "p99", 10),
  {
    ...ratio("drain-held", "the same drain, a transaction held open elsewhere", 0.9, "drain"),
    value: ({ figure }) => figure("drain-held", "dure", "share"),
    wanted: "≥ 0.9 × without",
  },
  ratio("at-once", "enqueued and drained at once", 1.25, graphile),
  atMost("latency", "enqueue to start, one process, median", "p50", 2.5),
  atMost("latency", "enqueue to start, one process, 99th", "p99", 5),
  atMost("latency-across", "enqueue to start, other process, median", "p50", 2.5),
  atMost("latency-across", "enqueue to start, other process, 99th", "p99", 5),
  atMost("idle", "statements of an idle worker", "perSecond", 1, "/s"),
  atMost("idle", "time of the server for 50 idle workers", "serverPercent", 2, "%"),
];

function ratio(question: string, label: string, bound: number, against: string): Target {
  return {
    question,
    label,
    figure: "rate",
    unit: "tasks/s",
    value: ({ figure }) => divide(figure(question, "dure", "rate"), figure(question, against, "rate")),
    bound,
    sense: "atLeast",
    wanted: `≥ ${bound} × ${against}`,
  };
}

function atMost(
  question: string,
  label: string,
  figure: string,
  bound: number,
  unit: Target["unit"] = "ms",
): Target {
  return {
    question,
    label,
    figure,
    unit,
    value: (measured) => measured.figure(question, "dure", figure),
    bound,
    sense: "atMost",
    wanted: `≤ ${bound} ${unit}`,
  };
}

function divide(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || b === undefined ? undefined : a / b;
}

export function isMet(target: Target, measured: Measured): boolean | undefined {
  const value = target.value(measured);
  if (value === undefined) return undefined;
  return target.sense === "atLeast" ? value >= target.bound : value <= target.bound;
}
