/** Full text within filters, while what passes these is only known from a search before. */
import { afterEach, beforeEach, expect, test } from "vitest";
import { createPostgresStore } from "../../server/tasks/stores/postgres/store.ts";
import { newSearch } from "../support/builders.ts";
import { ok } from "../support/stores.ts";
import { schema, store, task, useTextIndex } from "../support/text-index.ts";

useTextIndex();

let other: typeof store;
beforeEach(async () => {
  other = createPostgresStore({ url: schema.url });
  await other.open();
});
afterEach(() => other?.close());

test("what another process brings to a queue or a status that had none is found at once", async () => {
  const search = newSearch({
    ...{ types: [task("any").type], where: { kind: "text", text: "receipt" } },
    ...{ sortBy: "createdAt", descending: false, definitions: false },
  });
  const found = async (asked = search) => (await store.searchTasks(asked)).tasks.map(({ id }) => id);
  ok(await store.enqueueTasks([task("a", { words: "receipt" })]));
  expect(await found()).toEqual(["a"]);
  expect(await found()).toEqual(["a"]);
  ok(await other.enqueueTasks([{ ...task("b", { words: "receipt" }), queue: "mail" }]));
  expect(await found()).toEqual(["a", "b"]);
  const cancelled = { ...search, statuses: ["CANCELLED" as const] };
  expect(await found(cancelled)).toEqual([]);
  ok(await other.cancelTask("b"));
  expect(await found(cancelled)).toEqual(["b"]);
});
