/** What is asked for is taken as it is when it is asked, though the answer waits for the store. */
import { afterEach, beforeEach, expect, test } from "vitest";
import { createDure, type Dure } from "../../dure.ts";
import type { TaskSearchOptions } from "./search.ts";

let dure: Dure;

beforeEach(async () => {
  dure = createDure({ database: ":memory:" });
  const [send, report] = ["send-receipt", "nightly-report"].map((id) =>
    dure.defineTask(id, async () => undefined),
  );
  await send!.enqueueMany([{ payload: 1 }, { payload: 2 }]);
  await report!.enqueue(3);
});
afterEach(() => dure.close());

const asked: [string, (options: TaskSearchOptions) => Promise<unknown>][] = [
  ["searchTasks", async (options) => (await dure.searchTasks(options)).length],
  ["countTasks", (options) => dure.countTasks(options)],
  ["summarizeTasks", async (options) => (await dure.summarizeTasks(options)).total.count],
  ["explainSearch", async (options) => (await dure.explainSearch(options)).candidates],
  ["actOnTasks", async (options) => (await dure.actOnTasks(options, "cancel", { dryRun: true })).matched],
  ["startAction", async (options) => (await dure.startAction(options, "cancel")).payload.query],
];

test.each(asked)("%s, by one object for two types", async (_name, ask) => {
  const options: TaskSearchOptions = {};
  const answers = ["send-receipt", "nightly-report"].map((type) => {
    options.type = type;
    return ask(options);
  });
  const both = await Promise.all(answers);
  expect(both[0]).not.toBe(both[1]);
});
