import { expect, test } from "vitest";
import { newSearch } from "../../../../../tests/support/builders.ts";
import type { Database } from "../connections/database.ts";
import type { MayMeet } from "./may-meet.ts";
import { lookedFor, MetBefore } from "./met-before.ts";

const filter: MayMeet = { of: "error", text: "timeout" };

test("of what was met before is told how many are to be looked at, of each condition and its filters, and of a database alone", () => {
  const before = MetBefore.of({} as Database);
  const failed = newSearch({ statuses: ["FAILED"] });
  before.note(failed, filter, { seen: 200, met: 50 });
  expect(before.shareOf({ ...failed, limit: 7 }, filter)).toBe(0.25);
  expect(lookedFor(50, 0.25)).toBe(260);
  expect(before.shareOf(newSearch(), filter)).toBeUndefined();
  expect(before.shareOf(failed, { ...filter, text: "other" })).toBeUndefined();
  expect(MetBefore.of({} as Database).shareOf(failed, filter)).toBeUndefined();
  // Few tell little.
  before.note(failed, filter, { seen: 49, met: 49 });
  expect(before.shareOf(failed, filter)).toBe(0.25);
  before.forget(failed, filter);
  expect(before.shareOf(failed, filter)).toBeUndefined();
});

test("it is kept of the latest conditions", () => {
  const before = MetBefore.of({} as Database);
  const search = newSearch();
  for (let n = 0; n < 600; n += 1) before.note(search, { of: "error", text: `${n}` }, { seen: 100, met: 10 });
  expect(before.shareOf(search, { of: "error", text: "0" })).toBeUndefined();
  expect(before.shareOf(search, { of: "error", text: "599" })).toBe(0.1);
});
