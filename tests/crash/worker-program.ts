/**
 * A worker process of the crash tests: `node worker-program.ts <settings as JSON>`. It defines tasks whose payloads say
 * what they do, and writes the start and end of every handler to a ledger, synced to disk, so that what really ran
 * is known without asking the database.
 */

import { appendFileSync, fsyncSync, openSync, writeSync } from "node:fs";
import { enableCompileCache } from "node:module";
import type { DureOptions, TaskContext, TaskOptions, WorkerOptions } from "dure";
import { ledgerNow, ledgerText } from "../support/crash-ledger.ts";
import { noteThreads } from "../support/store-threads.ts";
import type { Deed, DeedWorld } from "./deeds.ts";
import { act } from "./deeds.ts";
import { jumpTo } from "./jumping-clock.ts";

/** What a worker process is started with. */
export interface ProgramSettings {
  /** A file, or a PostgreSQL's URL. */
  database: string;
  ledger: string;
  /** By id. */
  definitions: Record<string, TaskOptions>;
  worker: WorkerOptions;
  /** How far its clock is off from the start. */
  jumpMs?: number;
  /** Instead of the store's own limit for a main thread that does not turn. */
  maxBlockMs?: number;
}

enableCompileCache();
noteThreads();
const { createDure } = await import("dure");
const settings: ProgramSettings = JSON.parse(process.argv[2]!);
if (settings.jumpMs !== undefined) jumpTo(settings.jumpMs);
const ledger = openSync(settings.ledger, "a", 0o600);
const log = (message: string, fields?: object) =>
  appendFileSync(`${settings.ledger}.log`, `${process.pid} ${message} ${JSON.stringify(fields ?? {})}\n`);
let running = 0;
let stops = 0;

const dure = createDure({
  database: settings.database,
  logger: { info: log, warn: log, error: log },
  worker: { depthMax: 1_000, ...settings.worker, onUnhealthy: () => record("unhealthy", "", 0) },
  ...(settings.maxBlockMs !== undefined && { store: await storeWithMaxBlock(settings.maxBlockMs) }),
});
const world: DeedWorld = {
  running: () => running,
  record,
  enqueue: (payload, options) => dure.enqueueTask("resize-image", payload, options),
};
for (const [id, options] of Object.entries(settings.definitions)) dure.defineTask(id, handle, options);

process.on("SIGTERM", () => {
  record("stopping", "", 0);
  stops += 1;
  void stop(stops > 1);
});
process.on("message", ({ jumpMs }: { jumpMs: number }) => {
  jumpTo(jumpMs);
  record("jumped", "", 0);
});
// The test that started this process is gone.
process.on("disconnect", () => process.kill(process.pid, "SIGKILL"));
process.channel?.unref();
await dure.start();
record("ready", "", 0);

async function handle(task: { id: string; payload: Deed }, context: TaskContext): Promise<unknown> {
  record("start", task.id, context.fence);
  running += 1;
  try {
    return await act(task.payload, task as never, context, world);
  } finally {
    running -= 1;
    record("end", task.id, context.fence);
  }
}

async function stop(now: boolean): Promise<void> {
  const { released } = await dure.stop({ now });
  if (now !== stops > 1) return;
  await dure.close();
  record(`stopped ${released}`, "", 0);
  process.exit(0);
}

/** Times are the machine's, whatever this process's clock was set to. */
function record(event: string, taskId: string, fence: number): void {
  writeSync(ledger, ledgerText({ event, taskId, fence, pid: process.pid, at: ledgerNow() }));
  fsyncSync(ledger);
}

async function storeWithMaxBlock(maxBlockMs: number): Promise<NonNullable<DureOptions["store"]>> {
  const built = (file: string) => import(new URL(`../../dist/server/tasks/${file}.js`, import.meta.url).href);
  const { createSystemClock } = await built("runtime/system-clock");
  const store = settings.database.includes("://")
    ? (await built("stores/postgres/store")).createPostgresStore({ url: settings.database })
    : (await built("stores/sqlite/store")).createSqliteStore({
        path: settings.database,
        durability: "full",
        clock: createSystemClock(),
      });
  const holdLease = store.holdLease.bind(store);
  store.holdLease = (request: object) => holdLease({ ...request, maxBlockMs });
  return store;
}
