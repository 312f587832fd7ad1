/**
 * Any options of a search, against a look at every task by the words of the guide: filters, order, pages, counts.
 * DURE_OPTIONS_RUNS=10000 for a long run.
 */
import { beforeEach, expect, test } from "vitest";
import { DureError } from "../../server/tasks/core/errors.ts";
import { searchTaskPageIn, toStoreSearch } from "../../server/tasks/core/find.ts";
import type { Instance } from "../../server/tasks/core/instance.ts";
import type { TaskSearchOptions, TaskSortField } from "../../server/tasks/core/search.ts";
import type { Attributes } from "../../server/tasks/core/store.ts";
import { searchableText, textOfTask } from "../../server/tasks/core/values/searchable-text.ts";
import { encodeValue } from "../../server/tasks/core/values/value.ts";
import { newTask, settlementOf, startAt } from "../support/builders.ts";
import fc from "../support/fast-check.ts";
import { countOf, tasksOf } from "../support/found.ts";
import { fits, type Known, ordered } from "../support/plain-search.ts";
import { ok, onEachLastingStore, type World } from "../support/stores.ts";

const runs = Number(process.env.DURE_OPTIONS_RUNS ?? 200);
const types = ["resize-image", "send-receipt", "nightly-report", "리포트-생성"];
const longText = "lorem ipsum 긴 텍스트 ".repeat(200);
const strings = [
  "",
  " ",
  "a",
  "Kim",
  "kim",
  "KIM",
  "김철수",
  "철수",
  "640",
  "-0",
  "null",
  "true",
  "100%",
  "a_b",
  "a\\b",
  "'; DROP TABLE tasks; --",
  '"quoted"',
  "x\u0000y",
  "\ud800",
  "a\udfffb",
  "\u{1f600}",
  "\u{1f600}\ufe0f",
  "İ",
  "ß",
  "ẞ",
  "ΟΔΟΣ",
  "ﬁne",
  "fine",
  "tab\tnew\nline",
  "[1,2]",
  "{}",
  "$.a",
  longText,
  "2026-11-23T00:00:00.000Z",
  "resize-image",
  "own-",
  "vip",
  "ETIMEDOUT",
];
const stringOf = fc.constantFrom(...strings);
const numberOf = fc.constantFrom(
  0,
  -0,
  1,
  -1,
  0.1,
  2,
  5,
  300.5,
  640,
  1e21,
  -1e21,
  1e300,
  5e-324,
  2 ** 31,
  -(2 ** 31) - 1,
  2 ** 53,
  2 ** 53 + 2,
  2 ** 63,
  Number.MAX_VALUE,
  -Number.MAX_VALUE,
  startAt,
);
const instantOf = fc.constantFrom(
  ...[
    startAt - 90_000,
    startAt - 60_000,
    startAt - 59_999,
    startAt,
    startAt + 1_500,
    0,
    -1,
    8.64e15,
    -8.64e15,
  ].map((at) => new Date(at)),
);
const keys = [
  "widthPx",
  "name",
  "user",
  "list",
  "a.b",
  "",
  "한글",
  'say "hi"',
  "__proto__",
  "$",
  "not",
  "0",
  "x\u0000",
];
const json = fc.letrec((tie) => ({
  value: fc.oneof(
    { depthSize: "small" },
    stringOf,
    numberOf,
    fc.boolean(),
    fc.constant(null),
    instantOf,
    fc.array(tie("value"), { maxLength: 3 }),
    fc.dictionary(fc.constantFrom(...keys.filter((key) => key !== "__proto__")), tie("value"), {
      maxKeys: 3,
    }),
  ),
})).value;
const attributeValue = fc.oneof(
  stringOf.filter((text) => text.length <= 1_000),
  numberOf,
  fc.boolean(),
);
const attributes = fc.dictionary(
  fc.constantFrom("userId", "sizes", "status_", "a.b"),
  fc.oneof(attributeValue, fc.array(attributeValue, { maxLength: 3 })),
  { maxKeys: 3 },
);

/** Leaves of every kind, with values that are often there. */
function matchOf(value: fc.Arbitrary<unknown>, isText: boolean): fc.Arbitrary<unknown> {
  const bound = value.filter((one) => typeof one !== "boolean");
  const plain = fc.oneof(
    value,
    fc.constant(null),
    fc.array(fc.oneof(value, fc.constant(null)), { maxLength: 4 }),
    fc.record({ in: fc.array(fc.oneof(value, fc.constant(null)), { maxLength: 4 }) }),
    fc.record({ exists: fc.boolean() }),
    fc.record({ gt: bound }),
    fc.record({ gte: bound, lt: bound }),
    fc.record({ lte: bound }),
    fc.record({ gt: bound, lte: bound }),
    ...(isText ? [fc.record({ prefix: stringOf }), fc.record({ contains: stringOf })] : []),
    ...(isText ? [fc.record({ prefix: stringOf, not: value, exists: fc.constant(true) })] : []),
  );
  return fc.oneof(
    plain,
    plain.map((not) => ({ not })),
  );
}

const anyValue = fc.oneof(stringOf, numberOf, fc.boolean(), instantOf);
const path = fc.array(fc.constantFrom(...keys.filter((key) => key !== "not" && key !== "__proto__")), {
  maxLength: 3,
});
const placeMatch = fc
  .tuple(path, matchOf(anyValue, true))
  .map(([steps, match]) => steps.reduceRight((below: unknown, step) => ({ [step]: below }), match));

const one = fc.oneof(
  fc
    .constantFrom("id", "type", "queue", "tag", "workerId", "idempotencyKey", "description", "error")
    .chain((key) => matchOf(stringOf, true).map((match) => ({ [key]: match }))),
  fc
    .constantFrom("createdAt", "updatedAt", "startedAt", "completedAt", "dueAt")
    .chain((key) => matchOf(instantOf, false).map((match) => ({ [key]: match }))),
  fc
    .constantFrom("attempts", "maxAttempts", "priority", "crashes")
    .chain((key) => matchOf(numberOf, false).map((match) => ({ [key]: match }))),
  fc.constantFrom("duration", "wait").chain((key) =>
    matchOf(fc.constantFrom(0, 1, 1_500, "1.5s", "59s", "1h", 3e12), false).map((match) => ({
      [key]: match,
    })),
  ),
  fc
    .oneof(
      fc.constantFrom("PENDING", "RUNNING", "COMPLETED", "FAILED", "CANCELLED"),
      fc.subarray(["PENDING", "RUNNING", "COMPLETED", "FAILED", "CANCELLED"]),
    )
    .map((status) => ({ status })),
  fc.constantFrom(...types).map((type) => ({ type })),
  fc
    .tuple(fc.constantFrom("userId", "sizes", "status_", "a.b", "nobody"), matchOf(anyValue, true))
    .map(([name, match]) => ({ attributes: { [name]: match } })),
  fc.tuple(fc.constantFrom("payload", "result"), placeMatch).map(([key, match]) => ({ [key]: match })),
  fc.oneof(stringOf, fc.array(stringOf, { maxLength: 2 })).map((text) => ({ text })),
  fc.record({ createdAtRange: fc.record({ start: instantOf, end: instantOf }, { requiredKeys: [] }) }),
  fc.record({ updatedAtRange: fc.record({ start: instantOf, end: instantOf }, { requiredKeys: [] }) }),
) as fc.Arbitrary<TaskSearchOptions>;

const noRange = one.filter((options) => !("createdAtRange" in options) && !("updatedAtRange" in options));
const { filter } = fc.letrec<{ filter: TaskSearchOptions }>((tie) => ({
  filter: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    noRange,
    fc.array(tie("filter"), { maxLength: 3 }).map((and) => ({ and })),
    fc.array(tie("filter"), { maxLength: 3 }).map((or) => ({ or })),
    tie("filter").map((not) => ({ not })),
    fc.array(tie("filter"), { maxLength: 2 }).map((not) => ({ not })),
  ) as fc.Arbitrary<TaskSearchOptions>,
}));
const order = fc.record(
  {
    sortBy: fc.constantFrom<TaskSortField>(
      "createdAt",
      "updatedAt",
      "startedAt",
      "completedAt",
      "dueAt",
      "duration",
      "priority",
      "id",
    ),
    sortOrder: fc.constantFrom("asc" as const, "desc" as const),
  },
  { requiredKeys: [] },
);
const filters = fc.oneof(
  one,
  filter,
  fc.tuple(filter, one).map(([a, b]) => ({ ...a, ...b })),
  fc.tuple(filter, one, one).map(([a, b, c]) => ({ ...a, ...b, ...c })),
) as fc.Arbitrary<TaskSearchOptions>;
const options = fc
  .tuple(filters, order, fc.constantFrom(0, 0, 0, 1, 5, 1_000), fc.constantFrom(3, 1_000))
  .map(
    ([asked, by, offset, limit]): TaskSearchOptions => ({ ...asked, ...by, offset, limit, budget: "none" }),
  );

onEachLastingStore("searchTasks with any options", (world) => {
  let all: Known[] = [];

  beforeEach(async () => {
    all = await fill(world);
  }, 60_000);

  test("answers what a look at every task gives", async () => {
    let answered = 0;
    let found = 0;
    await fc.assert(
      fc.asyncProperty(options, async (asked) => {
        const search = searchOf(asked);
        if (!search) return;
        answered += 1;
        const fitting = all.filter((known) => fits(asked, known));
        const wanted = ordered(fitting, asked).slice(asked.offset, asked.offset! + asked.limit!);
        const tasks = await tasksOf(world.store.searchTasks(search));
        found += tasks.length > 0 ? 1 : 0;
        expect(tasks.map(({ id }) => id)).toEqual(wanted.map(({ id }) => id));
        expect(await countOf(world.store.countTasks(search))).toBe(fitting.length);
      }),
      { numRuns: runs },
    );
    expect(answered).toBeGreaterThan(runs / 2);
    expect(found).toBeGreaterThan(runs / 5);
  }, 120_000);

  test("goes from page to page by cursor, to the end and back", async () => {
    const instance = {
      clock: { now: () => startAt },
      registry: { get: () => undefined },
      store: async () => world.store,
    } as unknown as Instance;
    await fc.assert(
      fc.asyncProperty(filters, order, fc.integer({ min: 1, max: 25 }), async (asked, by, limit) => {
        const search = { ...asked, ...by, limit, budget: "none", definitions: false } as const;
        if (!searchOf(search)) return;
        const wanted = ordered(
          all.filter((known) => fits(asked, known)),
          search,
        ).map(({ id }) => id);
        const forth: string[] = [];
        let page = await searchTaskPageIn(instance, search);
        expect(page.previousCursor).toBeUndefined();
        for (;;) {
          forth.push(...page.tasks.map(({ id }) => id));
          if (!page.nextCursor) break;
          page = await searchTaskPageIn(instance, { ...search, cursor: page.nextCursor });
        }
        expect(forth).toEqual(wanted);
        const back = page.tasks.map(({ id }) => id);
        while (page.previousCursor) {
          page = await searchTaskPageIn(instance, { ...search, cursor: page.previousCursor });
          back.unshift(...page.tasks.map(({ id }) => id));
        }
        expect(back).toEqual(wanted);
      }),
      { numRuns: Math.ceil(runs / 8) },
    );
  }, 120_000);
});

/** Undefined for options that are refused, as some values must be; nothing else may be thrown. */
function searchOf(asked: TaskSearchOptions) {
  try {
    return toStoreSearch({ clock: { now: () => startAt } } as Instance, { ...asked, definitions: false });
  } catch (error) {
    if (error instanceof DureError && error.code === "INVALID_OPTION") return undefined;
    throw error;
  }
}

async function fill(world: World): Promise<Known[]> {
  const given = new Map<string, Attributes>();
  const drawn = fc.sample(fc.tuple(json, attributes, fc.array(stringOf, { maxLength: 2 }), stringOf), {
    numRuns: 80,
    seed: 7,
  });
  const tasks = drawn.flatMap(([payload, own, tags, text], n) => {
    const name = isKept(text) ? text : `own-${n}`;
    try {
      const task = newTask({
        ...(n % 7 === 0 && { id: `own-${n}` }),
        type: types[n % 4]!,
        queue: n % 5 === 0 ? "slow" : "default",
        priority: ((n % 3) - 1) * 5,
        createdAt: startAt - 90_000 + (n >> 1) * 1_000,
        dueAt: startAt - 90_000 + (n % 11) * 1_000,
        maxAttempts: 1 + (n % 2),
        description: n % 4 === 0 ? name : undefined,
        tags: n % 3 === 0 ? tags.filter(isKept) : undefined,
        payload: n % 9 === 0 ? undefined : payload,
        ...(n % 2 === 0 && { attributes: own }),
      });
      if (n % 2 === 0) given.set(task.id, own);
      return [task];
    } catch {
      return [];
    }
  });
  await world.enqueue(...tasks);
  const claimed = await world.claim({ types, limit: 50 });
  await world.clock.advance(1_500);
  const ends = claimed.slice(0, 40).map((each, n) => {
    if (n % 3 === 0) {
      const result = encodeValue(drawn[n]![0], "result");
      return settlementOf(each, "completed", { result });
    }
    const stack = `Error: at line ${n}\n    at 함수 (file.ts:${n}:1)`;
    const message = n % 3 === 1 ? "connect ETIMEDOUT" : strings.filter(isKept)[n % 20]!;
    return settlementOf(each, "failed", { error: { name: "Error", message, stack } });
  });
  ok(await world.store.settleTasks(ends));
  const texts = new Map<string, string>();
  for (;;) {
    const unindexed = await world.store.readUnindexed({ limit: 50 });
    if (unindexed.length === 0) break;
    const read = unindexed.map(({ ref, task, attempts, json }) => ({
      ref,
      text: searchableText(task, attempts, json),
    }));
    for (const [n, { text }] of read.entries()) texts.set(unindexed[n]!.task.id, text);
    ok(await world.store.writeTexts(read));
  }
  const search = {
    sortBy: "createdAt",
    descending: true,
    limit: 10_000,
    offset: 0,
    definitions: false,
  } as const;
  const stored = await tasksOf(world.store.searchTasks(search));
  return stored.map((task) => ({
    task,
    attributes: given.get(task.id) ?? {},
    text: texts.get(task.id) ?? textOfTask(task),
  }));
}

function isKept(text: string): boolean {
  return text.isWellFormed() && !text.includes("\u0000") && text.length < 500 && text.trim() !== "";
}
