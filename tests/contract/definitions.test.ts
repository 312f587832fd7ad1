import { expect, test } from "vitest";
import { newDefinition, newTask, startAt } from "../support/builders.ts";
import { detailsOf, ok, onEachStore, reasonOf } from "../support/stores.ts";

onEachStore("saveDefinitions and listDefinitions", (world) => {
  test("what is saved is listed, by id", async () => {
    const full = {
      ...newDefinition("b"),
      description: "B",
      maxAttempts: 9,
      queue: "q",
      priority: -5,
      timeoutMs: null,
      tags: ["x"],
      rerunAfterCrash: false,
      payloadSchema: { type: "object", properties: { url: { type: "string" } } },
    };
    ok(await world.store.saveDefinitions([full, newDefinition("a")]));
    const at = { createdAt: new Date(startAt), updatedAt: new Date(startAt) };
    expect(await world.store.listDefinitions()).toEqual([
      { ...newDefinition("a"), ...at },
      { ...full, ...at },
    ]);
  });

  test("saving the same again changes nothing; another setting is brought up to date", async () => {
    ok(await world.store.saveDefinitions([newDefinition("a"), newDefinition("b")]));
    await world.clock.advance(9);
    ok(
      await world.store.saveDefinitions([newDefinition("a"), { ...newDefinition("b"), description: "new" }]),
    );
    const [a, b] = await world.store.listDefinitions();
    expect(a?.updatedAt).toEqual(new Date(startAt));
    expect(b).toMatchObject({
      description: "new",
      createdAt: new Date(startAt),
      updatedAt: new Date(startAt + 9),
    });
  });

  test("an id that a task has is refused, and nothing is saved", async () => {
    await world.enqueue(newTask({ id: "b" }));
    const refused = await world.store.saveDefinitions([newDefinition("a"), newDefinition("b")]);
    expect(reasonOf(refused)).toBe("id-taken");
    expect(detailsOf(refused)).toMatchObject({ id: "b" });
    expect(await world.store.listDefinitions()).toEqual([]);
  });

  test("a single definition is refused the same way, also after other batches", async () => {
    await world.enqueue(newTask({ id: "b" }), newTask());
    ok(await world.store.saveDefinitions([newDefinition("c"), newDefinition("d")]));
    expect(reasonOf(await world.store.saveDefinitions([newDefinition("b")]))).toBe("id-taken");
  });
});
