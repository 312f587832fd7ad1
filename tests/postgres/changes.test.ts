/** The change feed while transactions are open that began earlier and commit later: nothing of theirs is missed. */
import pg from "pg";
import { afterEach, beforeEach, expect, test } from "vitest";
import { decodeChangeCursor, encodeChangeCursor } from "../../server/tasks/core/port/store-changes.ts";
import type { TaskStore } from "../../server/tasks/core/store.ts";
import { changes, lateChanges } from "../../server/tasks/stores/postgres/change-statements.ts";
import { planning } from "../../server/tasks/stores/postgres/connections/planning.ts";
import { inSchema } from "../../server/tasks/stores/postgres/statement.ts";
import { createPostgresStore } from "../../server/tasks/stores/postgres/store.ts";
import { newTask, newTasks, newWorker, settlementOf } from "../support/builders.ts";
import { postgresUrl, type TestSchema } from "../support/postgres.ts";
import { takeTestSchema } from "../support/spare-schemas.ts";
import { claimRequest, ok } from "../support/stores.ts";
import { TestClock } from "../support/test-clock.ts";

let schema: TestSchema;
let store: TaskStore;
let clock: TestClock;
let cursor: string;
const clients: pg.Client[] = [];

beforeEach(async () => {
  schema = await takeTestSchema();
  clock = new TestClock();
  store = createPostgresStore({ url: schema.url, clock });
  await store.open();
  await store.registerWorker(newWorker());
  ({ cursor } = await store.readChanges({ limit: 1 }));
});
afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.end().catch(() => undefined)));
  await store.close();
  await schema.drop();
});

async function connect(): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: await postgresUrl() });
  clients.push(client);
  await client.connect();
  return client;
}

const own = (id: string) => newTask({ id, createdAt: clock.now() });

/** The ids of all that has changed since the last call. */
async function told(limit = 100): Promise<string[]> {
  const ids: string[] = [];
  for (let more = true; more; ) {
    const page = await store.readChanges({ since: cursor, limit });
    ids.push(...page.changes.map(({ id }) => id));
    ({ cursor, more } = page);
  }
  return ids.sort();
}

const stateOf = (text: string): any => decodeChangeCursor("postgres", text);

test("a transaction that is open across many readings, for minutes, is told once it commits", async () => {
  const client = await connect();
  await client.query("BEGIN");
  ok(await store.enqueueTasks([own("slow")], client));
  const before = clock.now();
  for (let round = 0; round < 30; round++) {
    clock.advance(20_000);
    ok(await store.enqueueTasks([own(`quick-${round}`)]));
    expect(await told()).toEqual([`quick-${round}`]);
  }
  expect(stateOf(cursor).since).toBeLessThan(before);
  expect(cursor.length).toBeLessThan(1_500);
  await client.query("COMMIT");
  expect(await told()).toEqual(["slow"]);
  // Transactions of other tests on this server count as well, until they end.
  const again: string[] = [];
  const since = async () => {
    again.push(...(await told()));
    return stateOf(cursor).since;
  };
  await expect.poll(since, { timeout: 20_000 }).toBeGreaterThan(before + 400_000);
  expect(again).toEqual([]);
});

test("savepoints, which have numbers of their own", async () => {
  const client = await connect();
  await client.query("BEGIN; SELECT pg_current_xact_id()");
  ok(await store.enqueueTasks([own("other")]));
  expect(await told()).toEqual(["other"]);
  await client.query("SAVEPOINT one");
  ok(await store.enqueueTasks([own("in-one")], client));
  await client.query("SAVEPOINT two");
  ok(await store.enqueueTasks(newTasks(2, { createdAt: clock.now() }), client));
  await client.query("RELEASE SAVEPOINT two; RELEASE SAVEPOINT one; SAVEPOINT gone");
  ok(await store.enqueueTasks([own("rolled-back")], client));
  await client.query("ROLLBACK TO SAVEPOINT gone");
  for (let round = 0; round < 5; round++) {
    clock.advance(60_000);
    ok(await store.enqueueTasks([own(`quick-${round}`)]));
    expect(await told()).toEqual([`quick-${round}`]);
  }
  await client.query("COMMIT");
  const ids = await told();
  expect(ids).toHaveLength(3);
  expect(ids).toContain("in-one");
  expect(await told()).toEqual([]);
});

test("a task that was completed after a savepoint of its handler's", async () => {
  ok(await store.enqueueTasks([own("handled")]));
  const [claimed] = ok(await store.claimTasks(claimRequest())).claimed;
  await told();
  const request = { taskId: "handled", fence: claimed!.fence, workerId: "worker-1", idleMs: 60_000 };
  const transaction = await store.beginTransaction(request);
  await transaction.client.query("SAVEPOINT mine", []);
  // The savepoint has its number from here on, and the completion is written by it.
  ok(await store.enqueueTasks([own("inner")], transaction.client));
  ok(await store.enqueueTasks([own("meanwhile")]));
  expect(await told()).toEqual(["meanwhile"]);
  ok(await transaction.commit(settlementOf(claimed!, "completed")));
  expect(await told()).toEqual(["handled", "inner"]);
});

test("tasks that are stored long after they were created, one by one or many", async () => {
  clock.advance(3_600_000);
  for (let round = 0; round < 4; round++) await told();
  const createdAt = clock.now() - 1_800_000;
  ok(await store.enqueueTasks(newTasks(1, { createdAt })));
  expect(await told()).toHaveLength(1);
  const parts = async function* () {
    yield newTasks(300, { createdAt });
    yield newTasks(200, { createdAt: clock.now() });
  };
  ok(await store.enqueueTasks(parts()));
  expect(await told(70)).toHaveLength(500);
  expect(await told()).toEqual([]);
});

test("changes of several pages, while more commit and what was read changes again", async () => {
  const tasks = newTasks(40, { createdAt: clock.now() });
  ok(await store.enqueueTasks(tasks));
  const seen = new Map<string, number>();
  const read = async () => {
    const page = await store.readChanges({ since: cursor, limit: 7 });
    for (const { id, version } of page.changes) seen.set(id, version!);
    ({ cursor } = page);
    return page.more;
  };
  let claims = 0;
  for (let more = true; more || claims < 12; ) {
    if (claims++ < 12) ok(await store.claimTasks(claimRequest({ limit: 3 })));
    clock.advance(1);
    more = await read();
  }
  const versions = await schema.query("SELECT id, version FROM :schema.tasks");
  expect(seen).toEqual(new Map(versions.map(({ id, version }) => [id, version])));
});

test("a writer from before the first reading", async () => {
  const client = await connect();
  await client.query("BEGIN");
  ok(await store.enqueueTasks([own("early")], client));
  clock.advance(600_000);
  const other = createPostgresStore({ url: schema.url });
  await other.open();
  try {
    const first = await other.readChanges({ limit: 1 });
    await client.query("COMMIT");
    const { changes: found } = await other.readChanges({ since: first.cursor, limit: 10 });
    expect(found.map(({ id }) => id)).toEqual(["early"]);
  } finally {
    await other.close();
  }
});

test("another server, or one that was restored, tells more rather than less", async () => {
  ok(await store.enqueueTasks([own("known")]));
  await told();
  ok(await store.enqueueTasks([own("new")]));
  const state = stateOf(cursor);
  for (const other of [
    { ...state, server: 1 },
    { ...state, read: "900000000000:900000000000:" },
  ]) {
    const since = encodeChangeCursor("postgres", other);
    const page = await store.readChanges({ since, limit: 10 });
    expect(page.changes.map(({ id }) => id).sort()).toEqual(["known", "new"]);
    expect((await store.readChanges({ since: page.cursor, limit: 10 })).changes).toEqual([]);
  }
});

test("random transactions, some held open, some undone: a follower has what is stored", {
  timeout: 60_000,
}, async () => {
  const held: pg.Client[] = [];
  const followed = new Map<string, number>();
  const read = async (limit: number) => {
    const page = await store.readChanges({ since: cursor, limit });
    for (const { id, version } of page.changes) followed.set(id, version!);
    ({ cursor } = page);
    return page.more;
  };
  const idle = await Promise.all(Array.from({ length: 4 }, connect));
  let made = 0;
  for (let round = 0; round < 250; round++) {
    const dice = Math.random();
    if (dice < 0.2 && idle.length > 0) {
      const client = idle.pop()!;
      await client.query("BEGIN");
      if (Math.random() < 0.5) await client.query("SELECT pg_current_xact_id()");
      held.push(client);
    } else if (dice < 0.5 && held.length > 0) {
      const client = held[Math.floor(Math.random() * held.length)]!;
      if (Math.random() < 0.5) await client.query("SAVEPOINT inner_part");
      ok(await store.enqueueTasks([own(`held-${made++}`)], client));
    } else if (dice < 0.65 && held.length > 0) {
      const client = held.splice(Math.floor(Math.random() * held.length), 1)[0]!;
      await client.query(Math.random() < 0.8 ? "COMMIT" : "ROLLBACK");
      idle.push(client);
    } else if (dice < 0.8) ok(await store.enqueueTasks(newTasks(3, { createdAt: clock.now() })));
    else ok(await store.claimTasks(claimRequest({ limit: 2 })));
    clock.advance(Math.floor(Math.random() * 4_000));
    await read(1 + Math.floor(Math.random() * 6));
  }
  for (const client of held) await client.query("COMMIT");
  while (await read(20));
  const versions = await schema.query("SELECT id, version FROM :schema.tasks");
  expect(followed).toEqual(new Map(versions.map(({ id, version }) => [id, version])));
});

test("reads by the indexes, and no more than what has changed lately", async () => {
  ok(await store.enqueueTasks(newTasks(5_000, { createdAt: clock.now() - 86_400_000 })));
  await schema.query("ANALYZE");
  clock.advance(60_000);
  for (let round = 0; round < 3; round++) await told(1_000);
  ok(await store.enqueueTasks([own("new")]));
  const client = await connect();
  await client.query(`BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; ${planning.statement.text}`);
  const { since, read } = stateOf(cursor);
  const [{ next }] = (await client.query("SELECT pg_snapshot_xmax(pg_current_snapshot())::text AS next"))
    .rows;
  const oldest = read.split(":")[0];
  const values = [since, "", 101, next, oldest, read, null];
  for (const [statement, given] of [
    [changes, values],
    [lateChanges, [...values, oldest]],
  ] as const) {
    const text = `EXPLAIN (ANALYZE, FORMAT JSON) ${inSchema(statement.text, schema.name)}`;
    const { rows } = await client.query(text, [...given]);
    const scans = scansOf(rows[0]["QUERY PLAN"][0].Plan);
    expect(scans.length).toBeGreaterThan(0);
    for (const { rows: looked, index } of scans)
      expect(looked, `${statement.name} ${index}`).toBeLessThan(20);
  }
});

/** What each look at the table took. */
function scansOf(plan: any): { index: string; rows: number }[] {
  const inner = (plan.Plans ?? []).flatMap(scansOf);
  if (plan["Relation Name"] !== "tasks") return inner;
  const rows = (plan["Actual Rows"] + (plan["Rows Removed by Filter"] ?? 0)) * plan["Actual Loops"];
  return [...inner, { index: plan["Index Name"] ?? plan["Node Type"], rows }];
}
