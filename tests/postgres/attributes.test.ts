/** The rows of attributes follow their tasks, whatever becomes of these. */

import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { Bound, Condition } from "../../server/tasks/core/filters/condition.ts";
import { meets } from "../../server/tasks/core/filters/meets.ts";
import type {
  AttributeKey,
  Attributes,
  Place,
  StoreSearch,
  TaskStore,
} from "../../server/tasks/core/store.ts";
import type { Task } from "../../server/tasks/core/task.ts";
import { compareText } from "../../server/tasks/core/values/compare.ts";
import {
  type AttributeCondition,
  attributeSql,
} from "../../server/tasks/stores/postgres/attributes/attribute-conditions.ts";
import {
  askAttributes,
  attributeSource,
} from "../../server/tasks/stores/postgres/attributes/attribute-keys.ts";
import { AttributeNames } from "../../server/tasks/stores/postgres/attributes/attribute-names.ts";
import { readKey } from "../../server/tasks/stores/postgres/attributes/attribute-values.ts";
import { Database, type Session } from "../../server/tasks/stores/postgres/connections/database.ts";
import { parseLocation } from "../../server/tasks/stores/postgres/connections/location.ts";
import { planningOnce } from "../../server/tasks/stores/postgres/connections/planning.ts";
import { onceOnly } from "../../server/tasks/stores/postgres/statement.ts";
import { createPostgresStore } from "../../server/tasks/stores/postgres/store.ts";
import { newDefinition, newSearch, newTask, newTasks, newWorker, settlementOf } from "../support/builders.ts";
import fc from "../support/fast-check.ts";
import type { TestSchema } from "../support/postgres.ts";
import { seeded } from "../support/seeded.ts";
import { takeTestSchema } from "../support/spare-schemas.ts";
import { claimRequest, ok } from "../support/stores.ts";
import { TestClock } from "../support/test-clock.ts";

let schema: TestSchema;
let store: TaskStore;
let clock: TestClock;

beforeEach(async () => {
  schema = await takeTestSchema();
  clock = new TestClock();
  store = createPostgresStore({ url: schema.url, clock });
  await store.open();
  ok(await store.registerWorker(newWorker()));
});

afterEach(async () => {
  await store.close();
  await schema.drop();
});

/** Every row of a task that exists, as id, state and value. */
async function rows(): Promise<[string, number, unknown][]> {
  const found = await schema.query(
    "SELECT task_id, state, key FROM :schema.attributes ORDER BY task_id, key",
  );
  return found.map(({ task_id, state, key }) => [task_id, state, readKey(key).value]);
}

/** No row is missing, too many, or in another state than its task. */
async function check(): Promise<void> {
  await vi.waitFor(
    async () => expect(await schema.query("SELECT * FROM :schema.attribute_work")).toEqual([]),
    { timeout: 20_000 },
  );
  const kept = await schema.query("SELECT task_id, state, created_at, key FROM :schema.attributes");
  const tasks = await schema.query("SELECT id, status, created_at, attributes FROM :schema.tasks");
  const wanted = tasks.flatMap(({ id, status, created_at, attributes }) =>
    ((attributes ?? []) as string[])
      .filter((key) => !/^\d+ S/.test(key))
      .map((key) => ({
        task_id: id,
        state: status >= 3 ? status : 0,
        created_at,
        key,
      })),
  );
  const order = (all: object[]) => all.map((one) => JSON.stringify(one, Object.keys(one).sort())).sort();
  expect(order(kept)).toEqual(order(wanted));
}

const sourceOf = async (session: Session, search: StoreSearch, names: Parameters<typeof askAttributes>[2]) =>
  attributeSource(session, search, await askAttributes(session, search, names));

function taskWith(attributes: Attributes, facts: object = {}) {
  return { ...newTask(), ...facts, attributes };
}

async function claimOne() {
  return ok(await store.claimTasks(claimRequest({ limit: 1 }))).claimed[0]!;
}

describe("enqueue", () => {
  test("one task, several, and with chosen ids: each value is a row", async () => {
    ok(
      await store.enqueueTasks([
        taskWith({ userId: "u1", sizes: [1, 2], wet: true }, { id: "a", ownId: true }),
      ]),
    );
    ok(await store.enqueueTasks([taskWith({ userId: "u1" }), newTask(), taskWith({ userId: "u2" })]));
    ok(await store.enqueueTasks([taskWith({}, { id: "b", ownId: true }), newTask()]));
    expect((await rows()).filter(([id]) => id === "a")).toEqual([
      ["a", 0, "u1"],
      ["a", 0, 1],
      ["a", 0, 2],
      ["a", 0, true],
    ]);
    await check();
  });

  test("a task that was stored before adds nothing", async () => {
    const task = taskWith({ userId: "u1" }, { id: "a", ownId: true });
    ok(await store.enqueueTasks([task]));
    ok(await store.enqueueTasks([task]));
    ok(await store.enqueueTasks([task, taskWith({ userId: "u2" }, { id: "b", ownId: true })]));
    expect(await rows()).toHaveLength(2);
    await check();
  });

  test("parts, whole or met half-way by a task that is stored, with chosen ids and without attributes among them", async () => {
    const values = ["한".repeat(1_000), '"\\,{}', "a\tb\nc", "x\u0000y", "\ud800", "", "NULL", "\\N", "\\."];
    const many = Array.from({ length: 40 }, (_, n) => [
      taskWith({ text: values, n }, { id: `part-${n}` }),
      ...(n % 3 === 0 ? [newTask()] : [taskWith({ n: [n, n, -n] }), taskWith({})]),
      ...(n % 10 === 9 ? [taskWith({ userId: "u1" }, { id: `own-${n}`, ownId: true })] : []),
    ]);
    const sent = () =>
      (async function* () {
        yield* many;
      })();
    ok(await store.enqueueTasks(sent()));
    await check();
    const before = await rows();
    expect(before.filter(([, , value]) => value === "a\tb\nc")).toHaveLength(40);
    expect(before.filter(([id]) => id === "own-39")).toEqual([["own-39", 0, "u1"]]);
    ok(await store.enqueueTasks(sent()));
    expect(await rows()).toEqual(before);
    await check();
  });

  test("long texts, quotes and other languages", async () => {
    const values = ["한".repeat(1_000), '"\\,{}', "a\tb\nc", "x\u0000y", "\ud800", "", "NULL"];
    ok(await store.enqueueTasks([taskWith({ text: values })]));
    expect(await rows()).toHaveLength(values.length);
    await check();
  });
});

test("numbers hold for the statement they were asked for, though a new connection has them forgotten meanwhile", async () => {
  const database = new Database(parseLocation(schema.url));
  await database.open();
  try {
    const names = new AttributeNames({
      query: async (statement, values) => {
        const rows = await database.query(statement, values);
        names.forget();
        return rows;
      },
    });
    const tasks = [
      newTask({ attributes: { userId: 1, label: "a" } }),
      newTask({ attributes: { paid: true } }),
    ];
    const numberOf = await names.ofAll(tasks);
    const stored = new Map(
      (await names.all()).map(({ attribute, type, name }) => [attribute, `${type} ${name}`]),
    );
    for (const { type, attributes } of tasks) {
      for (const name in attributes) expect(stored.get(numberOf(type, name))).toBe(`${type} ${name}`);
    }
  } finally {
    await database.close();
  }
});

describe("what becomes of a task", () => {
  test.each(["completed", "failed", "cancelled", "timed-out", "released"] as const)("%s", async (outcome) => {
    ok(await store.enqueueTasks([taskWith({ userId: "u1", size: 3 })]));
    const claimed = await claimOne();
    await check();
    ok(await store.settleTasks([settlementOf(claimed, outcome)]));
    await check();
  });

  test("results add values when they complete a task", async () => {
    ok(await store.enqueueTasks([taskWith({ userId: "u1" }), newTask(), newTask()]));
    const { claimed } = ok(await store.claimTasks(claimRequest({ limit: 3 })));
    const settled = claimed.map((one, place) =>
      settlementOf(one, "completed", place === 2 ? {} : { attributes: { total: place } }),
    );
    ok(await store.settleTasks(settled));
    expect((await rows()).map(([, state, value]) => [state, value])).toEqual(
      expect.arrayContaining([
        [3, "u1"],
        [3, 0],
        [3, 1],
      ]),
    );
    await check();
  });

  test("cancel, retry, cancel again and delete", async () => {
    const task = taskWith({ userId: "u1" }, { id: "a", ownId: true });
    ok(await store.enqueueTasks([task]));
    ok(await store.cancelTask("a"));
    expect(await rows()).toEqual([["a", 5, "u1"]]);
    ok(await store.retryTask("a"));
    expect(await rows()).toEqual([["a", 0, "u1"]]);
    ok(await store.editTask("a", { priority: 2 }));
    ok(await store.cancelTask("a"));
    await check();
    ok(await store.deleteTask("a"));
    expect(await rows()).toEqual([]);
  });

  test("prune", async () => {
    ok(await store.enqueueTasks([taskWith({ userId: "u1" }), taskWith({ userId: "u2" })]));
    ok(await store.settleTasks([settlementOf(await claimOne(), "completed")]));
    ok(await store.pruneTasks({ status: "COMPLETED", before: clock.now() + 1, limit: 10 }));
    expect(await rows()).toHaveLength(1);
    await check();
  });

  test("tasks of a dead worker", async () => {
    ok(
      await store.enqueueTasks([
        taskWith({ userId: "u1" }),
        taskWith({ userId: "u2" }, { rerunAfterCrash: false }),
      ]),
    );
    ok(await store.claimTasks(claimRequest()));
    const { renewals } = (await store.listWorkers())[0]!;
    const suspects = [{ workerId: "worker-1", renewals }];
    ok(await store.reapWorkers({ suspects, crashBudget: 3, cancelGraceMs: 60_000 }));
    expect((await rows()).map(([, state]) => state).sort()).toEqual([0, 4]);
    await check();
  });

  test("records keep their attributes", async () => {
    const attributes = { userId: "u1", sizes: [1, 2], wet: false };
    ok(await store.enqueueTasks([taskWith(attributes, { id: "a", ownId: true })]));
    ok(await store.settleTasks([settlementOf(await claimOne(), "completed")]));
    const records = await store.readRecords({ limit: 10 });
    expect(records[0]!.attributes).toEqual(attributes);
    ok(await store.deleteTask("a"));
    ok(await store.writeRecords(records));
    expect((await store.readRecords({ limit: 10 }))[0]!.attributes).toEqual(attributes);
    await check();
  });
});

describe("attributes that a definition gains", () => {
  const types = ["resize-image"];

  async function fill(limit = 2): Promise<number> {
    let count = 0;
    for (;;) {
      const unfilled = await store.readUnfilled({ types, limit });
      if (unfilled.length === 0) return count;
      count += unfilled.length;
      const filled = unfilled.map(({ ref, task, attributes }) => {
        expect(attributes).toEqual(["widthPx"]);
        const { widthPx } = task.payload as { widthPx?: number };
        return { ref, attributes: (widthPx === undefined ? {} : { widthPx }) as Attributes };
      });
      ok(await store.writeAttributes(filled));
    }
  }

  test("are filled in for the tasks before, also those that run and those that have ended", async () => {
    const payload = (widthPx: number) => ({ payload: { json: `{"widthPx":${widthPx}}` } });
    ok(await store.saveDefinitions([newDefinition()]));
    const tasks = Array.from({ length: 7 }, (_, at) => ({ ...newTask(), ...payload(at), priority: -at }));
    ok(await store.enqueueTasks([...tasks, { ...newTask(), payload: { json: "{}" }, priority: -100 }]));
    ok(await store.settleTasks([settlementOf(await claimOne(), "completed")]));
    const running = await claimOne();
    expect(await store.readUnfilled({ types, limit: 10 })).toEqual([]);
    ok(await store.saveDefinitions([{ ...newDefinition(), attributes: ["widthPx"] }]));
    expect(await store.readUnfilled({ types: ["other"], limit: 10 })).toEqual([]);
    expect(await fill()).toBe(8);
    ok(await store.saveDefinitions([{ ...newDefinition(), attributes: ["widthPx"] }]));
    expect(await fill()).toBe(0);
    expect((await rows()).map(([, , value]) => value).sort()).toEqual([0, 1, 2, 3, 4, 5, 6]);
    expect((await rows()).map(([, state]) => state).sort()).toEqual([0, 0, 0, 0, 0, 2, 3]);
    ok(await store.settleTasks([settlementOf(running, "completed")]));
    ok(await store.deleteTask(running.task.id));
    expect(await rows()).toHaveLength(6);
    await check();
  });
});

describe("conditions in SQL", () => {
  const long = "한".repeat(400);
  const values: AttributeKey[] = [
    "",
    "a",
    "ab",
    "b",
    "1",
    1,
    -1,
    0.5,
    1e9,
    true,
    false,
    long,
    `${long}a`,
    `${long}b`,
  ];
  const field = { of: "attribute", name: "value" } as const;
  const bound = fc.record({
    value: fc.constantFrom(...values.filter((value) => typeof value !== "boolean")),
    isIncluded: fc.boolean(),
  }) as fc.Arbitrary<Bound>;
  const condition = fc.oneof(
    fc.record({ kind: fc.constant("exists" as const), field: fc.constant(field) }),
    fc.record({
      kind: fc.constant("equals" as const),
      field: fc.constant(field),
      values: fc.array(fc.constantFrom<AttributeKey | null>(...values, null), { maxLength: 3 }),
    }),
    fc.record({
      kind: fc.constant("prefix" as const),
      field: fc.constant(field),
      prefix: fc.constantFrom("", "a", "1", "한", long, `${long}a`),
    }),
    fc.record(
      { kind: fc.constant("range" as const), field: fc.constant(field), from: bound, to: bound },
      { requiredKeys: ["kind", "field"] },
    ),
  ) as fc.Arbitrary<Condition & { kind: "equals" }>;

  test("say of each task what their meaning says, and no candidate is missing", async () => {
    const given: (Attributes | undefined)[] = [
      undefined,
      { other: "a" },
      ...values.map((value) => ({ value })),
      { value: ["a", 1, long], other: "b" },
      { value: ["b", true] },
    ];
    const tasks = given.map((attributes, at) => {
      const type = at % 2 ? "resize-image" : "send-receipt";
      return { ...newTask({ id: `t${at}`, type }), ...(attributes && { attributes }) };
    });
    ok(await store.enqueueTasks(tasks));
    const database = new Database(parseLocation(schema.url));
    await database.open();
    try {
      const names = await new AttributeNames(database).all();
      await fc.assert(
        fc.asyncProperty(condition, async (where) => {
          const wanted = tasks.flatMap(({ id, attributes }) =>
            meets(where, { task: {} as Task, ...(attributes && { attributes }) }) ? [id] : [],
          );
          const asked: unknown[] = [];
          const sql = attributeSql(where as AttributeCondition, names, (value) => `$${asked.push(value)}`);
          const found = await database.query(
            onceOnly("test", `SELECT id, coalesce((${sql})::text, 'null') FROM :schema.tasks`),
            asked,
          );
          expect(found.filter(([, is]) => is === "null")).toEqual([]);
          expect(found.flatMap(([id, is]) => (is === "true" ? [id] : [])).sort()).toEqual([...wanted].sort());
          const source = await sourceOf(database, newSearch({ where }), names);
          const keys = await source?.keys(database, undefined, 100);
          if (keys) expect(keys.places.map(({ id }) => id)).toEqual(expect.arrayContaining(wanted));
        }),
        { numRuns: 300 },
      );
    } finally {
      await database.close();
    }
  });
});

test("what another process has made since this one looked is found: a task, a value, an attribute of another type", async () => {
  const where: Condition = {
    kind: "equals",
    field: { of: "attribute", name: "userId" },
    values: ["u1"],
  };
  const found = async () =>
    (await store.searchTasks(newSearch({ where, limit: 50 }))).tasks.map(({ id }) => id);
  const other = createPostgresStore({ url: schema.url, clock });
  await other.open();
  try {
    const wanted: string[] = [];
    for (const [id, type] of [
      ["a", "resize-image"],
      ["b", "resize-image"],
      ["c", "send-receipt"],
    ] as const) {
      expect(await found()).toEqual(wanted);
      ok(await other.enqueueTasks([taskWith({ userId: "u1" }, { id, type })]));
      await clock.advance(1);
      wanted.unshift(id);
    }
    expect(await found()).toEqual(wanted);
  } finally {
    await other.close();
  }
});

test("many streams give their keys in order, page by page, each task once", async () => {
  const random = seeded(7);
  const pick = <Value>(values: readonly Value[]) => values[Math.floor(random() * values.length)]!;
  const tasks = Array.from({ length: 300 }, (_, n) => ({
    ...newTask({
      id: `t${n}`,
      type: `type-${Math.floor(12 * random() ** 3)}`,
      createdAt: 1_000 * pick([1, 2, 3, 4, 5]) + (n % 7),
    }),
    attributes: { plan: [...new Set([pick(["a", "b", "c"]), pick(["a", "b", "c"])])] },
  }));
  ok(await store.enqueueTasks(tasks));
  const database = new Database(parseLocation(schema.url));
  await database.open();
  const plans = new Set<string>();
  const explaining: Session = {
    query: async (statement, values) => {
      const text = statement.text.replace(/^\/\*.*?\*\/\s*/, "");
      const [row] = await database.snapshot(
        (session) => session.query(onceOnly("explain", `EXPLAIN (FORMAT JSON) ${text}`), values),
        planningOnce,
      );
      for (const [, name] of JSON.stringify(row).matchAll(/"Index Name":"(\w+)"/g)) plans.add(name!);
      if (/Seq Scan/.test(JSON.stringify(row))) plans.add("all");
      return database.query(statement, values);
    },
  };
  try {
    const names = await new AttributeNames(database).all();
    const values = ["a", "b"];
    const where = { kind: "equals", field: { of: "attribute", name: "plan" }, values } as const;
    for (const descending of [true, false]) {
      for (const [limit, created] of [
        [4, undefined],
        [40, { start: 2_000, end: 5_003 }],
      ] as const) {
        const search = newSearch({ where, descending, limit, ...(created && { created }) });
        const source = (await sourceOf(database, search, names))!;
        const found: string[] = [];
        for (let after: Place | undefined, pages = 0; pages < 300; pages += 1) {
          const { places, next } = await source.keys(pages === 0 ? explaining : database, after, limit);
          found.push(...places.map(({ id }) => id));
          if (!next) break;
          after = next;
        }
        const sign = descending ? -1 : 1;
        const wanted = tasks
          .filter(({ attributes, createdAt }) => {
            const isWithin = !created || (createdAt >= created.start && createdAt < created.end);
            return isWithin && attributes.plan.some((value) => values.includes(value));
          })
          .sort((a, b) => sign * (a.createdAt - b.createdAt || compareText(a.id, b.id)));
        expect(found).toEqual(wanted.map(({ id }) => id));
      }
    }
    expect([...plans]).toEqual(["attributes_key"]);
  } finally {
    await database.close();
  }
});

test("a range that many rows are in misses none of its tasks, though each has several", async () => {
  const batch = newTasks(2_300);
  const attributesOf = (n: number) => ({ sizes: n < 2_200 ? [1, 2, 3, 4, 5, 6, 7, 8, 9, 10] : [11] });
  const parts = [0, 1_000, 2_000].map((from) => batch.slice(from, from + 1_000));
  for (const [part, tasks] of parts.entries())
    ok(
      await store.enqueueTasks(
        tasks.map((task, n) => ({ ...task, attributes: attributesOf(part * 1_000 + n) })),
      ),
    );
  const where: Condition = {
    kind: "range",
    field: { of: "attribute", name: "sizes" },
    from: { value: 1, isIncluded: true },
  };
  expect(await store.countTasks(newSearch({ where }))).toEqual({ count: 2_300, errorMax: 0 });
});
