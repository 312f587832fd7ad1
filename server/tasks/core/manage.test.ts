import { afterEach, beforeEach, expect, test } from "vitest";
import { createDure, type Dure } from "../../dure.ts";

let dure: Dure;

beforeEach(() => {
  dure = createDure({ database: ":memory:" });
});
afterEach(() => dure.close());

const asked: [string, (id: any) => Promise<unknown>][] = [
  ["cancelTask", (id) => dure.cancelTask(id)],
  ["retryTask", (id) => dure.retryTask(id)],
  ["editTask", (id) => dure.editTask(id, { priority: 1 })],
  ["deleteTask", (id) => dure.deleteTask(id)],
  ["explainTask", (id) => dure.explainTask(id)],
  ["listAttempts", (id) => dure.listAttempts(id)],
  ["getTaskById", (id) => dure.getTaskById(id)],
  ["enqueueTask", (id) => dure.enqueueTask(id, null)],
];

test.each(asked)("%s refuses what is no id", async (_verb, ask) => {
  for (const id of [undefined, null, 5, [], {}])
    await expect(ask(id)).rejects.toMatchObject({
      code: "INVALID_ID",
      message: expect.stringMatching(/must be a string/),
    });
});

test.each([undefined, null, [], {}])("an edit of nothing is refused: %j", async (edit) => {
  await expect(dure.editTask("report-7", edit as never)).rejects.toMatchObject({ code: "INVALID_OPTION" });
});
