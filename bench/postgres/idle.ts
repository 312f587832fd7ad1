/**
 * What do fifty idle workers ask of the server? Statements a second and worker, and the time of all of the server's
 * processes in percent of a core. The server must run on this machine.
 */
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import { caseOptions, define, finish, open } from "../support/case.ts";

const workers = 50;
const settleMs = 15_000;
const idleMs = 20_000;
/** Of each reading's own. */
const ownStatements = 3;
const { database } = caseOptions(0);
const dures = Array.from({ length: workers }, () => open(database, 10));
for (const dure of dures) {
  define(dure);
  await dure.start();
}
const client = new pg.Client({ connectionString: database });
await client.connect();
await sleep(settleMs);
const before = await read();
await sleep(idleMs);
const after = await read();
await client.end();
await Promise.all(dures.map((dure) => dure.close()));
const seconds = (after.at - before.at) / 1_000;
finish({
  perSecond: (after.statements - before.statements - ownStatements) / seconds / workers,
  serverPercent: usedMs(before.serverMs, after.serverMs) / seconds / 10,
});

interface Reading {
  at: number;
  statements: number;
  /** By process of the server. */
  serverMs: ReadonlyMap<number, number>;
}

async function read(): Promise<Reading> {
  const { rows } = await client.query("SELECT pid FROM pg_stat_activity");
  const serverMs = new Map<number, number>(rows.map(({ pid }) => [pid, processMs(pid)]));
  await client.query("SELECT pg_stat_clear_snapshot()");
  // Each statement of ours is a transaction.
  const [{ statements }] = (
    await client.query(
      "SELECT xact_commit::float8 AS statements FROM pg_stat_database WHERE datname = current_database()",
    )
  ).rows;
  return { at: performance.now(), statements, serverMs };
}

/** What a process used that ended meanwhile is left out. */
function usedMs(before: ReadonlyMap<number, number>, after: ReadonlyMap<number, number>): number {
  let sum = 0;
  for (const [pid, ms] of after) sum += ms - (before.get(pid) ?? 0);
  return sum;
}

/** Time that a process has had on a processor, in milliseconds. */
function processMs(pid: number): number {
  try {
    return Number(readFileSync(`/proc/${pid}/schedstat`, "utf8").split(" ")[0]) / 1e6;
  } catch {
    return 0;
  }
}
