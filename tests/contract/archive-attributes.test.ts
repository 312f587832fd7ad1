import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { createDure } from "../../server/dure.ts";
import type { Attributes, TaskStore } from "../../server/tasks/core/store.ts";
import { newTask } from "../support/builders.ts";
import { onEachStore } from "../support/stores.ts";

const attributes: (Attributes | undefined)[] = [
  { userId: 42, label: ["vip", "Ü 한국"] },
  { userId: 42, paid: true },
  { userId: "42", label: "vip" },
  { userId: -2.5, label: ["new"], paid: false },
  undefined,
];

/** With the places of the tasks that fit. */
const queries = [
  ["attribute.userId:42", [0, 1, 2]],
  ["userId:42 status:failed", [1]],
  ["userId:<0", [3]],
  ["-userId:42", [3, 4]],
  ["label:vip", [0, 2]],
  ["label:v*", [0, 2]],
  ["paid:true OR userId:-2.5", [1, 3]],
] as const;

onEachStore("attributes in the archive", (world) => {
  test("archived tasks are found by the attributes that they had, by an instance that defines no type", async () => {
    for (const [place, given] of attributes.entries()) {
      const task = newTask({ id: `task-${place}`, ...(given && { attributes: given }) });
      await world.settle(await world.running(task), place % 2 === 0 ? "completed" : "failed", {
        error: { name: "Error", message: "m" },
      });
    }
    const folder = mkdtempSync(join(tmpdir(), "dure-"));
    const dure = createDure({
      store: alreadyOpen(world.store),
      retention: { completed: "0s", failed: "0s", archiveTo: folder },
    });
    try {
      expect(await dure.prune()).toEqual({ archived: attributes.length, deleted: attributes.length });
      for (const [query, places] of queries) {
        const { tasks } = await dure.searchArchive({ query, budget: "none" });
        const ids = tasks.map(({ id }) => id).sort();
        expect(ids, query).toEqual(places.map((place) => `task-${place}`));
      }
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});

/** The same store for an instance that would open it once more: in memory it would be empty then. */
function alreadyOpen(store: TaskStore): TaskStore {
  return new Proxy(store, {
    get(target, name) {
      if (name === "open") return async () => {};
      const value = Reflect.get(target, name, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}
