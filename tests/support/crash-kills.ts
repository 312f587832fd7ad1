/** Worker processes killed at random moments while they run, enqueue and settle, each replaced at once. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Deed } from "../crash/deeds.ts";
import { ledgerNow } from "./crash-ledger.ts";
import type { CrashWorld, WorkerProcess } from "./crash-world.ts";

export interface KillsOptions {
  kills: number;
  workers: number;
  /** The mean time between two kills. */
  everyMs: number;
}

export interface KillsReport {
  tasks: number;
  kills: number;
  /** Starts of handlers beyond one per task. */
  extraStarts: number;
  /** From each kill to the next start of every task that the killed process ran, in milliseconds, ascending. */
  recoveryMs: number[];
  /** Tasks that three kills hit, so that they are FAILED. */
  spent: number;
}

interface Kill {
  at: number;
  ran: { taskId: string; fence: number }[];
}

const crashBudget = 3;
/** So many tasks wait at any time, so that no killed worker was idle. */
const backlog = 60;
const deeds: Deed[] = [
  { does: "wait", ms: 20 },
  { does: "wait", ms: 60 },
  { does: "wait", ms: 100 },
  { does: "nothing" },
  { does: "spread", ms: 10, count: 2 },
];

/** Kills, waits for the end of every task, and judges the world. */
export async function killAtRandom(world: CrashWorld, options: KillsOptions): Promise<KillsReport> {
  const settings = { worker: { concurrency: 4 } };
  let over = false;
  const feeding = feed(world, () => over);
  const workers = await Promise.all(Array.from({ length: options.workers }, () => world.start(settings)));
  const kills: Kill[] = [];
  while (kills.length < options.kills) {
    await sleep(options.everyMs * 2 * Math.random());
    const index = Math.floor(Math.random() * workers.length);
    kills.push(await killOne(world, workers[index]!));
    workers[index] = world.spawn(settings);
  }
  over = true;
  await feeding;
  for (const { taskId } of world.ledger.of("acknowledged")) world.acknowledged.add(taskId);
  const ended = await world.allEnded([...world.acknowledged].map((id) => ({ id })));
  await world.check();
  return report(world, kills, ended.filter(({ status }) => status === "FAILED").length);
}

/** Enqueues as fast as the tasks end. */
async function feed(world: CrashWorld, over: () => boolean): Promise<void> {
  while (!over()) {
    const waiting = await world.dure.countTasks({ status: "PENDING" });
    const payloads = Array.from(
      { length: backlog - waiting },
      () => deeds[Math.floor(Math.random() * deeds.length)]!,
    );
    await world.enqueueAll(payloads);
    await sleep(50);
  }
}

async function killOne(world: CrashWorld, worker: WorkerProcess): Promise<Kill> {
  const at = ledgerNow();
  worker.kill();
  await worker.ended;
  return { at, ran: world.ledger.openIn(worker.pid) };
}

function report(world: CrashWorld, kills: readonly Kill[], spent: number): KillsReport {
  const starts = new Map(world.ledger.starts().map(({ taskId, fence, at }) => [`${taskId}:${fence}`, at]));
  const recoveryMs = kills.flatMap(({ at, ran }) =>
    ran.flatMap(({ taskId, fence }) => {
      const next = nextStart(starts, taskId, fence);
      return next === undefined ? [] : [next - at];
    }),
  );
  return {
    tasks: world.acknowledged.size,
    kills: kills.length,
    extraStarts: starts.size - new Set(world.ledger.starts().map(({ taskId }) => taskId)).size,
    recoveryMs: recoveryMs.sort((a, b) => a - b),
    spent,
  };
}

/** The start of the next claim whose handler came to start; a claim may be lost before that. */
function nextStart(starts: ReadonlyMap<string, number>, taskId: string, fence: number): number | undefined {
  for (let next = fence + 1; next <= fence + crashBudget; next += 1) {
    const at = starts.get(`${taskId}:${next}`);
    if (at !== undefined) return at;
  }
  return undefined;
}

/** The value that so large a share of them does not exceed. */
export function percentile(ascending: readonly number[], share: number): number {
  return ascending[Math.min(ascending.length - 1, Math.ceil(ascending.length * share) - 1)] ?? 0;
}

/** One line for people. */
export function describeKills({ tasks, kills, extraStarts, recoveryMs, spent }: KillsReport): string {
  const shown = [0.5, 0.99, 1].map((share) => Math.round(percentile(recoveryMs, share)));
  return (
    `${kills} kills, ${tasks} tasks, ${recoveryMs.length} of them hit; run again after ${shown[0]} ms (median), ` +
    `${shown[1]} ms (99 %), ${shown[2]} ms (longest); ${extraStarts} extra starts, ${spent} spent their crash budget`
  );
}
