import { expect, test } from "vitest";
import type { Pause } from "../tasks/core/pauses.ts";
import type { SavedSearch } from "../tasks/core/saved-searches.ts";
import type { Task } from "../tasks/core/task.ts";
import { Documents, redactByName } from "./documents.ts";

const canary = "canary-90ab";
const documents = new Documents(redactByName);
const taskOf = (payload: unknown, more: object = {}) =>
  ({ id: "order-17", type: "send-receipt", payload, ...more }) as Task;

function nested(levels: number): unknown {
  let value: unknown = { password: canary };
  for (let level = 0; level < levels; level++) value = new Map([["next", value]]);
  return value;
}

test.each<[string, unknown]>([
  ["under its key", { user: { password: canary } }],
  ["in lists", [[{ apiKey: canary }]]],
  ["whole branches", { credentials: { list: [canary] } }],
  ["entries of a Map", new Map([["token", canary]])],
  [
    "headers as pairs",
    {
      headers: [
        ["authorization", canary],
        ["accept", "*/*"],
      ],
    },
  ],
  ["as deep as a payload may be", nested(90)],
])("a secret is not shown: %s", (_, payload) => {
  expect(JSON.stringify(documents.task(taskOf(payload)))).not.toContain(canary);
});

test("beside a secret all else is shown", () => {
  const { payload } = documents.task(
    taskOf({
      headers: [
        ["token", "x"],
        ["accept", "*/*"],
      ],
      pair: ["a", "b"],
    }),
  );
  expect(payload).toEqual({
    headers: [
      ["token", "[redacted]"],
      ["accept", "*/*"],
    ],
    pair: ["a", "b"],
  });
});

test("what somebody wrote is shown without the secrets in it", () => {
  const text = `to postgres://app:${canary}@db`;
  const task = documents.task(taskOf({}, { progress: { done: 1, message: text }, error: text }));
  const pause = documents.pause({ queue: "mail", reason: text } as unknown as Pause);
  for (const shown of [task, pause]) {
    expect(JSON.stringify(shown)).not.toContain(canary);
    expect(JSON.stringify(shown)).toContain("postgres://app:[redacted]@db");
  }
});

test("what keeps an alert from its work is shown without secrets, and not to who sees no payloads", () => {
  const search = {
    name: "stuck",
    query: "status:pending",
    alertState: {
      checkedAt: new Date(0),
      problem: `INVALID_PAYLOAD: password=${canary} is too long for order 17`,
    },
  } as SavedSearch;
  const problemFor = (seesPayloads: boolean) =>
    documents.shownTo(seesPayloads).search(search).alertState?.problem;
  expect(problemFor(true)).toMatch(/^INVALID_PAYLOAD: .*order 17$/);
  expect(problemFor(true)).not.toContain(canary);
  expect(problemFor(false)).toBe("[hidden]");
});

test("a pair whose secret is hidden comes back as it was, or is refused", () => {
  const original = {
    headers: [
      ["token", canary],
      ["accept", "*/*"],
    ],
  };
  const shown = documents.task(taskOf(original)).payload as { headers: string[][] };
  expect(documents.edited({ ...shown, more: 1 } as never, original)).toEqual({ ...original, more: 1 });
  expect(() => documents.edited({ other: [["token", "[redacted]"]] } as never, original)).toThrow(
    /other\.0\.1 is hidden/,
  );
});
