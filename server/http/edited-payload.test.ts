import { expect, test } from "vitest";
import type { Json } from "./contract.ts";
import { editedPayload } from "./edited-payload.ts";

const hidden = "[redacted]";
const original = {
  at: new Date(7),
  password: "hunter2",
  size: 5n,
  list: [1, 2],
  user: { token: "t", age: 3 },
};
const shown: Json = {
  ...{ at: "1970-01-01T00:00:00.007Z", password: hidden, size: "5", list: [1, 2] },
  user: { token: hidden, age: 3 },
};

test("what was left alone keeps its type and its secret; what was changed is as it was given", () => {
  expect(editedPayload(shown, shown, original)).toBe(original);
  const given = { ...shown, list: [1], user: { token: hidden, age: 4 }, more: hidden };
  expect(editedPayload(given, shown, original)).toEqual({
    ...original,
    ...{ list: [1], user: { token: "t", age: 4 }, more: hidden },
  });
  expect(editedPayload({ password: "new" }, shown, original)).toEqual({ password: "new" });
  expect(editedPayload("text", shown, original)).toBe("text");
});

test("an item of a list is known by what it says, never by its place alone", () => {
  const people = [
    { name: "a", token: "of a" },
    { name: "b", token: "of b" },
  ];
  const seen = people.map(({ name }) => ({ name, token: hidden }));
  const [a, b] = seen;
  expect(editedPayload([b!], seen, people)).toEqual([people[1]]);
  expect(editedPayload([b!, a!], seen, people)).toEqual([people[1], people[0]]);
  expect(editedPayload([{ ...a!, name: "c" }, b!], seen, people)).toEqual([
    { name: "c", token: "of a" },
    people[1],
  ]);
  expect(editedPayload([{ ...b!, name: "c" }], seen, people)).toEqual([{ name: "c", token: hidden }]);
  const twins = [{ token: "1" }, { token: "2" }];
  const seenTwins = [{ token: hidden }, { token: hidden }];
  expect(editedPayload([{ token: hidden }], seenTwins, twins)).toEqual([{ token: hidden }]);
});
