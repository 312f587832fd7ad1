/** How fast can a hundred callers enqueue, each awaiting its own tasks one by one? Group commit at work. */
import { caseOptions, define, finish, open } from "../support/case.ts";
import { rateSince } from "../support/numbers.ts";
import { payload } from "../support/sample.ts";

const callers = 100;
const { tasks, database } = caseOptions(100_000);
const dure = open(database);
const definition = define(dure);
await enqueueAll(2_000);
const startedAt = performance.now();
await enqueueAll(tasks);
const rate = rateSince(tasks, startedAt);
await dure.close();
finish({ rate });

async function enqueueAll(count: number): Promise<void> {
  const each = Math.ceil(count / callers);
  await Promise.all(Array.from({ length: callers }, () => enqueueInTurn(each)));
}

async function enqueueInTurn(count: number): Promise<void> {
  for (let n = 0; n < count; n++) await definition.enqueue(payload);
}
