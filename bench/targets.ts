/** What Dure is to reach, each as one figure from the measured ones and a bound. */
import type { Measured } from "./measured.ts";

export interface Target {
  /** The question whose figures the row shows. */
  question: string;
  label: string;
  /** The figure of every subject that the row shows. */
  figure: string;
  unit: "tasks/s" | "ms" | "MB" | "%" | "×";
  /** What is compared with the bound; undefined when a figure is missing. */
  value(measured: Measured): number | undefined;
  bound: number;
  /** 'atLeast' a ratio, or 'atMost' an amount. */
  sense: "atLeast" | "atMost";
  /** How the bound reads. */
  wanted: string;
}

const rate = "rate";

export const targets: readonly Target[] = [
  ratio("bulk-enqueue", "enqueueMany of 100,000, against bare inserts", 0.75, "bare"),
  ratio("bulk-enqueue", "enqueueMany of 100,000, against plainjob", 0.8, "plainjob"),
  {
    ...ratio("enqueue-attributes", "the same enqueueMany with two attributes", 0.77, "without"),
    value: ({ figure }) =>
      divide(figure("enqueue-attributes", "dure", rate), figure("bulk-enqueue", "dure", rate)),
    wanted: "≥ 0.77 × without",
  },
  ratio("one-by-one", "one caller, each task awaited", 0.4, "bare"),
  {
    ...ratio("hundred-callers", "100 callers, each task awaited, against one", 10, "one-by-one"),
    value: ({ figure }) =>
      divide(figure("hundred-callers", "dure", rate), figure("one-by-one", "dure", rate)),
    wanted: "≥ 10 × one caller",
  },
  ratio("drain", "drain of 100,000, against bare claim + settle", 0.6, "bare"),
  ratio("drain", "drain of 100,000, against plainjob", 6, "plainjob"),
  ratio("drain", "drain of 100,000, against BullMQ", 4, "bullmq"),
  {
    ...ratio("drain-with-history", "the same drain, many finished tasks in the file", 0.9, "drain"),
    value: ({ figure }) => divide(figure("drain-with-history", "dure", rate), figure("drain", "dure", rate)),
    wanted: "≥ 0.9 × without",
  },
  {
    ...ratio("drain-searched", "that drain while eight searches run", 0.6, "drain-with-history"),
    value: ({ figure }) =>
      divide(figure("drain-searched", "dure", rate), figure("drain-with-history", "dure", rate)),
    wanted: "≥ 0.6 × without",
  },
  atMost("drain-searched", "event-loop delay meanwhile, 99th", "p99", 10),
  {
    ...ratio("drain-acted", "the drain while an action cancels a million tasks", 0.5, "drain"),
    value: ({ figure }) => divide(figure("drain-acted", "dure", rate), figure("drain", "dure", rate)),
    wanted: "≥ 0.5 × without",
  },
  {
    ...ratio("drain-queues", "the drain, each task in a queue of its own", 0.2, "drain"),
    value: ({ figure }) => divide(figure("drain-queues", "dure", rate), figure("drain", "dure", rate)),
    wanted: "≥ 0.2 × in one",
  },
  ratio("at-once", "enqueued and drained at once, against plainjob", 3, "plainjob"),
  ratio("at-once", "enqueued and drained at once, against BullMQ", 2.5, "bullmq"),
  atMost("latency", "enqueue to start, one process, median", "p50", 1),
  atMost("latency", "enqueue to start, one process, 99th", "p99", 3),
  atMost("latency-across", "enqueue to start, other process, median", "p50", 25),
  atMost("loop-drain", "event-loop delay while draining, 99th", "p99", 10),
  atMost("loop-search", "event-loop delay while searching, 99th", "p99", 10),
  atMost("memory", "memory at most, draining 1,000,000", "peakMb", 200, "MB"),
  atMost("memory", "memory, last quarter over second quarter", "growth", 1.1, "×"),
  atMost("idle", "an idle worker, of one core", "percent", 1, "%"),
];

function ratio(question: string, label: string, bound: number, against: string): Target {
  return {
    question,
    label,
    figure: rate,
    unit: "tasks/s",
    value: ({ figure }) => divide(figure(question, "dure", rate), figure(question, against, rate)),
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
