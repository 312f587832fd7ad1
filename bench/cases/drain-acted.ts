/**
 * The same drain while an action cancels a million other tasks that wait, and how fast that action is. The drained tasks
 * are stored beforehand, of a type that is paused until the action is well under way.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { caseOptions, define, finish, items, open, startCounter } from "../support/case.ts";
import { rateSince } from "../support/numbers.ts";
import { typeName } from "../support/sample.ts";

const { tasks, database } = caseOptions(100_000);
const others = 1_000_000;
const batch = 100_000;
const { onStart, reached } = startCounter(tasks);
const dure = open(database);
const definition = define(dure, onStart);
await dure.pause({ type: typeName });
await definition.enqueueMany(items(tasks));
const other = dure.defineTask("bench-other", async () => undefined);
const later = items(batch).map((item) => ({ ...item, delay: "30d" }));
for (let stored = 0; stored < others; stored += batch) await other.enqueueMany(later);
await dure.start();
const actedFrom = performance.now();
const action = await dure.startAction({ type: "bench-other" }, "cancel");
await progressed(action.id);
const drainedFrom = performance.now();
await dure.resume({ type: typeName });
await reached;
const rate = rateSince(tasks, drainedFrom);
const ended = await dure.waitForTask(action.id, { timeout: "10m" });
const actionRate = rateSince(others, actedFrom);
const isWhole = (ended.result as { changed: number } | undefined)?.changed === others;
if (!isWhole) throw new Error(`The action ended otherwise: ${JSON.stringify(ended.result ?? ended.error)}`);
await dure.close();
finish({ rate, actionRate });

async function progressed(id: string): Promise<void> {
  for (;;) {
    const task = await dure.getTaskById(id);
    if ((task?.progress?.done ?? 0) > 0) return;
    await sleep(100);
  }
}
