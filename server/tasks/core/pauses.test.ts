import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createDure, type Dure } from "../../dure.ts";
import type { PauseTarget } from "./pauses.ts";

const silent = { info: () => {}, warn: () => {}, error: () => {} };
let dure: Dure;
beforeEach(() => {
  dure = createDure({ database: ":memory:", logger: silent });
  dure.defineTask("send-receipt", async () => "sent");
  dure.defineTask("nightly-report", async () => "written", { queue: "reports" });
});
afterEach(() => dure.close());

test("a pause is listed until it is resumed, types before queues", async () => {
  const queue = await dure.pause({ queue: "reports" });
  const type = await dure.pause({ type: "send-receipt" }, { reason: "the mail server is down" });
  expect(type).toEqual({
    type: "send-receipt",
    pausedAt: expect.any(Date),
    reason: "the mail server is down",
  });
  expect(await dure.listPauses()).toEqual([type, queue]);
  expect(await dure.resume({ type: "send-receipt" })).toBe(true);
  expect(await dure.resume({ type: "send-receipt" })).toBe(false);
  expect(await dure.listPauses()).toEqual([queue]);
});

test("whoever waits for a paused task gets its result once it is resumed", async () => {
  await dure.pause({ type: "send-receipt" });
  await dure.start();
  const sent = await dure.enqueueTask("send-receipt", {});
  const written = await dure.enqueueTask("nightly-report", {});
  expect((await dure.waitForTask(written.id)).status).toBe("COMPLETED");
  expect((await dure.getTaskById(sent.id))?.status).toBe("PENDING");
  const waited = dure.waitForTask(sent.id);
  await dure.resume({ type: "send-receipt" });
  expect((await waited).result).toBe("sent");
});

test.each<[unknown, unknown, string, RegExp]>([
  [{}, {}, "INVALID_OPTION", /neither a type nor a queue/],
  [{ type: "send-receipt", queue: "mail" }, {}, "INVALID_OPTION", /both a type and a queue/],
  [{ typ: "send-receipt" }, {}, "INVALID_OPTION", /Did you mean "type"/],
  ["send-receipt", {}, "INVALID_OPTION", /plain object/],
  [undefined, {}, "INVALID_OPTION", /neither/],
  [{ type: "send reciept" }, {}, "INVALID_OPTION", /definition id/],
  [{ queue: "" }, {}, "INVALID_OPTION", /queue/],
  [{ type: "send-reciept" }, {}, "TASK_NOT_DEFINED", /Did you mean "send-receipt"/],
  [{ type: "send-receipt" }, { reason: "" }, "INVALID_OPTION", /empty/],
  [{ type: "send-receipt" }, { reason: "a\nb" }, "INVALID_OPTION", /one line/],
  [{ type: "send-receipt" }, { reason: "x".repeat(1_001) }, "INVALID_OPTION", /1000 characters/],
])("pause(%j, %j) is refused with %s", async (target, options, code, message) => {
  const refused = dure.pause(target as PauseTarget, options as object);
  await expect(refused).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
  expect(await dure.listPauses()).toEqual([]);
});

describe("why a task waits", () => {
  const codes = async (id: string) => (await dure.explainTask(id)).reasons.map(({ code }) => code);

  test("is that it is paused, since when and why, and nothing of its turn", async () => {
    await dure.start();
    const { pausedAt } = await dure.pause({ queue: "reports" }, { reason: "month's end" });
    const { id } = await dure.enqueueTask("nightly-report", {});
    expect((await dure.explainTask(id)).reasons).toEqual([
      {
        code: "paused",
        message: `Queue "reports" is paused since ${pausedAt.toISOString()} (month's end). It waits until that is resumed.`,
      },
    ]);
    await dure.pause({ type: "nightly-report" });
    expect(await codes(id)).toEqual(["paused", "paused"]);
  });

  test("is first its due time, where that is to come", async () => {
    await dure.pause({ type: "send-receipt" });
    const { id } = await dure.enqueueTask("send-receipt", {}, { delay: "1h" });
    expect(await codes(id)).toEqual(["scheduled", "paused", "no-worker"]);
  });

  test("does not count what is paused among those before it", async () => {
    await dure.pause({ type: "nightly-report" });
    await dure.pause({ queue: "bulk" });
    await dure.start();
    const release = await occupy();
    for (let number = 0; number < 3; number += 1) {
      await dure.enqueueTask("nightly-report", {}, { priority: 5 });
      await dure.enqueueTask("send-receipt", {}, { priority: 5, queue: "bulk" });
    }
    await dure.enqueueTask("send-receipt", {}, { priority: 5 });
    const { id } = await dure.enqueueTask("send-receipt", {});
    expect((await dure.explainTask(id)).reasons).toMatchObject([
      { code: "behind", ahead: 1, message: "It is behind 1 other task of priority 0 or higher." },
      { code: "busy", message: "Every slot of its workers is taken: 10 of 10." },
    ]);
    release();
  });

  /** Takes every slot of the worker until it is told to let go. */
  async function occupy(): Promise<() => void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    let started = 0;
    const all = Promise.withResolvers<void>();
    const [{ concurrency } = { concurrency: 0 }] = await dure.listWorkers();
    dure.defineTask("hold", async () => {
      started += 1;
      if (started === concurrency) all.resolve();
      await promise;
    });
    for (let slot = 0; slot < concurrency; slot += 1) await dure.enqueueTask("hold", {}, { priority: 10 });
    await all.promise;
    return resolve;
  }
});
