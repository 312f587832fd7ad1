/** The same drain when every task waits in a queue of its own, and how fast tasks are stored that each make a queue. */
import { caseOptions, define, drainRate, finish, items, open, startCounter } from "../support/case.ts";
import { rateSince } from "../support/numbers.ts";

const { tasks, database } = caseOptions(100_000);
const { onStart, reached } = startCounter(tasks);
const dure = open(database);
const definition = define(dure, onStart);
const queued = items(tasks).map((item, number) => ({ ...item, queue: `queue-${number}` }));
const storedFrom = performance.now();
await definition.enqueueMany(queued);
const enqueueRate = rateSince(tasks, storedFrom);
const rate = await drainRate(dure, reached, tasks);
await dure.close();
finish({ rate, enqueueRate });
