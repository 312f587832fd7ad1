/** Claims beside each other, and how the server carries them and what follows them out, whatever it knows of the tables. */

import pg from "pg";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { ClaimRequest, TaskStore } from "../../server/tasks/core/store.ts";
import { claimDue, claimFirstDue } from "../../server/tasks/stores/postgres/claim.ts";
import { Floors } from "../../server/tasks/stores/postgres/floors.ts";
import { glanceAtTasks, look } from "../../server/tasks/stores/postgres/look.ts";
import { completeTasks, keepReports, settleTasksById } from "../../server/tasks/stores/postgres/settle.ts";
import { inSchema, type Statement } from "../../server/tasks/stores/postgres/statement.ts";
import { createPostgresStore } from "../../server/tasks/stores/postgres/store.ts";
import { cancelRequests, reap, renewLease } from "../../server/tasks/stores/postgres/workers.ts";
import { newTask, newTasks, newWorker, settlementOf } from "../support/builders.ts";
import type { TestSchema } from "../support/postgres.ts";
import { takeTestSchema } from "../support/spare-schemas.ts";
import { claimRequest, ok } from "../support/stores.ts";

let schema: TestSchema;
const stores: TaskStore[] = [];

async function open(): Promise<TaskStore> {
  const store = createPostgresStore({ url: schema.url });
  await store.open();
  stores.push(store);
  return store;
}

beforeEach(async () => {
  schema = await takeTestSchema();
});
afterEach(async () => {
  vi.restoreAllMocks();
  for (const store of stores.splice(0)) await store.close();
  await schema.drop();
});

const createdAt = Date.now() - 60_000;

describe("workers that claim at once", () => {
  /** Claims until nothing is left; answers the ids in the order they came, one list for each worker. */
  async function drain(workers: number, request: Partial<ClaimRequest>): Promise<string[][]> {
    return Promise.all(
      Array.from({ length: workers }, async (_, index) => {
        const store = await open();
        const workerId = `worker-${index}`;
        await store.registerWorker(newWorker(workerId));
        const ids: string[] = [];
        for (;;) {
          const { claimed } = ok(await store.claimTasks(claimRequest({ workerId, ...request })));
          if (claimed.length === 0) return ids;
          ids.push(...claimed.map(({ task }) => task.id));
          ok(await store.settleTasks(claimed.map((one) => settlementOf(one, "completed", { workerId }))));
        }
      }),
    );
  }

  test.each([1, 3])(
    "share the tasks of %d lanes: each goes to one of them, and nobody starves",
    async (lanes) => {
      const store = await open();
      for (let lane = 0; lane < lanes; lane += 1) {
        ok(await store.enqueueTasks(newTasks(1_200 / lanes, { createdAt, queue: `queue-${lane}` })));
      }
      const shares = await drain(4, { limit: 20 });
      expect(new Set(shares.flat()).size).toBe(1_200);
      expect(shares.flat()).toHaveLength(1_200);
      // How much each gets is the machine's affair; who claims while there is work gets some of it, again and again.
      for (const share of shares) expect(share.length).toBeGreaterThanOrEqual(40);
    },
  );

  test("get all they ask for while there is enough, though others hold the longest due of several lanes", async () => {
    const store = await open();
    const longest = newTasks(10, { createdAt, queue: "a" });
    ok(await store.enqueueTasks([...longest, ...newTasks(10, { createdAt: createdAt + 1, queue: "b" })]));
    await store.registerWorker(newWorker());
    const other = new pg.Client({ connectionString: schema.url.replace(/\?.*/, "") });
    await other.connect();
    try {
      await other.query(
        `BEGIN; SELECT 1 FROM ${schema.quoted}.tasks WHERE id <= '${longest[6]!.id}' FOR UPDATE`,
      );
      const { claimed } = ok(await store.claimTasks(claimRequest({ limit: 5 })));
      expect(claimed.map(({ task }) => task.queue)).toEqual(["a", "a", "a", "b", "b"]);
      expect(ok(await store.claimTasks(claimRequest({ limit: 5 }))).claimed).toHaveLength(5);
    } finally {
      await other.end();
    }
  });
});

test("an idle worker only looks, until there is something or it is told", async () => {
  const [store, other] = [await open(), await open()];
  await store.registerWorker(newWorker());
  const claim = async () => ok(await store.claimTasks(claimRequest({ suspect: true })));
  const dueAt = Date.now() + 2_000;
  expect(await claim()).toEqual({ claimed: [] });
  expect(await claim()).toEqual({ claimed: [] });
  ok(
    await other.enqueueTasks([
      newTask({ createdAt, dueAt, priority: 3 }),
      newTask({ createdAt, dueAt: dueAt + 1e6 }),
    ]),
  );
  expect(await claim()).toEqual({ claimed: [], nextDueAt: dueAt });
  ok(await other.enqueueTasks([newTask({ createdAt, priority: -3 })]));
  expect((await claim()).claimed).toHaveLength(1);
  await expect.poll(async () => (await claim()).claimed.length).toBe(1);
  expect(await claim()).toEqual({ claimed: [], nextDueAt: dueAt + 1e6 });
  await store.reapWorkers({
    suspects: [{ workerId: "worker-1", renewals: 0 }],
    crashBudget: 3,
    cancelGraceMs: 60_000,
  });
  expect((await store.claimTasks(claimRequest())).kind).toBe("rejected");
  expect((await store.claimTasks(claimRequest())).kind).toBe("rejected");
});

test("a claim that brings what it asks for tells whether other workers are alive", async () => {
  const store = await open();
  ok(await store.enqueueTasks(newTasks(6, { createdAt })));
  await store.registerWorker(newWorker());
  const claim = async (limit: number) => ok(await store.claimTasks(claimRequest({ limit, suspect: true })));
  expect((await claim(2)).isAlone).toBe(true);
  await store.registerWorker(newWorker("worker-2"));
  expect((await claim(2)).isAlone).toBe(false);
  await store.stopWorker("worker-2");
  expect((await claim(2)).isAlone).toBe(true);
  expect(await claim(2)).toEqual({ claimed: [] });
});

test("a worker that waited gets what it is woken for first, and all that is due in the end", async () => {
  // Where a claim took long, as on a busy machine, all is asked for at once.
  vi.spyOn(Floors.prototype, "isSlow", "get").mockReturnValue(false);
  const store = await open();
  await store.registerWorker(newWorker());
  const claim = async () => {
    const { claimed } = ok(await store.claimTasks(claimRequest({ suspect: true, waitMs: 1_000 })));
    return claimed.map(({ task }) => task.id);
  };
  expect(await claim()).toEqual([]);
  const later = newTask({ createdAt, id: "later", priority: 9, dueAt: Date.now() + 1e6 });
  const one = newTask({ createdAt, id: "one", priority: 2 });
  const two = newTask({ createdAt, id: "two", priority: 2, dueAt: createdAt - 1 });
  const low = newTask({ createdAt, id: "low" });
  ok(await store.enqueueTasks([one, two, low]));
  expect(await claim()).toEqual(["two", "one"]);
  ok(await store.enqueueTasks([later]));
  const rest = [await claim(), await claim(), await claim()].flat();
  expect(rest).toEqual(["low"]);
  expect((await store.stats()).byType).toContainEqual(
    expect.objectContaining({ status: "RUNNING", count: 3 }),
  );
});

test("a hundred thousand tasks of a high priority that are not due are no hindrance", async () => {
  const store = await open();
  await store.registerWorker(newWorker());
  const id = "scheduled";
  ok(
    await store.enqueueTasks([newTask({ createdAt }), newTask({ id, priority: 9, dueAt: Date.now() + 1e9 })]),
  );
  await schema.query(`INSERT INTO :schema.tasks
    (id, lane, own_id, status, priority, due_at, created_at, updated_at, max_attempts, rerun_after_crash, payload)
    SELECT 'copy-' || i, lane, own_id, 0, 9, due_at + i, created_at, updated_at, 1, true, 'null'
    FROM :schema.tasks, generate_series(1, 100000) AS i WHERE id = '${id}'`);
  const tookMs: number[] = [];
  for (const id of ["first", "second", "third"]) {
    if (tookMs.length > 0) ok(await store.enqueueTasks([newTask({ createdAt, id })]));
    const began = performance.now();
    expect(ok(await store.claimTasks(claimRequest())).claimed).toHaveLength(1);
    tookMs.push(performance.now() - began);
  }
  // Walking over them takes every claim longer; a busy machine, one now and then.
  expect(Math.min(...tookMs)).toBeLessThan(150);
});

test("a transaction that others hold open does not make claims slow", async () => {
  const store = await open();
  await store.registerWorker(newWorker());
  ok(await store.enqueueTasks(newTasks(20_000, { createdAt })));
  const other = new pg.Client({ connectionString: schema.url.replace(/\?.*/, "") });
  await other.connect();
  try {
    await other.query("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1");
    const ids = new Set<string>();
    for (let claimed = [""]; claimed.length > 0; ) {
      const reply = ok(await store.claimTasks(claimRequest({ limit: 500 })));
      claimed = reply.claimed.map(({ task }) => task.id);
      for (const id of claimed) ids.add(id);
    }
    expect(ids.size).toBe(20_000);
    ok(await store.enqueueTasks([newTask({ id: "of old", dueAt: createdAt - 1e6 })]));
    await expect.poll(async () => ok(await store.claimTasks(claimRequest())).claimed.length).toBe(1);
  } finally {
    await other.end();
  }
});

test.each([
  ["one lane", ["a", "a"]],
  ["two lanes", ["a", "b"]],
])("further claims of a worker with %s bring the tasks in their order", async (_lanes, queues) => {
  const store = await open();
  await store.registerWorker(newWorker());
  const at = (age: number, queue: number, priority = 0) =>
    newTask({ createdAt: createdAt - age, dueAt: createdAt - age, queue: queues[queue]!, priority });
  const inOrder = [at(1, 0, 5), at(9, 0), at(8, 1), at(7, 0), at(6, 1), at(5, 0)];
  ok(await store.enqueueTasks(inOrder.toReversed()));
  const claimed: string[] = [];
  // The first one, of everything, knows how many lanes there are; those after it take the short way where that is one.
  for (let claim = 0; claim < 4; claim += 1) {
    const reply = ok(await store.claimTasks(claimRequest({ limit: 2, suspect: false })));
    claimed.push(...reply.claimed.map(({ task }) => task.id));
  }
  expect(claimed).toEqual(inOrder.map(({ id }) => id));
  expect(ok(await store.claimTasks(claimRequest({ limit: 2, suspect: false }))).claimed).toEqual([]);
});

describe("plans that the server keeps", () => {
  const statements: [name: string, statement: Statement, types: string, values: string][] = [
    [
      "claim",
      claimDue,
      "bigint, text, text[], text[], integer, boolean, text, integer[], integer[], bigint[], bigint[], boolean",
      "NULL, 'w', '{resize-image}', NULL, 500, true, ':table', '{1}', '{0}', '{1}', '{1}', false",
    ],
    [
      "claim first",
      claimFirstDue,
      "bigint, text, text[], text[], integer",
      "NULL, 'w', '{resize-image}', NULL, 500",
    ],
    ["glance", glanceAtTasks, "text", "'w'"],
    ["look", look, "bigint, text, text[], text[], boolean", "NULL, 'w', '{resize-image}', NULL, true"],
    [
      "settle completed",
      completeTasks,
      "bigint, text, tid[], bigint[], text[], integer[], text[], text[]",
      "NULL, 'w', '{}', '{}', '{}', '{}', '{}', '{}'",
    ],
    [
      "settle",
      settleTasksById,
      "bigint, text, integer[], bigint[], text[], integer[], text[], text[], text[], text[], text[], bigint[], text[], text[], bigint[]",
      "NULL, 'w', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}'",
    ],
    [
      "report",
      keepReports,
      "bigint[], text[], integer[], text[], text[], text[]",
      "'{}', '{}', '{}', '{}', '{}', '{}'",
    ],
    ["beat", renewLease, "text, bigint, integer", "'w', NULL, NULL"],
    ["reap", reap, "bigint, text[], bigint[], integer, bigint, integer", "NULL, '{}', '{}', 3, 1000, 1000"],
    ["cancel requests", cancelRequests, "text", "'w'"],
  ];

  /** The plan of any values, as a prepared statement has it. */
  async function planOf({ text }: Statement, types: string, values: string): Promise<string> {
    const client = new pg.Client({ connectionString: schema.url.replace(/\?.*/, "") });
    await client.connect();
    try {
      await client.query("SET plan_cache_mode = force_generic_plan");
      await client.query(`PREPARE kept (${types}) AS ${inSchema(text, schema.name)}`);
      const table = `${schema.quoted}.tasks`;
      const { rows } = await client.query(`EXPLAIN EXECUTE kept (${values.replace(":table", table)})`);
      return rows.map((row) => row["QUERY PLAN"]).join("\n");
    } finally {
      await client.end();
    }
  }

  const fill = (count: number) =>
    schema.query(`INSERT INTO :schema.tasks
      (id, lane, own_id, status, priority, due_at, created_at, updated_at, max_attempts, rerun_after_crash, payload)
      SELECT 'task-' || i, coalesce((SELECT max(lane) FROM :schema.lanes), 1), false, 0, 0, i, i, i, 1, true, '{"widthPx":640}' FROM generate_series(1, ${count}) AS i`);

  const states: [string, () => Promise<unknown>][] = [
    ["empty and never analysed", async () => undefined],
    ["just filled", () => fill(50_000)],
    [
      "filled and analysed",
      async () => {
        await fill(50_000);
        await schema.query("ANALYZE :schema.tasks");
      },
    ],
    [
      "analysed when all was finished, and filled since",
      async () => {
        await fill(20_000);
        await schema.query("UPDATE :schema.tasks SET status = 3, completed_at = 1");
        await schema.query("ANALYZE :schema.tasks");
        await schema.query("UPDATE :schema.tasks SET id = 'old-' || id");
        await fill(50_000);
      },
    ],
  ];

  test.each(states)("go by index and place alone: a table %s", async (_state, make) => {
    await (await open()).registerWorker(newWorker("w"));
    await schema.query("ALTER TABLE :schema.tasks SET (autovacuum_enabled = off)");
    await make();
    for (const [name, statement, types, values] of statements) {
      const plan = await planOf(statement, types, values);
      // PostgreSQL 15 hashes the few rows of a lookup; a join that hashes tasks costs hundreds of times as much.
      const bad = plan.split("\n").filter((line) => {
        const [, cost] = /Hash Join +\(cost=.*?\.\.([\d.]+)/.exec(line) ?? [];
        return /Seq Scan on tasks|Bitmap Heap Scan on tasks/.test(line) || Number(cost) > 100;
      });
      expect(bad, name).toEqual([]);
      const [cost] = /\.\.([\d.]+)/.exec(plan)!.slice(1);
      expect(Number(cost), `${name}: too dear, the server would compile it`).toBeLessThan(50_000);
    }
  });

  test("are made anew when a small table has grown, before the server gets to analyse it", async () => {
    const store = await open();
    await store.registerWorker(newWorker());
    ok(await store.enqueueTasks(newTasks(80, { createdAt })));
    await schema.query("ALTER TABLE :schema.tasks SET (autovacuum_enabled = off)");
    await schema.query("ANALYZE :schema.tasks");
    const work = async (limit: number) => {
      const { claimed } = ok(await store.claimTasks(claimRequest({ limit })));
      ok(await store.settleTasks(claimed.map((one) => settlementOf(one, "completed"))));
      return claimed.length;
    };
    for (let round = 0; round < 20; round += 1) await work(1);
    await fill(60_000);
    let done = 0;
    while (done < 1_500) done += await work(300);
    // The server tells what a connection read once it is closed.
    await store.close();
    const read = async () => {
      const [row] = await schema.query(`SELECT (seq_tup_read + idx_tup_fetch)::integer AS rows
        FROM pg_stat_user_tables WHERE relid = ':schema.tasks'::regclass`);
      return row.rows as number;
    };
    await expect.poll(read).toBeGreaterThan(1_500);
    // A statement or two may go through the whole table until the server plans anew; for each task it would be ninety million.
    expect(await read()).toBeLessThan(10_000_000);
  });
});
