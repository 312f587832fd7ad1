/** Every migration has a number of its own, also when two that were made side by side come together. */
import { expect, test } from "vitest";
import { readMigrations } from "../../server/tasks/stores/migrate.ts";

test.each(["sqlite", "postgres"])(
  "the migrations of %s run from 1 without a gap or a second one",
  (store) => {
    const folder = new URL(`../../server/tasks/stores/${store}/migrations/`, import.meta.url);
    const numbers = readMigrations(folder).map(({ number }) => number);
    expect(numbers).toEqual(numbers.map((_, index) => index + 1));
  },
);
