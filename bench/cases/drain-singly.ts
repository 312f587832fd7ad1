/** Waiting tasks run one after another: each claim and each settlement is a commit of its own. */
import { caseOptions, define, drainRate, finish, items, open, startCounter } from "../support/case.ts";

const { tasks, database } = caseOptions(6_000);
const { onStart, reached } = startCounter(tasks);
const dure = open(database, 1);
await define(dure, onStart).enqueueMany(items(tasks));
const rate = await drainRate(dure, reached, tasks);
await dure.close();
finish({ rate });
