/**
 * `node paused-program.ts <database> [lease]`: a worker that runs short tasks of both types until it is told to end. It says that it has
 * started when, on PostgreSQL, its connection that beats hears of changes, too.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { createDure } from "../../server/dure.ts";

const silent = { info: () => {}, warn: () => {}, error: () => {} };
const [, , database = "", lease = "15s"] = process.argv;
const dure = createDure({ database, logger: silent, worker: { concurrency: 4, lease } });
const briefly = () => sleep(1);
dure.defineTask("send-receipt", briefly);
dure.defineTask("resize-image", briefly);
await dure.start();
const store = await dure.instance.store();
const toldPollMs = 5_000;
while (database.startsWith("postgres") && store.pace.pollMs < toldPollMs) await sleep(10);
process.stdout.write("started\n");
process.on("SIGTERM", () => void dure.close().then(() => process.exit(0)));
// The test that started this process is gone.
process.stdin.on("end", () => process.exit(1)).resume();
