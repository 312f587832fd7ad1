import { describe, expect, test } from "vitest";
import { seeded } from "../../../../tests/support/seeded.ts";
import { GroupSums } from "./group-sums.ts";

const hourMs = 3_600_000;
const buckets = { time: "createdAt", bucketMs: hourMs } as const;
const first = 480_000;
/** Hours that what is added lies in; far from each other, and before 1970, where a table would be too large. */
const spans: Record<string, readonly [from: number, hours: number][]> = {
  "a day": [[first, 25]],
  "days on both sides of 1970": [[-30, 60]],
  "a month and a few hours of long ago": [
    [first, 720],
    [-17_000_000, 5],
  ],
  "two days, with room between them for few groups": [
    [first, 25],
    [first - 20_000, 25],
  ],
  "years, of which most hours have nothing": [
    [first, 100],
    [first - 200_000, 100],
  ],
};

describe.each(Object.entries(spans))("sums by group and hour of %s", (_name, hours) => {
  const random = seeded(hours.length + hours[0]![1]);
  const added = Array.from({ length: 4_000 }, () => {
    const [from, count] = hours[Math.floor(random() * hours.length)]!;
    const hour = from + Math.floor(random() * count);
    const tasks = Math.floor(10 * random()) - 2;
    return { group: Math.floor(90 * random()), hour, tasks };
  });
  const sums = new GroupSums(buckets);
  for (const { group, hour, tasks } of added) sums.add(group, hour * hourMs + 59_000, tasks);

  test("are those of one addition after another", () => {
    expect(sorted(sums.cells())).toEqual(expected((group) => group));
    const ofOne = new Map(sums.of(7).map(([at, tasks]) => [`7 ${at / hourMs}`, tasks]));
    const wanted = expected((group) => group).filter(([name]) => name.startsWith("7 "));
    expect([...ofOne].sort()).toEqual(wanted);
  });

  test("are added up by fewer groups, what was taken off in one of them too", () => {
    const three = sums.addedUp(Array.from({ length: 90 }, (_, group) => group % 3));
    expect(sorted(three.cells())).toEqual(expected((group) => group % 3));
  });

  function expected(groupOf: (group: number) => number): [string, number][] {
    const counts = new Map<string, number>();
    for (const { group, hour, tasks } of added) {
      const name = `${groupOf(group)} ${hour}`;
      counts.set(name, (counts.get(name) ?? 0) + tasks);
    }
    return [...counts].filter(([, tasks]) => tasks > 0).sort();
  }
});

test("without stretches a group has one sum", () => {
  const sums = new GroupSums();
  sums.add(2, 5 * hourMs, 3);
  sums.add(0, 0, 1);
  sums.add(2, -1, -1);
  expect([...sums.cells()]).toEqual([0, 0, 1, 2, 0, 2]);
});

function sorted(cells: Float64Array): [string, number][] {
  const named: [string, number][] = [];
  for (let next = 0; next < cells.length; next += 3)
    named.push([`${cells[next]} ${cells[next + 1]! / hourMs}`, cells[next + 2]!]);
  return named.sort();
}
