/** How fast are waiting tasks run, from start() until the last one's end is stored? With or without a history. */
import { caseOptions, define, finish, items, open, startCounter } from "../support/case.ts";
import { rateSince } from "../support/numbers.ts";

const { tasks, database } = caseOptions(100_000);
const { onStart, reached } = startCounter(tasks);
const dure = open(database);
await define(dure, onStart).enqueueMany(items(tasks));
const startedAt = performance.now();
await dure.start();
await reached;
await dure.stop();
const rate = rateSince(tasks, startedAt);
await dure.close();
finish({ rate });
