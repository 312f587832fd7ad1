/** How late does the main thread's event loop get while tasks are drained at full speed? */
import { caseOptions, define, finish, items, open, startCounter } from "../support/case.ts";
import { eventLoopDelay } from "../support/event-loop.ts";

const { tasks, database } = caseOptions(200_000);
const { onStart, reached } = startCounter(tasks);
const dure = open(database);
await define(dure, onStart).enqueueMany(items(tasks));
const delay = await eventLoopDelay(async () => {
  await dure.start();
  await reached;
});
await dure.close();
finish(delay);
