/** What needs attention over HTTP, as it is counted of a store. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { expect, onTestFinished, test } from "vitest";
import { createDure } from "../../server/dure.ts";
import { createHttpHandler } from "../../server/http.ts";

const silent = { info: () => undefined, warn: () => undefined, error: () => undefined };

test("the share of a type that fails is also known of tasks whose ends no history tells of", async () => {
  const folder = mkdtempSync(join(tmpdir(), "dure-attention-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const database = join(folder, "tasks.db");
  const dure = createDure({ database, logger: silent });
  const send = dure.defineTask(
    "send",
    async ({ payload }: { payload: { fails: boolean } }) => {
      if (payload.fails) throw new Error("no such mailbox");
    },
    { maxAttempts: 1 },
  );
  await dure.start();
  for (const fails of [true, false, false, false]) await send.run({ fails }).catch(() => undefined);
  await dure.close();
  const file = new DatabaseSync(database);
  expect(file.prepare("DELETE FROM history").run().changes).toBeGreaterThan(0);
  file.close();

  const reader = createDure({ database, logger: silent });
  const answer = await createHttpHandler(reader, { authorize: () => "viewer" })(
    new Request("http://127.0.0.1/api/attention"),
  );
  const { attention } = (await answer.json()) as { attention: unknown[] };
  await reader.close();
  expect(attention).toEqual([
    expect.objectContaining({ kind: "failing", type: "send", count: 1, share: 0.25 }),
  ]);
});
