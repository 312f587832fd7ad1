/**
 * What do fifty idle workers ask of the server? Statements a second and worker, and the time of the server's processes,
 * all of them, in percent of a core. Those must run on this machine.
 */
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import { caseOptions, define, finish, open } from "../support/case.ts";

const workers = 50;
const idleMs = 20_000;
const { database } = caseOptions(0);
const dures = Array.from({ length: workers }, () => open(database, 10));
for (const dure of dures) {
  define(dure);
  await dure.start();
}
await sleep(3_000);
const client = new pg.Client({ connectionString: database });
await client.connect();
const before = { statements: await transactions(), serverMs: await serverMs() };
const startedAt = performance.now();
await sleep(idleMs);
const tookMs = performance.now() - startedAt;
const used = (await serverMs()) - before.serverMs;
// Of ours there are two meanwhile.
const asked = (await transactions()) - before.statements - 3;
// The server's statistics are waited for at both ends; what is asked during one of these waits counts too.
const countedMs = performance.now() - startedAt;
await client.end();
await Promise.all(dures.map((dure) => dure.close()));
finish({ perSecond: asked / (countedMs / 1_000) / workers, serverPercent: (used / tookMs) * 100 });

/** Each statement of ours is a transaction. The server tells of what happened a second ago. */
async function transactions(): Promise<number> {
  await client.query("SELECT pg_stat_force_next_flush()");
  await sleep(1_500);
  const { rows } = await client.query(
    "SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()",
  );
  return Number(rows[0].xact_commit);
}

/** Time on a processor of every process of the server that runs now, in milliseconds. */
async function serverMs(): Promise<number> {
  const { rows } = await client.query("SELECT pid FROM pg_stat_activity");
  let sum = 0;
  for (const { pid } of rows) {
    try {
      sum += Number(readFileSync(`/proc/${pid}/schedstat`, "utf8").split(" ")[0]) / 1e6;
    } catch {
      // It ended meanwhile.
    }
  }
  return sum;
}
