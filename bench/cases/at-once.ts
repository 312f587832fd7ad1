/** How fast do tasks go through when they are enqueued and run at once, in one process, in batches of 1,000? */
import { caseOptions, define, finish, items, open, startCounter } from "../support/case.ts";
import { rateSince } from "../support/numbers.ts";

const batchSize = 1_000;
const { tasks, database } = caseOptions(100_000);
const { onStart, reached } = startCounter(tasks);
const dure = open(database);
const definition = define(dure, onStart);
await dure.start();
const startedAt = performance.now();
for (let n = 0; n < tasks; n += batchSize) await definition.enqueueMany(items(batchSize));
await reached;
await dure.stop();
const rate = rateSince(tasks, startedAt);
await dure.close();
finish({ rate });
