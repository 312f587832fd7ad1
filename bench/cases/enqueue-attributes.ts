/** The same `enqueueMany` for a definition with two attributes, one of a hundred thousand values and one of three. */
import { caseOptions, finish, open } from "../support/case.ts";
import { rateSince } from "../support/numbers.ts";
import { payload, typeName } from "../support/sample.ts";

const { tasks, database } = caseOptions(100_000);
const dure = open(database);
const definition = dure.defineTask(
  typeName,
  async (_task: { payload: typeof payload & { userId: number } }) => undefined,
  {
    attributes: {
      userId: ({ userId }) => userId,
      plan: ({ userId }) => ["free", "team", "enterprise"][userId % 3],
    },
  },
);
const given = Array.from({ length: tasks }, (_, n) => ({
  payload: { ...payload, userId: (n * 7_919) % 100_000 },
}));
await definition.enqueueMany(given.slice(0, 1_000));
const startedAt = performance.now();
await definition.enqueueMany(given);
const rate = rateSince(tasks, startedAt);
await dure.close();
finish({ rate });
