/** What a reading connection keeps of the counts by the hour: whatever happens to tasks, it counts as one that has kept nothing. */
import { expect, test } from "vitest";
import type { Buckets, StoreSearch } from "../../../server/tasks/core/store.ts";
import { hourMs } from "../../../server/tasks/stores/shared/hours.ts";
import { dayMs } from "../../../server/tasks/stores/shared/kept-counts.ts";
import type { Connection } from "../../../server/tasks/stores/sqlite/connection.ts";
import { areKept } from "../../../server/tasks/stores/sqlite/counts/kept-hours.ts";
import { summarizeTasks } from "../../../server/tasks/stores/sqlite/counts/summary.ts";
import { LivedTasks } from "../../model/lived-tasks.ts";
import { newSearch, newTasks, startAt } from "../../support/builders.ts";
import { Chance } from "../../support/chance.ts";
import { readFileEachTest } from "../../support/read-file.ts";

const file = readFileEachTest();

const bucketsOf = (time: Buckets["time"]): (Buckets | undefined)[] => [
  { time, bucketMs: hourMs },
  { time, bucketMs: dayMs },
  undefined,
];

function countsOf(connection: Connection, search: StoreSearch, buckets: Buckets | undefined): string[] {
  const asked = { search, buckets, by: ["type", "status"] as const };
  const { groups, cells } = connection.snapshot(() => summarizeTasks(connection, asked));
  const counts: string[] = [];
  for (let next = 0; next < cells.length; next += 3)
    counts.push(JSON.stringify([groups[cells[next]!], cells[next + 1], cells[next + 2]]));
  return counts.sort();
}

/** Asked by both, in one state of the file; some hours of the range now, others later. */
function compare(label: string, chance: Chance): void {
  const fresh = file.fresh();
  try {
    for (const time of ["createdAt", "updatedAt"] as const) {
      const start = startAt - 40 * hourMs + chance.below(60) * hourMs - 1;
      const range = { start, end: start + (3 + chance.below(40)) * hourMs };
      const search = newSearch({ ...(time === "createdAt" ? { created: range } : { updated: range }) });
      for (const buckets of bucketsOf(time))
        expect(
          countsOf(file.reader, search, buckets),
          `${label} ${JSON.stringify({ search, buckets })}`,
        ).toEqual(countsOf(fresh, search, buckets));
    }
  } finally {
    fresh.close();
  }
}

test("after each change the counts are those that a new reader finds", async () => {
  const chance = new Chance(Number(process.env.DURE_SEED ?? 7));
  const lived = new LivedTasks(file.world, chance);
  await lived.fill(300);
  for (let step = 0; step < 25; step += 1) {
    await lived.step(0.2, 6);
    for (let times = 0; times < 3; times += 1) compare(`step ${step}`, chance);
    // Further back than a clock is waited for: instants begin anew.
    if (step % 10 === 9) file.world.clock.jump(-120_000);
  }
}, 60_000);

test("only lanes that have changed are read again, and only hours that are not known", async () => {
  const types = Array.from({ length: 20 }, (_, type) => `type-${type}`);
  for (const type of types) await file.world.enqueue(...newTasks(3, { type }));
  await file.world.clock.advance(20_000);
  await file.world.enqueue(...newTasks(1, { type: types[0]! }));
  const [buckets] = bucketsOf("createdAt");
  const hour = Math.floor(startAt / hourMs) * hourMs;
  const lanesRead = (hours: number) => {
    const { prepare } = file.reader;
    let lanes = 0;
    file.reader.prepare = (text) => {
      const statement = prepare.call(file.reader, text);
      if (!text.includes("dure:keptOfLanes") || !text.includes("hour_tallies")) return statement;
      return new Proxy(statement, {
        get: (target, name) =>
          name === "all"
            ? (given: string, ...values: never[]) => {
                lanes += (JSON.parse(given) as number[]).length;
                return target.all(given, ...values);
              }
            : Reflect.get(target, name),
      });
    };
    const search = newSearch({ created: { start: hour, end: hour + hours * hourMs } });
    expect(countsOf(file.reader, search, buckets)).toHaveLength(types.length);
    file.reader.prepare = prepare;
    return lanes;
  };
  expect(lanesRead(3)).toBe(types.length);
  // The one that was changed last is at work.
  expect(lanesRead(3)).toBe(1);
  expect(lanesRead(5)).toBe(types.length);
  await file.world.clock.advance(20_000);
  await file.world.enqueue(...newTasks(1, { type: types[7]! }));
  expect(lanesRead(4)).toBe(2);
});

test("of more lanes and days than there is room for none are kept", () => {
  const hours = (days: number) => ({ from: 480_000, to: 480_000 + 24 * days });
  expect(areKept(300, hours(30))).toBe(true);
  expect(areKept(10_000, hours(60))).toBe(false);
  expect(areKept(20_000, hours(1))).toBe(false);
});
