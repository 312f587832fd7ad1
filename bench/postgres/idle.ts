/** What do fifty idle workers ask of the server? Statements a second and worker; the bench adds the server's time. */
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
const before = await transactions();
const startedAt = performance.now();
await sleep(idleMs);
const asked = (await transactions()) - before - 1;
const seconds = (performance.now() - startedAt) / 1_000;
await client.end();
await Promise.all(dures.map((dure) => dure.close()));
finish({ perSecond: asked / seconds / workers });

/** Each statement of ours is a transaction. The server tells of what happened a second ago. */
async function transactions(): Promise<number> {
  await client.query("SELECT pg_stat_force_next_flush()");
  await sleep(1_500);
  const { rows } = await client.query(
    "SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()",
  );
  return Number(rows[0].xact_commit);
}
