/** How fast does one `enqueueMany` store its tasks? */
import { caseOptions, define, finish, items, open } from "../support/case.ts";
import { rateSince } from "../support/numbers.ts";

const { tasks, database } = caseOptions(100_000);
const dure = open(database);
const definition = define(dure);
await definition.enqueueMany(items(1_000));
const batch = items(tasks);
const startedAt = performance.now();
await definition.enqueueMany(batch);
const rate = rateSince(tasks, startedAt);
await dure.close();
finish({ rate });
