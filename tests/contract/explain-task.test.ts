/** Why a task waits, and behind how many: what its workers would claim before it. */
import { expect, test } from "vitest";
import { explainTaskIn } from "../../server/tasks/core/explain.ts";
import type { Instance } from "../../server/tasks/core/instance.ts";
import { newTask, newTasks, newWorker, startAt } from "../support/builders.ts";
import { onEachStore, type World } from "../support/stores.ts";

onEachStore("explainTask", (world) => {
  test("it is behind what is claimed before it, of its own instant too", async () => {
    const tasks = newTasks(20);
    await world.enqueue(...tasks);
    await world.enqueue(newTask({ createdAt: startAt, dueAt: startAt - 1 }), newTask({ priority: 5 }));
    const claimed = (await world.claim({ limit: 22 })).map(({ task }) => task.id);
    expect(claimed.slice(2)).toEqual(tasks.map(({ id }) => id));
    const again = newTasks(20, { createdAt: startAt + 5 });
    await world.enqueue(...again);
    await world.clock.advance(10);
    expect(await turnOf(world, again[0]!.id)).toMatchObject({
      code: "busy",
      message: expect.stringMatching(/^It is the next/),
    });
    expect(await turnOf(world, again[13]!.id)).toMatchObject({ code: "behind", ahead: 13, aheadErrorMax: 0 });
  });

  test("of tasks whose ids callers chose, those of its instant are what it may be off by", async () => {
    const ids = Array.from({ length: 12 }, (_, index) => `order-${index + 1}`);
    await world.enqueue(...newTasks(3, { createdAt: startAt - 1 }));
    await world.enqueue(...ids.map((id) => newTask({ id })));
    const { ahead, aheadErrorMax } = await turnOf(world, "order-7");
    expect(aheadErrorMax).toBe(11);
    expect(Math.abs(ahead! - 9)).toBeLessThanOrEqual(11);
    expect((await turnOf(world, "order-7")).message).toMatch(/^It is behind about \d+ other tasks/);
  });

  test("only what some worker runs counts, of the queues that it takes", async () => {
    const types = ["resize-image", "send-receipt"];
    await world.store.registerWorker({ ...newWorker("mailer"), types, queues: ["mail"] });
    await world.enqueue(
      ...newTasks(5, { type: "send-receipt", queue: "reports" }),
      ...newTasks(3, { type: "send-receipt", queue: "mail" }),
      ...newTasks(2, { queue: "reports" }),
      ...newTasks(7, { type: "nightly-report" }),
    );
    const [last] = newTasks(1, { type: "send-receipt", queue: "mail", createdAt: startAt + 1 });
    await world.enqueue(last!);
    await world.clock.advance(10);
    expect(await turnOf(world, last!.id)).toMatchObject({ code: "behind", ahead: 3, aheadErrorMax: 0 });
  });
});

async function turnOf(world: World, id: string) {
  const instance = { clock: world.clock, store: async () => world.store };
  return (await explainTaskIn(instance as unknown as Instance, id)).reasons[0]!;
}
