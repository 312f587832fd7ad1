/**
 * The same drain in a file with many finished tasks, while eight searches run without pause in the same process: pages of
 * every kind, counts and facets. Also how late the event loop gets meanwhile, and that of an idle process beside.
 */
import { caseOptions, define, drainRate, finish, items, open, startCounter } from "../support/case.ts";
import { eventLoopDelayBeside } from "../support/event-loop.ts";

const { tasks, database } = caseOptions(100_000);
const { onStart, reached } = startCounter(tasks);
const dure = open(database);
await define(dure, onStart).enqueueMany(items(tasks));
const searches = [
  () => dure.searchTasks({ status: "FAILED" }),
  () => dure.searchTasks({ status: "COMPLETED", sortBy: "updatedAt", type: ["history-3", "type-3"] }),
  () => dure.searchTasks({ sortBy: "id", sortOrder: "asc", limit: 100 }),
  () => dure.searchTasks({ status: "PENDING", offset: 1_000 }),
  () => dure.searchTasks({ query: "duration:>1s status:completed" }),
  () => dure.countTasks({ status: ["FAILED", "CANCELLED"] }),
  () => dure.summarizeTasks({ by: ["status", "type"] }),
  () => dure.searchTasks({ updatedAtRange: { start: new Date(Date.now() - 3_600_000) } }),
];
let isOver = false;
let asked = 0;
let rate = 0;
const asking = searches.map(async (search) => {
  while (!isOver) {
    await search();
    asked += 1;
  }
});
const delay = await eventLoopDelayBeside(async () => {
  rate = await drainRate(dure, reached, tasks);
});
isOver = true;
await Promise.all(asking);
await dure.close();
finish({ rate, asked, ...delay });
