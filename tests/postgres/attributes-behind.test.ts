/** What the index of attributes lacks for a while is found and counted all the same, and whatever happens meanwhile it ends up right. */
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { lackingName } from "../../server/tasks/core/attributes.ts";
import type { Condition } from "../../server/tasks/core/filters/condition.ts";
import type { StoreSearch, TaskStore } from "../../server/tasks/core/store.ts";
import { readWriters } from "../../server/tasks/stores/postgres/attributes/attribute-index.ts";
import { AttributeIndexing } from "../../server/tasks/stores/postgres/attributes/attribute-indexing.ts";
import { behindMax } from "../../server/tasks/stores/postgres/attributes/attribute-work.ts";
import { createPostgresStore } from "../../server/tasks/stores/postgres/store.ts";
import {
  endOthers,
  expectIndexed,
  leaveBehind,
  othersTransaction,
  rowsOf,
  stepping,
  untilBlocked,
} from "../support/attribute-behind.ts";
import { newSearch, newTask, newWorker, settlementOf, someError, startAt } from "../support/builders.ts";
import type { TestSchema } from "../support/postgres.ts";
import { takeTestSchema } from "../support/spare-schemas.ts";
import { claimRequest, ok } from "../support/stores.ts";
import { TestClock } from "../support/test-clock.ts";

let schema: TestSchema;
let store: TaskStore;
let clock: TestClock;
let indexer: Awaited<ReturnType<typeof stepping>>;

beforeEach(async () => {
  schema = await takeTestSchema();
  clock = new TestClock();
  await registerElsewhere();
  store = createPostgresStore({ url: schema.url, clock });
  await store.open();
  indexer = await stepping(schema, () => clock.now());
});

afterEach(async () => {
  await endOthers();
  await indexer.close();
  await store.close();
  await schema.drop();
});

/** Who begins a worker looks for what is left to be indexed, behind that: here that look is over before anything is left. */
async function registerElsewhere(): Promise<void> {
  const elsewhere = createPostgresStore({ url: schema.url, clock });
  await elsewhere.open();
  ok(await elsewhere.registerWorker(newWorker()));
  await elsewhere.close();
}

const field = (name: string) => ({ of: "attribute", name }) as const;

function taskOf(n: number, facts: object = {}) {
  const attributes = { user: n % 40, plan: ["free", "team"][n % 2]!, tags: [`t${n % 3}`, `u${n % 7}`] };
  return {
    ...newTask({ id: `t${String(n).padStart(5, "0")}`, createdAt: startAt + n, ...facts }),
    attributes,
  };
}

async function one(facts: object = {}): Promise<string> {
  const task = taskOf(1, facts);
  ok(await store.enqueueTasks([task]));
  return task.id;
}

async function claimed(limit = 1) {
  return ok(await store.claimTasks(claimRequest({ limit }))).claimed;
}

async function found(where: Condition, facts: Partial<StoreSearch> = {}): Promise<string[]> {
  return (await store.searchTasks(newSearch({ where, limit: 2_000, ...facts }))).tasks.map(({ id }) => id);
}

const ofUser = (user: number): Condition => ({ kind: "equals", field: field("user"), values: [user] });

describe("while the index lacks tasks, or has them half, and after", () => {
  const bound = (value: number | string) => ({ value, isIncluded: true });
  const conditions: Condition[] = [
    ofUser(7),
    { kind: "equals", field: field("user"), values: [3, 4, 5] },
    { kind: "equals", field: field("tags"), values: ["t1", "u3"] },
    { kind: "range", field: field("user"), from: bound(30), to: bound(33) },
    { kind: "prefix", field: field("plan"), prefix: "te" },
    { kind: "or", parts: [ofUser(1), { kind: "prefix", field: field("tags"), prefix: "u6" }] },
    { kind: "and", parts: [ofUser(2), { kind: "equals", field: field("plan"), values: ["free"] }] },
    { kind: "not", part: { kind: "equals", field: field("plan"), values: ["team"] } },
  ];
  const searches: Partial<StoreSearch>[] = [
    {},
    { limit: 10, offset: 5 },
    { descending: false, limit: 20 },
    { statuses: ["COMPLETED"] },
    { statuses: ["PENDING", "FAILED"], limit: 7 },
    { types: ["send-receipt"] },
    { sortBy: "updatedAt", limit: 15 },
    { created: { start: startAt + 300, end: startAt + 1_100 }, limit: 30 },
    { after: { value: startAt + 1_200, id: "t01200", backwards: false }, limit: 25 },
  ];

  async function answers(): Promise<unknown[]> {
    const all: unknown[] = [];
    for (const [place, where] of conditions.entries()) {
      // Each condition with some, and each of these with some conditions.
      const some = searches.filter((_, n) => (n + place) % 3 === 0);
      for (const facts of some) all.push(await found(where, facts));
      all.push(await store.countTasks(newSearch({ where })));
      all.push(await store.countTasks(newSearch({ where, statuses: ["FAILED"] })));
    }
    for (const name of ["user", "plan", "tags"]) {
      const { counts, ...rest } = await store.countAttribute({ name });
      all.push(counts.map((count) => JSON.stringify(count)).sort(), rest);
      const some = await store.countAttribute({
        name,
        created: { start: startAt + 100, end: startAt + 1_100 },
      });
      all.push(some.counts.map((count) => JSON.stringify(count)).sort());
    }
    return all;
  }

  test("searches, counts and counts by value are the same", async () => {
    const tasks = Array.from({ length: 1_500 }, (_, n) =>
      taskOf(n, n % 5 === 0 ? { type: "send-receipt" } : {}),
    );
    for (let at = 0; at < tasks.length; at += 500) ok(await store.enqueueTasks(tasks.slice(at, at + 500)));
    clock.advance(10_000);
    const ran = await claimed(500);
    ok(
      await store.settleTasks(
        ran
          .slice(0, 500)
          .map((one, n) =>
            settlementOf(one, n % 3 === 0 ? "failed" : "completed", { error: someError } as object),
          ),
      ),
    );
    const wanted = await answers();
    await leaveBehind(schema);
    expect(await rowsOf(schema)).toHaveLength(0);
    expect(await answers()).toEqual(wanted);
    const works = await indexer.take();
    expect(works.map(({ isWritten }) => isWritten)).toEqual([false, false]);
    for (const work of works) {
      await indexer.write(work);
      expect(await answers()).toEqual(wanted);
    }
    await indexer.writeAll();
    expect(await answers()).toEqual(wanted);
    await indexer.sweep();
    expect(await schema.query("SELECT * FROM :schema.attribute_work")).toEqual([]);
    expect(await answers()).toEqual(wanted);
    await expectIndexed(schema);
  });
});

describe("what ends, comes back or goes before it is written", () => {
  test.each(["completed", "failed"] as const)("%s", async (outcome) => {
    await one();
    const [task] = await claimed();
    await leaveBehind(schema);
    expect(await found(ofUser(1))).toEqual([task!.task.id]);
    ok(await store.settleTasks([settlementOf(task!, outcome, { error: someError } as object)]));
    expect(
      await found(ofUser(1), { statuses: [outcome === "failed" ? "FAILED" : "COMPLETED"] }),
    ).toHaveLength(1);
    await indexer.writeAll();
    await indexer.sweep();
    await expectIndexed(schema);
  });

  test("cancelled, retried, edited, and deleted", async () => {
    const id = await one();
    await leaveBehind(schema);
    ok(await store.cancelTask(id));
    ok(await store.retryTask(id));
    ok(await store.editTask(id, { priority: 3 }));
    ok(await store.cancelTask(id));
    await indexer.writeAll();
    await indexer.sweep();
    await expectIndexed(schema);
    await leaveBehind(schema);
    ok(await store.deleteTask(id));
    await indexer.writeAll();
    await indexer.sweep();
    expect(await rowsOf(schema)).toEqual([]);
    expect(await schema.query("SELECT * FROM :schema.attribute_leavings")).toEqual([]);
  });

  test("an older version, which says nothing of what is not there yet", async () => {
    const id = await one();
    await leaveBehind(schema);
    await indexer.writeAll();
    await schema.query("DELETE FROM :schema.attributes");
    await schema.query("UPDATE :schema.tasks SET status = 5, completed_at = created_at WHERE id = $1", [id]);
    await indexer.sweep();
    await expectIndexed(schema);
  });
});

describe("statements that began before rows were written, and end after", () => {
  test("a settlement: it is found as what it is, and no row says otherwise in the end", async () => {
    const id = await one();
    const [task] = await claimed();
    await leaveBehind(schema);
    const other = await othersTransaction(schema);
    await other.query("SELECT 1 FROM :schema.tasks WHERE id = $1 FOR UPDATE", [id]);
    const settling = store.settleTasks([settlementOf(task!, "completed")]);
    await untilBlocked(schema, "settleCompleted");
    await indexer.writeAll();
    expect((await readWriters(indexer.context)).size).toBeGreaterThan(0);
    await other.commit();
    ok(await settling);
    expect(await found(ofUser(1), { statuses: ["COMPLETED"] })).toEqual([id]);
    const { counts } = await store.countAttribute({ name: "user" });
    expect(counts).toEqual([{ type: "resize-image", value: 1, status: "COMPLETED", count: 1 }]);
    // The row that the settlement did not see.
    expect(await rowsOf(schema)).toHaveLength(8);
    expect(await readWriters(indexer.context)).toEqual(new Set());
    await indexer.sweep();
    await expectIndexed(schema);
    expect(await found(ofUser(1), { statuses: ["COMPLETED"] })).toEqual([id]);
  });

  test("a settlement: the note stays for as long", async () => {
    const id = await one();
    const [task] = await claimed();
    const other = await othersTransaction(schema);
    await other.query("SELECT 1 FROM :schema.tasks WHERE id = $1 FOR UPDATE", [id]);
    await leaveBehind(schema);
    const settling = store.settleTasks([settlementOf(task!, "completed")]);
    await untilBlocked(schema, "settleCompleted");
    const looks = vi.spyOn(indexer.context.database, "read");
    const indexing = new AttributeIndexing(indexer.context);
    indexing.begin();
    await vi.waitFor(() => expect(looks.mock.calls.length).toBeGreaterThan(3), { timeout: 20_000 });
    expect(await schema.query("SELECT written FROM :schema.attribute_work")).toEqual([{ written: true }]);
    await other.commit();
    ok(await settling);
    await vi.waitFor(
      async () => expect(await schema.query("SELECT * FROM :schema.attribute_work")).toEqual([]),
      { timeout: 20_000 },
    );
    await indexing.close();
    await expectIndexed(schema);
  });

  test("a deletion: nothing is left of the task", async () => {
    const id = await one();
    const [task] = await claimed();
    ok(await store.settleTasks([settlementOf(task!, "failed", { error: someError } as object)]));
    await leaveBehind(schema);
    const other = await othersTransaction(schema);
    await other.query("SELECT 1 FROM :schema.attempts WHERE task_id = $1 FOR UPDATE", [id]);
    const deleting = store.deleteTask(id);
    await untilBlocked(schema, "deleteTask");
    await indexer.writeAll();
    expect(await rowsOf(schema)).toHaveLength(4);
    await other.commit();
    ok(await deleting);
    expect((await store.countAttribute({ name: "user" })).counts).toEqual([]);
    await indexer.sweep();
    expect(await rowsOf(schema)).toEqual([]);
    expect(await schema.query("SELECT * FROM :schema.attribute_leavings")).toEqual([]);
  });

  test("a retry while rows are set right: the task is found as it is then", async () => {
    const id = await one();
    ok(await store.cancelTask(id));
    await leaveBehind(schema);
    await indexer.writeAll();
    await schema.query(`INSERT INTO :schema.attributes (key, state, created_at, task_id)
      SELECT key, 0, created_at, task_id FROM :schema.attributes`);
    const other = await othersTransaction(schema);
    await other.query("UPDATE :schema.tasks SET status = 1, completed_at = NULL WHERE id = $1", [id]);
    await other.query("DELETE FROM :schema.attributes WHERE state = 5");
    const sweeping = indexer.sweep();
    await untilBlocked(schema, "lockWrongAttributes");
    await other.commit();
    await sweeping;
    await expectIndexed(schema);
    expect(await found(ofUser(1), { statuses: ["PENDING"] })).toEqual([id]);
  });
});

describe("whoever indexes", () => {
  test("a batch in parts is indexed behind it, by the process that stored it", async () => {
    const parts = Array.from({ length: 4 }, (_, part) =>
      Array.from({ length: 300 }, (_, n) => ({ ...taskOf(300 * part + n), ownId: false })),
    );
    ok(
      await store.enqueueTasks(
        (async function* () {
          yield* parts;
        })(),
      ),
    );
    expect(await found(ofUser(7))).toHaveLength(30);
    await vi.waitFor(
      async () => expect(await schema.query("SELECT * FROM :schema.attribute_work")).toEqual([]),
      { timeout: 20_000 },
    );
    await expectIndexed(schema);
  });

  test("what a process that died has left is taken by the next that looks, after some time", async () => {
    await one();
    await leaveBehind(schema);
    await schema.query("UPDATE :schema.attribute_work SET taken_at = $1", [clock.now()]);
    expect(await indexer.take()).toEqual([]);
    await clock.advance(30_001);
    ok(await store.reapWorkers({ suspects: [], crashBudget: 3, cancelGraceMs: 60_000 }));
    await vi.waitFor(
      async () => expect(await schema.query("SELECT * FROM :schema.attribute_work")).toEqual([]),
      { timeout: 20_000 },
    );
    await expectIndexed(schema);
  });

  test("who was taken for dead writes nothing any more", async () => {
    await one();
    await leaveBehind(schema);
    const works = await indexer.take();
    await schema.query("UPDATE :schema.attribute_work SET taken_by = 'other'");
    expect(await indexer.write(works[0]!)).toBe(true);
    expect(await rowsOf(schema)).toEqual([]);
  });

  test("who lacks attributes is not among what is written: a worker may have taken them meanwhile", async () => {
    const task = { ...newTask(), attributes: { [lackingName]: true, user: 1 } };
    ok(await store.enqueueTasks([task]));
    await leaveBehind(schema);
    await indexer.writeAll();
    expect(await rowsOf(schema)).toHaveLength(1);
    expect(await found(ofUser(1))).toEqual([task.id]);
  });

  test("where many are left, the next are written with their tasks", async () => {
    const indexing = new AttributeIndexing(indexer.context);
    expect(indexing.hasRoom(behindMax - 1)).toBe(true);
    expect(indexing.hasRoom(behindMax)).toBe(false);
  });

  test("doctor finds nothing wrong meanwhile", async () => {
    await one();
    await leaveBehind(schema);
    const health = async () =>
      (await store.checkHealth({ full: true })).find(({ check }) => check === "attributes")?.level;
    expect(await health()).toBe("ok");
    await schema.query("DELETE FROM :schema.attribute_work");
    expect(await health()).toBe("error");
  });
});
