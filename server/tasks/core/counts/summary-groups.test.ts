import { expect, test } from "vitest";
import { seeded } from "../../../../tests/support/seeded.ts";
import type { TaskStatusName } from "../task.ts";
import { bucketsMs, Groups } from "./summary-groups.ts";

const firstHour = -3;
const statuses = ["PENDING", "FAILED"] as const satisfies readonly TaskStatusName[];
const kinds = Array.from({ length: 12 }, (_, number) => ({
  type: `type-${Math.floor(number / 2)}`,
  status: statuses[number % 2]!,
}));

/** As a store counts them: each group and hour once. */
function slice(random: () => number, hours: number) {
  const cells = kinds.flatMap((_, kind) =>
    Array.from({ length: hours }, (_, hour) => [
      kind,
      (firstHour + hour) * bucketsMs.hour,
      1 + Math.floor(9 * random()),
    ])
      .filter(() => random() < 0.7)
      .flat(),
  );
  return { groups: kinds, cells: new Float64Array(cells) };
}

test("groups of several slices are those of one count after another, by time and then the largest first", () => {
  const random = seeded(1);
  const slices = [slice(random, 20), slice(random, 1), slice(random, 9)];
  const [together, singly] = [new Groups(["hour", "status", "type"]), new Groups(["hour", "status", "type"])];
  const sums = new Map<string, number>();
  for (const counts of slices) {
    together.addAll(counts);
    for (let next = 0; next < counts.cells.length; next += 3) {
      const [number, at, count] = counts.cells.subarray(next) as unknown as [number, number, number];
      const { type, status } = kinds[number]!;
      singly.add(kinds[number]!, at, count);
      const name = [new Date(at).toISOString(), status, type].join(" ");
      sums.set(name, (sums.get(name) ?? 0) + count);
    }
  }
  const list = together.list();
  expect(list).toEqual(singly.list());
  const named = list.map(({ hour, status, type, count }) => [
    [hour!.toISOString(), status, type].join(" "),
    count,
  ]);
  expect(named.toSorted()).toEqual([...sums].toSorted());
  for (const [place, { hour, count }] of list.slice(1).entries()) {
    const before = list[place]!;
    expect(before.hour! < hour! || (+before.hour! === +hour! && before.count >= count)).toBe(true);
  }
  expect([together.total, singly.total]).toEqual(
    Array(2).fill([...sums.values()].reduce((sum, one) => sum + one)),
  );
  expect(Object.keys(list[0]!)).toEqual(["hour", "status", "type", "count"]);
});

test("without a stretch of time a kind is one group", () => {
  const groups = new Groups(["type"]);
  groups.addAll({ groups: kinds, cells: new Float64Array([0, 0, 2, 1, 0, 3, 4, 0, 9]) });
  groups.addAll({ groups: kinds.slice(4), cells: new Float64Array([0, 0, 1]) });
  expect(groups.list()).toEqual([
    { type: "type-2", count: 10 },
    { type: "type-0", count: 5 },
  ]);
});
