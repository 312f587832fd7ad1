/** Worker processes killed at random moments while they run, enqueue and settle, each replaced at once. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Task } from "../../server/tasks/core/task.ts";
import type { Deed } from "../crash/deeds.ts";
import { type LedgerLine, ledgerNow } from "./crash-ledger.ts";
import type { CrashWorld, WorkerProcess } from "./crash-world.ts";

export interface KillsOptions {
  kills: number;
  workers: number;
  /** How many of them are never killed. Default 0. */
  spared?: number;
  /** The mean time between two kills. */
  everyMs: number;
  /** The workers'. Default: as any worker's. */
  lease?: string;
}

export interface KillsReport {
  tasks: number;
  kills: number;
  /** Starts of handlers beyond one per task. Only kills cause them, and one kill causes one per task. */
  extraStarts: number;
  /** Those of them that came while the process that had started the task before was alive. */
  doubleStarts: number;
  /** From a kill to the next start, for every task that the killed process had started, in milliseconds, ascending. */
  recoveryMs: number[];
  /** Of those waits, how many were for more than one kill: whoever had taken the task over died before it started. */
  repeated: number;
  /** Tasks that three kills hit, so that they are FAILED. */
  spent: number;
}

interface Kill {
  pid: number;
  at: number;
}

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
  const { lease } = options;
  const settings = { worker: { concurrency: 4, ...(lease && { lease }) } };
  let over = false;
  const feeding = feed(world, () => over);
  const workers = await Promise.all(Array.from({ length: options.workers }, () => world.start(settings)));
  const kills: Kill[] = [];
  while (kills.length < options.kills) {
    await sleep(options.everyMs * 2 * Math.random());
    const index = Math.floor(Math.random() * (workers.length - (options.spared ?? 0)));
    // Where processes start slowly, nobody would be left to notice the dead.
    await Promise.any(workers.filter((_, other) => other !== index).map((worker) => worker.ready()));
    kills.push(await killOne(workers[index]!));
    workers[index] = world.spawn(settings);
  }
  over = true;
  await feeding;
  const ended = await endedToTheLast(world);
  await world.check();
  return report(world, kills, ended.filter(({ status }) => status === "FAILED").length);
}

/** Tasks that end may have enqueued others meanwhile, which would end while the world is judged. */
async function endedToTheLast(world: CrashWorld): Promise<Task[]> {
  for (;;) {
    for (const { taskId } of world.ledger.of("acknowledged")) world.acknowledged.add(taskId);
    const ids = [...world.acknowledged];
    const ended = await world.allEnded(ids.map((id) => ({ id })));
    const isLast = world.ledger.of("acknowledged").every(({ taskId }) => world.acknowledged.has(taskId));
    if (isLast) return ended;
  }
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

async function killOne(worker: WorkerProcess): Promise<Kill> {
  const at = ledgerNow();
  worker.kill();
  await worker.ended;
  return { pid: worker.pid, at };
}

function report(world: CrashWorld, kills: readonly Kill[], spent: number): KillsReport {
  const waits = waitsForRestart(world, kills);
  return {
    tasks: world.acknowledged.size,
    kills: kills.length,
    extraStarts: waits.length,
    doubleStarts: waits.filter(({ ms }) => ms <= 0).length,
    recoveryMs: waits
      .filter(({ ms }) => ms > 0)
      .map(({ ms, deaths }) => ms / deaths)
      .sort((a, b) => a - b),
    repeated: waits.filter(({ deaths }) => deaths > 1).length,
    spent,
  };
}

interface Wait {
  /** Since the death of the process that had started the task before; below 0 if it lived. */
  ms: number;
  /** Of how many owners: each claim has a number of its own, whether its task was started or not. */
  deaths: number;
}

/** One for each extra start. */
function waitsForRestart(world: CrashWorld, kills: readonly Kill[]): Wait[] {
  const killedAt = new Map(kills.map(({ pid, at }) => [pid, at]));
  const starts = new Map<string, LedgerLine>();
  const waits: Wait[] = [];
  for (const start of world.ledger.starts()) {
    const before = starts.get(start.taskId);
    if (before) {
      const ms = start.at - (killedAt.get(before.pid) ?? Number.POSITIVE_INFINITY);
      waits.push({ ms, deaths: start.fence - before.fence });
    }
    starts.set(start.taskId, start);
  }
  return waits;
}

/** The value that so large a share of them does not exceed. */
export function percentile(ascending: readonly number[], share: number): number {
  return ascending[Math.min(ascending.length - 1, Math.ceil(ascending.length * share) - 1)] ?? 0;
}

/** One line for people. */
export function describeKills(report: KillsReport): string {
  const { tasks, kills, extraStarts, doubleStarts, recoveryMs, repeated, spent } = report;
  const shown = [0.5, 0.99, 1].map((share) => Math.round(percentile(recoveryMs, share)));
  return (
    `${kills} kills, ${tasks} tasks, ${extraStarts} started again after ${shown[0]} ms (median), ` +
    `${shown[1]} ms (99 %), ${shown[2]} ms (longest), ${repeated} of them by a second death; ${doubleStarts} double starts, ${spent} spent their crash budget`
  );
}
