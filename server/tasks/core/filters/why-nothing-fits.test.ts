import { expect, test } from "vitest";
import type { Instance } from "../instance.ts";
import type { StoredDefinition, StoreSearch, TaskStore } from "../store.ts";
import type { Condition } from "./condition.ts";
import { whyNothingFits } from "./why-nothing-fits.ts";

function storeOf(...ids: string[]): { store: TaskStore; define(id: string): void; asked(): number } {
  let asked = 0;
  const listDefinitions = async () => {
    asked += 1;
    return ids.map((id) => ({ id }) as StoredDefinition);
  };
  const store = { listDefinitions } as Partial<TaskStore> as TaskStore;
  return { store, define: (id) => ids.push(id), asked: () => asked };
}

const instance = { registry: { get: () => undefined } } as unknown as Instance;
const searchOf = (type: string): StoreSearch => ({
  types: [type],
  ...{ sortBy: "createdAt", descending: true, limit: 50, offset: 0, definitions: false },
});

test("a type that was found to be defined is not asked for again", async () => {
  const { store, asked } = storeOf("resize-image");
  for (let times = 0; times < 3; times += 1)
    expect(await whyNothingFits(instance, store, searchOf("resize-image"))).toEqual([]);
  expect(asked()).toBe(1);
});

test("a type that was defined meanwhile is no slip any more", async () => {
  const { store, define } = storeOf("resize-image");
  const [why] = await whyNothingFits(instance, store, searchOf("send-receipt"));
  expect(why).toMatch('No task "send-receipt" is defined in this database.');
  define("send-receipt");
  expect(await whyNothingFits(instance, store, searchOf("send-receipt"))).toEqual([]);
});

test("what one store has defined another one may lack", async () => {
  await whyNothingFits(instance, storeOf("resize-image").store, searchOf("resize-image"));
  expect(await whyNothingFits(instance, storeOf().store, searchOf("resize-image"))).toHaveLength(1);
});

test.each([
  [
    "prefix",
    "reprot",
    'No task whose type begins with "reprot" is defined in this database. Did you mean "report-daily" or "reports"?',
  ],
  [
    "prefix",
    "Email",
    'No task whose type begins with "Email" is defined in this database. Did you mean "email-a"?',
  ],
  ["prefix", "nothing-near", 'No task whose type begins with "nothing-near" is defined in this database.'],
  [
    "contains",
    "emial-a",
    'No task whose type has in it "emial-a" is defined in this database. Did you mean "email-a"?',
  ],
] as const)("that no type is like %s %j is told, and which are nearly", async (kind, text, why) => {
  const { store } = storeOf("report-daily", "email-a", "reports");
  const field = { of: "task", name: "type" } as const;
  const like = (what: string): Condition =>
    kind === "prefix" ? { kind, field, prefix: what } : { kind, field, text: what };
  const { types: _types, ...search } = searchOf("");
  const told = (where: Condition) => whyNothingFits(instance, store, { ...search, where });
  expect(await told(like(text))).toEqual([why]);
  expect(await told({ kind: "and", parts: [like(text), { kind: "text", text: "x" }] })).toEqual([why]);
  expect(await told(like("email"))).toEqual([]);
  expect(await told({ kind: "not", part: like(text) })).toEqual([]);
});
