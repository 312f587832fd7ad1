/** How fast are waiting tasks run, from start() until the last one's end is stored? With or without a history. */
import { caseOptions, define, drainRate, finish, items, open, startCounter } from "../support/case.ts";

const { tasks, database } = caseOptions(100_000);
const { onStart, reached } = startCounter(tasks);
const dure = open(database);
await define(dure, onStart).enqueueMany(items(tasks));
const rate = await drainRate(dure, reached, tasks);
await dure.close();
finish({ rate });
