/**
 * How late does the main thread's event loop get while searches read every task of a large file? `--database` names
 * one made by history.ts. A page at the far end of an order and a count over half the time read the most.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { caseOptions, finish, open } from "../support/case.ts";
import { eventLoopDelay } from "../support/event-loop.ts";

const { database } = caseOptions(0);
const dure = open(database);
const total = await dure.countTasks();
const middle = new Date(Date.now() - 15 * 24 * 3_600_000);
const startedAt = performance.now();
const delay = await eventLoopDelay(async () => {
  await dure.searchTasks({ offset: Math.max(0, total - 60), limit: 50 });
  await dure.countTasks({ createdAtRange: { start: middle } });
  await sleep(200);
});
const searchMs = performance.now() - startedAt - 200;
await dure.close();
finish({ ...delay, searchMs, total });
