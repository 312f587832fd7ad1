/** F47, F48: the server has carried a statement out, and its answer is lost; or it never saw it. Nobody can tell which. */
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { CuttingProxy } from "../support/cutting-proxy.ts";
import { FaultWorld } from "../support/fault-world.ts";
import type { TestSchema } from "../support/postgres.ts";
import { takeTestSchema } from "../support/spare-schemas.ts";

vi.setConfig({ testTimeout: 60_000 });

let schema: TestSchema;
let proxy: CuttingProxy;
let world: FaultWorld;

beforeEach(async () => {
  schema = await takeTestSchema();
  proxy = await CuttingProxy.start(schema.url);
  world = await FaultWorld.open({ url: proxy.url(schema.url), checkUrl: schema.url, workers: 1 });
});
afterEach(async () => {
  proxy.heal();
  await world.close();
  await proxy.close();
  await schema.drop();
});

/** What the statements of each kind begin with, and whether the server sees the one that is lost. */
describe.each([
  { seen: "the server has carried out", forward: true },
  { seen: "the server has never seen", forward: false },
])("of a statement that $seen, the answer is lost:", ({ forward }) => {
  test("an enqueue is sent again and is one task", async () => {
    await world.enqueue();
    const lost = proxy.loseAnswer(/dure:insert/, { forward });
    const id = await world.enqueue();
    await lost;
    expect(id, "the caller is told the task").toBeDefined();
    await world.check();
    expect(await world.caller.countTasks({ definitions: false })).toBe(2);
  });

  test("an enqueue with a key is one task and no conflict", async () => {
    await world.enqueue();
    const lost = proxy.loseAnswer(/dure:insert/, { forward });
    const options = { idempotencyKey: "order-17" };
    const { id } = await world.caller.enqueueTask("resize-image", { widthPx: 1 }, options);
    world.acknowledged.add(id);
    await lost;
    expect((await world.caller.enqueueTask("resize-image", { widthPx: 1 }, options)).id).toBe(id);
    await world.check();
  });

  test("a batch is there once", async () => {
    await world.enqueue();
    const lost = proxy.loseAnswer(/^COMMIT/, { forward });
    const items = Array.from({ length: 2_500 }, (_, place) => ({ payload: { place } }));
    const definition = world.caller.defineTask("send-receipt", async () => "done");
    const tasks = await definition.enqueueMany(items);
    await lost;
    expect(new Set(tasks.map(({ id }) => id)).size).toBe(2_500);
    expect(await world.caller.countTasks({ type: "send-receipt" })).toBe(2_500);
    await schema.query("DELETE FROM :schema.tasks WHERE id = ANY ($1)", [tasks.map(({ id }) => id)]);
  });

  test("a claim is released or run, and charged once", async () => {
    await world.enqueue();
    await world.until("the first end", () => world.starts > 0);
    const lost = proxy.loseAnswer(/dure:claim/, { forward });
    for (let count = 0; count < 30; count += 1) await world.enqueue();
    await lost;
    await world.check();
  });

  test("a settlement is sent again and known as its own", async () => {
    await world.enqueue();
    await world.until("the first end", () => world.starts > 0);
    for (let round = 0; round < 3; round += 1) {
      const lost = proxy.loseAnswer(/dure:settle/, { forward });
      for (let count = 0; count < 10; count += 1) await world.enqueue();
      await lost;
    }
    await world.check();
    for (const id of world.acknowledged) {
      const outcomes = (await world.caller.listAttempts(id)).map(({ outcome }) => outcome);
      expect(outcomes.filter((outcome) => outcome === "completed")).toHaveLength(1);
      expect(outcomes).not.toContain("lost");
    }
  });

  test("a cancel is told as unknown at worst, and what then holds can be read", async () => {
    const { id } = await world.caller.enqueueTask("resize-image", {}, { delay: "1h" });
    world.acknowledged.add(id);
    const lost = proxy.loseAnswer(/^COMMIT/, { forward });
    const answer = await world.caller.cancelTask(id).then(
      ({ task }) => task.status as string,
      ({ code }) => code as string,
    );
    await lost;
    expect(["CANCELLED", "COMMIT_UNKNOWN"]).toContain(answer);
    const after = await world.caller.getTaskById(id);
    expect(after!.status).toBe(forward || answer === "CANCELLED" ? "CANCELLED" : "PENDING");
    if (after!.status === "PENDING") await world.caller.cancelTask(id);
    expect((await world.caller.getTaskById(id))!.status).toBe("CANCELLED");
    await world.check();
  });

  test("a heartbeat is sent again, and the worker keeps what it runs", async () => {
    world.workMs = 2_000;
    const id = await world.enqueue();
    await world.until("its start", () => world.startsOf(id!) > 0);
    await proxy.loseAnswer(/dure:renewLease/, { forward });
    world.workMs = 1;
    await world.check();
    expect(world.logged.join("\n")).not.toContain("taken for dead");
  });
});
