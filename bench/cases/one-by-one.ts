/** How fast can one caller enqueue that awaits each task before the next? */
import { caseOptions, define, finish, open } from "../support/case.ts";
import { rateSince } from "../support/numbers.ts";
import { payload } from "../support/sample.ts";

const { tasks, database } = caseOptions(10_000);
const dure = open(database);
const definition = define(dure);
for (let n = 0; n < 500; n++) await definition.enqueue(payload);
const startedAt = performance.now();
for (let n = 0; n < tasks; n++) await definition.enqueue(payload);
const rate = rateSince(tasks, startedAt);
await dure.close();
finish({ rate });
