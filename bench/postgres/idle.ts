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
  serverPercent: (after.serverMs - before.serverMs) / seconds / 10,
});

async function read(): Promise<{ at: number; statements: number; serverMs: number }> {
  const { rows } = await client.query("SELECT pid FROM pg_stat_activity");
  const serverMs = rows.reduce((sum, { pid }) => sum + processMs(pid), 0);
  await client.query("SELECT pg_stat_clear_snapshot()");
  // Each statement of ours is a transaction.
  const [{ statements }] = (
    await client.query(
      "SELECT xact_commit::float8 AS statements FROM pg_stat_database WHERE datname = current_database()",
    )
  ).rows;
  return { at: performance.now(), statements, serverMs };
}

/** Time that a process has had on a processor, in milliseconds. */
function processMs(pid: number): number {
  try {
    return Number(readFileSync(`/proc/${pid}/schedstat`, "utf8").split(" ")[0]) / 1e6;
  } catch {
    return 0;
  }
}
