/** What an error contains: the stores pass over rows that cannot have it, which must never be one that has. */
import { expect, test } from "vitest";
import { type Condition, foldText } from "../../server/tasks/core/filters/condition.ts";
import { meets } from "../../server/tasks/core/filters/meets.ts";
import type { StoreSearch } from "../../server/tasks/core/store.ts";
import { newSearch, newTask, settlementOf, startAt } from "../support/builders.ts";
import { countOf, tasksOf } from "../support/found.ts";
import { ok, onEachLastingStore, type World } from "../support/stores.ts";

const tasks = 360;

/** Some are only the same once they are folded. */
const messages = [
  "connect ETIMEDOUT 10.0.0.1",
  "socket hang up",
  "ＴＩＭＥＯＵＴ　of ３ seconds",
  "timeout of ³ seconds",
  "300 \u212Aelvin in the O\uFB03ce",
  "ΟΔΟΣ",
  "결제 승인이 거절되었습니다",
  "\u110B\u1161\u11AB",
  "か\u3099ラス 999: 결제 TIMEOUT",
  "ｶﾞﾗｽ and 가\u11A8",
  'say "a\\b"\n\tand go',
  "İstanbul ẞ",
  "a\u0000b timeout",
  "100%_of it",
  "",
];
const needles = [
  ...[
    "etimedout",
    "TimeOut",
    "timeout of 3",
    "3 sec",
    "kelvin",
    "office",
    "οδος",
    "승인",
    "안",
    "각",
    "がラス",
    "ガラス",
    "제 timeout",
    "i̇stan",
  ],
  ...["ß", "ss", '"A\\B"', "\n\t", "%_", "_", "a\u0000b", "a\u0000B TIME", "", "nobody has this", " "],
];

onEachLastingStore("searchTasks by what an error contains", (world) => {
  test("finds the same as a look at every task, with other filters, page by page, time and again", async () => {
    await fill(world);
    const all = await tasksOf(world.store.searchTasks(newSearch({ limit: 10_000 })));
    expect(all).toHaveLength(tasks);
    for (const [place, needle] of needles.entries()) {
      const where = containing(needle);
      const wanted = all.filter((task) => meets(where, { task })).map(({ id }) => id);
      if (!/nobody|ss|\0/.test(needle))
        expect({ needle, isFound: wanted.length > 0 }).toMatchObject({ isFound: true });
      for (const filters of [{}, { statuses: ["FAILED" as const] }]) {
        const search = newSearch({ ...filters, where, limit: 50 });
        expect(await pagesOf(world, search)).toEqual({ needle, ids: wanted });
        if (place % 4 === 0)
          expect(await pagesOf(world, { ...search, limit: 20 })).toEqual({ needle, ids: wanted });
        expect(await countOf(world.store.countTasks(search))).toBe(wanted.length);
      }
      const both: Condition = { kind: "and", parts: [where, containing("e")] };
      const ofBoth = all.filter((task) => meets(both, { task })).map(({ id }) => id);
      expect((await pagesOf(world, newSearch({ where: both }))).ids).toEqual(ofBoth);
    }
  });

  async function pagesOf({ store }: World, search: StoreSearch): Promise<{ needle: string; ids: string[] }> {
    const ids: string[] = [];
    let after: StoreSearch["after"];
    for (;;) {
      const page = await tasksOf(store.searchTasks({ ...search, ...(after && { after }) }));
      ids.push(...page.map(({ id }) => id));
      const last = page.at(-1);
      const { where } = search;
      if (page.length < search.limit || !last) return { needle: needleOf(where!), ids };
      after = { value: last.createdAt.getTime(), id: last.id, backwards: false };
    }
  }
});

function containing(needle: string): Condition {
  return { kind: "contains", field: { of: "task", name: "error" }, text: foldText(needle) };
}

function needleOf(where: Condition): string {
  const text = where.kind === "contains" ? where.text : "";
  return needles.find((needle) => foldText(needle) === text) ?? text;
}

async function fill(world: World): Promise<void> {
  await world.enqueue(
    ...Array.from({ length: tasks }, (_, n) => newTask({ createdAt: startAt - tasks + n, maxAttempts: 1 })),
  );
  const claimed = await world.claim({ limit: tasks });
  const ends = claimed.slice(0, (tasks * 5) / 6).map((one, n) => {
    // The newest of all have one, and so have few of them.
    const message = messages[n % 4 === 0 ? 0 : n % messages.length]!;
    return settlementOf(one, "failed", { error: { name: "Error", message } });
  });
  ok(await world.store.settleTasks(ends));
}
