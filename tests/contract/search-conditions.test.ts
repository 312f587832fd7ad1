import { beforeEach, expect, test } from "vitest";
import {
  type Bound,
  type Condition,
  type Field,
  foldText,
} from "../../server/tasks/core/filters/condition.ts";
import { meets, sortValueOf } from "../../server/tasks/core/filters/meets.ts";
import type { TaskSortField } from "../../server/tasks/core/search.ts";
import type { StoreSearch } from "../../server/tasks/core/store.ts";
import type { Task } from "../../server/tasks/core/task.ts";
import { searchableText } from "../../server/tasks/core/values/searchable-text.ts";
import { newDefinition, newSearch, newTask, settlementOf, someError, startAt } from "../support/builders.ts";
import fc from "../support/fast-check.ts";
import { countOf, tasksOf } from "../support/found.ts";
import { placeBehind } from "../support/search-pages.ts";
import { ok, onEachLastingStore, type World } from "../support/stores.ts";

const runs = 60;
const field = (name: Extract<Field, { of: "task" }>["name"]): Field => ({ of: "task", name });
const payload = (...path: string[]): Field => ({ of: "payload", path });

onEachLastingStore("searchTasks with conditions", (world) => {
  let all: Task[] = [];

  beforeEach(async () => {
    await fill(world);
    all = await tasksOf(world.store.searchTasks(newSearch({ limit: 10_000 })));
  });

  test("answers what a look at every task gives, in any order, counts included", async () => {
    await fc.assert(
      fc.asyncProperty(conditions, orders, async (where, order) => {
        const search = newSearch({ ...order, where, limit: 1_000 });
        expect(idsOf(await tasksOf(world.store.searchTasks(search)))).toEqual(idsOf(expected(all, search)));
        expect(await countOf(world.store.countTasks(search))).toBe(
          all.filter((task) => meets(where, { task })).length,
        );
      }),
      { numRuns: runs },
    );
  });

  test("the same when every text is indexed, values among them that the index finds", async () => {
    await indexAll(world);
    const text = fc.oneof(texts, fc.constantFrom("connect ETIMEDOUT", "row 31", "12:", "Größe 4", "nobody"));
    const of = fc.constantFrom(
      payload("widthPx"),
      payload("name"),
      payload("at"),
      payload("user", "id"),
      payload(),
      field("error"),
      field("tag"),
    );
    const found = fc.oneof(
      fc.record({
        kind: fc.constant("equals" as const),
        field: of,
        values: fc.array(fc.oneof(text, numbers), { minLength: 1, maxLength: 2 }),
      }),
      fc.record({ kind: fc.constant("prefix" as const), field: of, prefix: text }),
      fc.record({ kind: fc.constant("contains" as const), field: of, text: text.map(foldText) }),
      fc.record({
        kind: fc.constant("group" as const),
        field: fc.constant(field("error")),
        fingerprint: fc.constantFrom("row … is missing", "connect ETIMEDOUT", "… … is missing", "row … is"),
      }),
    );
    const both = fc.oneof(
      found,
      fc.record({ kind: fc.constant("and" as const), parts: fc.tuple(found, conditions) }),
    );
    await fc.assert(
      fc.asyncProperty(both, orders, async (where, order) => {
        const search = newSearch({ ...order, where, limit: 1_000 });
        expect(idsOf(await tasksOf(world.store.searchTasks(search)))).toEqual(idsOf(expected(all, search)));
      }),
      { numRuns: 2 * runs },
    );
  });

  test("a value in a text that is too long to be indexed is found all the same", async () => {
    const long = { text: "lorem ipsum ".repeat(8_000), widthPx: 987_654 };
    await world.enqueue(newTask({ id: "long", payload: long }));
    await indexAll(world);
    const where: Condition = { kind: "equals", field: payload("widthPx"), values: [987_654] };
    expect(idsOf(await tasksOf(world.store.searchTasks(newSearch({ where }))))).toEqual(["long"]);
  });

  test("an error of a task that runs again, before its text is written, is found", async () => {
    await world.enqueue(newTask({ id: "again", type: "print-label", maxAttempts: 3 }));
    await indexAll(world);
    const request = { types: ["print-label"] };
    const [first] = await world.claim(request);
    const error = { ...someError, message: "mailbox 4711 is full" };
    await world.settle(first!, "failed", { error, retryAt: world.clock.now() });
    expect(await world.claim(request)).toHaveLength(1);
    for (const kind of ["equals", "contains"] as const) {
      const text = { values: [error.message], text: error.message };
      const where = { kind, field: field("error"), ...text } as Condition;
      for (const sortBy of ["createdAt", "priority"] as const) {
        const tasks = await tasksOf(world.store.searchTasks(newSearch({ where, sortBy })));
        expect({ kind, sortBy, ids: idsOf(tasks) }).toEqual({ kind, sortBy, ids: ["again"] });
      }
    }
  });

  test("a place in a payload is found however its names are written, in long payloads and in lists", async () => {
    const long = { text: "lorem ipsum ".repeat(8_000), order: { amount: 7 } };
    const written = { json: String.raw`{"\u006frder":{"\u0061mount":7}}` };
    await world.enqueue(
      newTask({ id: "long", payload: long }),
      newTask({ id: "list", payload: [{ order: [{ amount: 7 }] }] }),
      { ...newTask({ id: "written" }), payload: written },
      newTask({ id: "in a name", payload: { 'order"amount"': { "order.amount": 7 } } }),
      newTask({ id: "in a value", payload: { order: "amount", amount: "order" } }),
    );
    const range: Condition = {
      kind: "range",
      field: payload("order", "amount"),
      from: { value: 5, isIncluded: true },
    };
    const exists: Condition = { kind: "exists", field: payload("order", "amount") };
    for (const where of [range, exists, { kind: "and", parts: [exists, range] } as const]) {
      const tasks = await tasksOf(world.store.searchTasks(newSearch({ where })));
      expect(idsOf(tasks).sort()).toEqual(["list", "long", "written"]);
    }
    const none: Condition = { kind: "equals", field: payload("order", "amount"), values: [null, 8] };
    expect(await countOf(world.store.countTasks(newSearch({ where: none })))).toBe(all.length + 2);
  });

  test("a value in a payload is found however its JSON is written, and not where it stands elsewhere", async () => {
    const written = {
      plain: '{"order":{"amount":420}}',
      spaced: '{ "order": { "amount": 420 } }',
      before: '{"order":{"amount" :420}}',
      lines: '{"order":{"amount":\n420}}',
      list: '{"order":{"amount":[7,[420]]}}',
      items: '{"order":[{"amount":7},{"amount":420}]}',
      letters: String.raw`{"\u006frder":{"\u0061mount":420}}`,
    };
    const others = {
      longer: '{"order":{"amount":4200,"text":"420"}}',
      elsewhere: '{"order":{"amount":7,"number":420}}',
      quoted: '{"order":{"amount":"420"}}',
    };
    for (const [id, json] of Object.entries({ ...written, ...others }))
      await world.enqueue({ ...newTask({ id }), payload: { json } });
    const where: Condition = { kind: "equals", field: payload("order", "amount"), values: [420] };
    for (const isIndexed of [false, true]) {
      if (isIndexed) await indexAll(world);
      for (const sortBy of ["createdAt", "priority"] as const) {
        const tasks = await tasksOf(world.store.searchTasks(newSearch({ where, sortBy })));
        expect(idsOf(tasks).sort()).toEqual(Object.keys(written).sort());
      }
    }
  });

  test("pages by cursor and by offset give the whole, forward and back", async () => {
    const where: Condition = {
      kind: "range",
      field: payload("widthPx"),
      from: { value: 300, isIncluded: true },
    };
    for (const sortBy of ["createdAt", "updatedAt", "id", "priority", "duration"] as const) {
      const search = newSearch({ where, sortBy, limit: 7 });
      const wanted = idsOf(expected(all, { ...search, limit: 1_000 }));
      const found: string[] = [];
      let after: StoreSearch["after"];
      for (let page = 0; page < 50; page += 1) {
        const offset = page * search.limit;
        const tasks = await tasksOf(world.store.searchTasks({ ...search, ...(after && { after }) }));
        expect(idsOf(tasks)).toEqual(idsOf(await tasksOf(world.store.searchTasks({ ...search, offset }))));
        if (tasks.length === 0) break;
        found.push(...idsOf(tasks));
        const last = tasks.at(-1)!;
        after = { value: sortValueOf(sortBy, last) ?? null, id: last.id, backwards: false };
      }
      expect(found).toEqual(wanted);
      const before = await tasksOf(
        world.store.searchTasks({ ...search, limit: 1_000, after: { ...after!, backwards: true } }),
      );
      expect(idsOf(before).reverse()).toEqual(wanted.slice(0, -1));
    }
  });

  test("a search out of time says how far it came, and goes on from there", async () => {
    const where: Condition = { kind: "contains", field: payload("name"), text: "nobody has this" };
    const search = newSearch({ where, budgetMs: 0, limit: 10 });
    let after: StoreSearch["after"];
    let stops = 0;
    for (; stops < 1_000; stops += 1) {
      const { tasks, stoppedAt } = await world.store.searchTasks({ ...search, ...(after && { after }) });
      expect(tasks).toEqual([]);
      if (!stoppedAt) break;
      expect(stoppedAt).not.toEqual(after && { value: after.value, id: after.id });
      after = placeBehind(stoppedAt);
    }
    expect(stops).toBeLessThan(1_000);
  });

  test("an order by duration is partial when time runs out, or says a place to go on from", async () => {
    const where: Condition = { kind: "exists", field: field("priority") };
    const search = newSearch({ where, sortBy: "duration", descending: false, limit: 1_000 });
    const inOrder = idsOf(await tasksOf(world.store.searchTasks(search)));
    const found = await world.store.searchTasks({ ...search, budgetMs: 0, limit: 5 });
    // What is looked at first may have the page.
    const isFull = found.tasks.length === 5;
    if (isFull && !found.isPartial) expect(idsOf(found.tasks)).toEqual(inOrder.slice(0, 5));
    else expect(found.stoppedAt === undefined).toBe(found.isPartial ?? false);
    if (found.stoppedAt) {
      const after = placeBehind(found.stoppedAt);
      const rest = await tasksOf(world.store.searchTasks({ ...search, after }));
      expect([...idsOf(found.tasks), ...idsOf(rest)]).toEqual(inOrder);
    }
    const { count, errorMax } = await world.store.countTasks(newSearch({ where, budgetMs: 0 }));
    expect(Math.abs(count - all.length)).toBeLessThanOrEqual(errorMax);
  });

  test("the entry of a definition without tasks is among what meets a bound of its numbers", async () => {
    ok(await world.store.saveDefinitions([{ ...newDefinition("unused"), priority: 3 }]));
    const to = { value: 0, isIncluded: true };
    const conditions: Condition[] = [
      { kind: "range", field: field("attempts"), to },
      { kind: "equals", field: field("priority"), values: [3] },
      { kind: "range", field: field("priority"), from: { value: 2, isIncluded: true } },
    ];
    for (const where of conditions) {
      const search = newSearch({ where, limit: 1_000, definitions: true });
      const tasks = idsOf(expected(all, search));
      expect(idsOf(await tasksOf(world.store.searchTasks(search)))).toEqual(["unused", ...tasks]);
      const without = { ...search, definitions: false };
      expect(idsOf(await tasksOf(world.store.searchTasks(without)))).toEqual(tasks);
    }
  });

  test("a condition stands beside the plain filters, and beside an id", async () => {
    const where: Condition = { kind: "equals", field: field("priority"), values: [5] };
    const search = newSearch({
      where,
      types: ["send-receipt"],
      statuses: ["FAILED", "PENDING"],
      limit: 1_000,
    });
    const wanted = expected(all, search).filter(
      ({ type, status }) => type === "send-receipt" && (status === "FAILED" || status === "PENDING"),
    );
    expect(wanted.length).toBeGreaterThan(3);
    expect(idsOf(await tasksOf(world.store.searchTasks(search)))).toEqual(idsOf(wanted));
    const [one] = wanted;
    expect(idsOf(await tasksOf(world.store.searchTasks(newSearch({ id: one!.id, where }))))).toEqual([
      one!.id,
    ]);
    const not: Condition = { kind: "not", part: where };
    expect(await tasksOf(world.store.searchTasks(newSearch({ id: one!.id, where: not })))).toEqual([]);
  });
});

async function indexAll(world: World): Promise<void> {
  for (;;) {
    const unindexed = await world.store.readUnindexed({ limit: 50 });
    if (unindexed.length === 0) return;
    const texts = unindexed.map(({ ref, task, attempts, json }) => ({
      ref,
      text: searchableText(task, attempts, json),
    }));
    ok(await world.store.writeTexts(texts));
  }
}

async function fill(world: World): Promise<void> {
  const types = ["resize-image", "send-receipt", "nightly-report"];
  const tasks = Array.from({ length: 90 }, (_, n) =>
    newTask({
      ...(n % 7 === 0 && { id: `own-${n}` }),
      type: types[n % 3]!,
      queue: n % 5 === 0 ? "slow" : "default",
      priority: (n % 3) * 5,
      createdAt: startAt - 90_000 + n * 1_000,
      dueAt: startAt - 90_000 + n * 1_000,
      maxAttempts: 1 + (n % 2),
      description: n % 4 === 0 ? `Größe ${n}` : undefined,
      tags: n % 2 === 0 ? ["vip", `tag${n % 6}`] : undefined,
      idempotencyKey: n % 9 === 0 ? `key ${n}` : undefined,
      payload: payloads[n % payloads.length],
    }),
  );
  await world.enqueue(...tasks);
  const claimed = await world.claim({ types, limit: 60 });
  await world.clock.advance(1_500);
  const ends = claimed.slice(0, 50).map((one, n) => {
    if (n % 3 === 0) return settlementOf(one, "completed", { result: { json: `{"rows":${n}}` } });
    const error = { name: "Error", message: n % 3 === 1 ? "connect ETIMEDOUT" : `row ${n} is missing` };
    return settlementOf(one, "failed", { error });
  });
  ok(await world.store.settleTasks(ends));
}

const payloads: unknown[] = [
  { widthPx: 640, name: "Kim", at: new Date(startAt), user: { id: 42 } },
  { widthPx: "640", name: "김철수", list: [1, 2, { a: 3 }], user: { id: "42" } },
  { widthPx: 200, name: "", flag: true, user: null },
  { list: [{ a: 1 }, { a: 2 }], nothing: null, widthPx: 300.5 },
  "only text",
  12,
  [1, [2, 3]],
  { name: "ÀÉ ẞ İ", list: [], widthPx: -1, "a.b": 1 },
  undefined,
  { text: "tab\t and \u0000 zero", widthPx: 1e21 },
];

const fields = fc.oneof(
  fc
    .constantFrom(
      ...([
        "id",
        "type",
        "status",
        "queue",
        "priority",
        "attempts",
        "maxAttempts",
        "crashes",
        "tag",
        "workerId",
      ] as const),
      ...(["idempotencyKey", "description", "error", "duration", "wait"] as const),
      ...(["createdAt", "updatedAt", "startedAt", "completedAt", "dueAt"] as const),
    )
    .map(field),
  fc
    .constantFrom(
      ["widthPx"],
      ["name"],
      ["user", "id"],
      ["user"],
      ["list"],
      ["list", "a"],
      ["list", "0"],
      ["a.b"],
      [],
      ["nothing"],
      ["at"],
      ["text"],
    )
    .map((path): Field => payload(...path)),
  fc.constant<Field>({ of: "result", path: ["rows"] }),
);
const texts = fc.constantFrom(
  "",
  "a",
  "Kim",
  "김철수",
  "vip",
  "slow",
  "640",
  "resize-image",
  "FAILED",
  "own-",
  "key 9",
  "row",
  "tab\t and \u0000 zero",
  "2026-11-23T00:00:00.000Z",
  "worker-1",
);
const numbers = fc.constantFrom(0, 1, 2, 5, 42, 300, 640, 1_500, startAt - 60_000, startAt, 1e21, 0.5);
const values = fc.oneof(texts, numbers, fc.boolean(), fc.constant(null));
const bound: fc.Arbitrary<Bound> = fc.record({ value: fc.oneof(texts, numbers), isIncluded: fc.boolean() });

const conditions = fc.letrec<{ any: Condition }>((tie) => ({
  any: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    fc.record({
      kind: fc.constant("equals" as const),
      field: fields,
      values: fc.array(values, { maxLength: 3 }),
    }),
    fc.record({ kind: fc.constant("range" as const), field: fields, from: bound }),
    fc.record({ kind: fc.constant("range" as const), field: fields, from: bound, to: bound }),
    fc.record({ kind: fc.constant("prefix" as const), field: fields, prefix: texts }),
    fc.record({
      kind: fc.constant("contains" as const),
      field: fields,
      text: fc.constantFrom("e", "kim", "철", "etimedout", "größe", "i̇"),
    }),
    fc.record({ kind: fc.constant("exists" as const), field: fields }),
    fc.record({ kind: fc.constant("not" as const), part: tie("any") }),
    fc.record({
      kind: fc.constantFrom("and" as const, "or" as const),
      parts: fc.array(tie("any"), { maxLength: 3 }),
    }),
  ),
})).any;

const orders = fc.record({
  sortBy: fc.constantFrom<TaskSortField>(
    "createdAt",
    "updatedAt",
    "id",
    "startedAt",
    "completedAt",
    "dueAt",
    "duration",
    "priority",
  ),
  descending: fc.boolean(),
});

function expected(all: readonly Task[], { where, sortBy, descending, limit }: StoreSearch): Task[] {
  const found = all.filter((task) => meets(where!, { task }) && sortValueOf(sortBy, task) !== undefined);
  const sign = descending ? -1 : 1;
  found.sort((a, b) => {
    const [x, y] = [sortValueOf(sortBy, a) ?? 0, sortValueOf(sortBy, b) ?? 0];
    return sign * (x - y || Buffer.compare(Buffer.from(a.id), Buffer.from(b.id)));
  });
  return found.slice(0, limit);
}

function idsOf(tasks: readonly Task[]): string[] {
  return tasks.map(({ id }) => id);
}
