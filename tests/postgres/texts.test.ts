/** Full text: what is indexed when, and that nothing is missed. */
import { describe, expect, test } from "vitest";
import type { UnindexedTask } from "../../server/tasks/core/store.ts";
import { onceOnly } from "../../server/tasks/stores/postgres/statement.ts";
import { settlementOf } from "../support/builders.ts";
import { ok } from "../support/stores.ts";
import { claim, clock, database, index, schema, store, task, useTextIndex } from "../support/text-index.ts";

useTextIndex();

async function bodies(): Promise<Record<string, string>> {
  const rows = await schema.query("SELECT task_id, body FROM :schema.texts");
  return Object.fromEntries(rows.map(({ task_id, body }) => [task_id, body]));
}

describe("the index follows the tasks", () => {
  test("new tasks are indexed once, and again when they have ended", async () => {
    ok(await store.enqueueTasks([task("a"), task("b"), task("c")]));
    expect(await index()).toEqual(["a", "b", "c"]);
    expect(await index()).toEqual([]);
    const [claimed] = await claim();
    expect(await index()).toEqual([]);
    await clock.advance(10);
    const logs = [{ at: new Date(clock.now()), level: "info" as const, message: "LOGGED" }];
    ok(await store.settleTasks([settlementOf(claimed!, "completed", { logs } as object)]));
    expect(await index()).toEqual([claimed!.task.id]);
    expect((await bodies())[claimed!.task.id]).toContain("logged");
  });

  test("tasks of one instant, more than are read at once", async () => {
    const ids = Array.from({ length: 25 }, (_, at) => `t${String(at).padStart(2, "0")}`);
    ok(await store.enqueueTasks(ids.map((id) => task(id))));
    expect(await index(4)).toEqual(ids);
    const claimed = await claim(25);
    await clock.advance(5);
    ok(await store.settleTasks(claimed.map((one) => settlementOf(one, "completed"))));
    expect(await index(4)).toEqual(ids);
    expect(await index()).toEqual([]);
  });

  test("what is cancelled, retried, edited, taken back or moved here is indexed as it is then", async () => {
    ok(await store.enqueueTasks(["a", "b", "c", "d"].map((id) => task(id))));
    await clock.advance(10);
    ok(await store.editTask("d", { priority: -5 }));
    expect(await index()).toEqual(["a", "b", "c", "d"]);
    await clock.advance(10);
    ok(await store.cancelTask("a"));
    expect(await index()).toEqual(["a"]);
    await clock.advance(10);
    ok(await store.retryTask("a"));
    expect(await index()).toEqual(["a"]);
    const [first] = await claim();
    await clock.advance(10);
    const { renewals } = (await store.listWorkers())[0]!;
    const suspects = [{ workerId: "worker-1", renewals }];
    ok(await store.reapWorkers({ suspects, crashBudget: 3, cancelGraceMs: 60_000 }));
    expect(await index()).toEqual([first!.task.id]);
    await clock.advance(10);
    const records = (await store.readRecords({ limit: 10 })).map((one) => ({
      ...one,
      id: `moved-${one.id}`,
    }));
    ok(await store.writeRecords(records));
    expect(await index()).toEqual(records.map(({ id }) => id).sort());
  });

  test("many pieces of work are read together, and written by two connections when nobody waits", async () => {
    const ids: string[] = [];
    for (let hour = 0; hour < 70; hour += 1) {
      const some = Array.from({ length: hour % 9 === 8 ? 60 : (hour % 3) + 1 }, (_, at) =>
        task(`h${hour}-${at}`, { hour }),
      );
      ok(await store.enqueueTasks(some));
      ids.push(...some.map(({ id }) => id));
      await clock.advance(3_600_000);
    }
    const found: string[] = [];
    for (let reads = 0; ; reads += 1) {
      const read = await store.readUnindexed({ limit: 50 });
      if (read.length === 0) break;
      expect(reads).toBeLessThan(20);
      found.push(...read.map(({ task: { id } }) => id));
      const texts = read.map(({ ref, json }) => ({ ref, text: json.payload! }));
      ok(await store.writeTexts(texts, { isAlone: true }));
    }
    expect(found.sort()).toEqual(ids.sort());
    expect(Object.keys(await bodies()).sort()).toEqual(ids);
    expect(await schema.query("SELECT * FROM :schema.text_work")).toEqual([]);
  });

  test("texts that come a few at a time leave little that every search has to read through", async (context) => {
    const [module] = await schema.query("SELECT 1 FROM pg_available_extensions WHERE name = 'pgstattuple'");
    context.skip(module === undefined, "this server has no pgstattuple, which tells of an index's list");
    await schema.query("CREATE EXTENSION IF NOT EXISTS pgstattuple");
    const words = (n: number) =>
      Array.from({ length: 60 }, (_, at) => (n * 7919 + at * 104_729).toString(36));
    ok(await store.enqueueTasks(Array.from({ length: 400 }, (_, n) => task(`t${n}`, words(n)))));
    expect(await index(40)).toHaveLength(400);
    const [list] = await schema.query(
      `SELECT pending_pages FROM pgstatginindex(':schema.texts_lines_waiting'::regclass)`,
    );
    expect(Number(list!.pending_pages)).toBeLessThanOrEqual(16);
  });

  test("a task that changes between reading and writing is read again", async () => {
    ok(await store.enqueueTasks([task("a")]));
    const read = await store.readUnindexed({ limit: 10 });
    await clock.advance(10);
    ok(await store.cancelTask("a"));
    ok(await store.writeTexts(read.map(({ ref }) => ({ ref, text: "old" }))));
    expect(await bodies()).toEqual({});
    expect(await index()).toEqual(["a"]);
  });

  test("a text that is late does not take the place of a newer one", async () => {
    ok(await store.enqueueTasks([task("a", "ONE")]));
    const [late] = await store.readUnindexed({ limit: 10 });
    const writing = await database.transaction(async (session) => {
      // Somebody else has indexed what the task is by then, and is about to commit it.
      await session.query(
        onceOnly(
          "newerText",
          "INSERT INTO :schema.texts SELECT created_at, 2, id, 'two', 0, ARRAY[lane] FROM :schema.tasks",
        ),
      );
      const writing = store.writeTexts([{ ref: late!.ref, text: "one" }]);
      const waits =
        "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%dure:writeTexts %'";
      await expect.poll(() => schema.query(waits)).toHaveLength(1);
      return { writing };
    });
    ok(await writing.writing);
    expect(await bodies()).toEqual({ a: "two" });
  });

  test("what was read behind texts that were not written does not end the work on them", async () => {
    ok(
      await store.enqueueTasks(
        Array.from({ length: 45 }, (_, at) => task(`t${String(at).padStart(2, "0")}`)),
      ),
    );
    const first = await store.readUnindexed({ limit: 20 });
    const second = await store.readUnindexed({ limit: 20, after: first.at(-1)! });
    const third = await store.readUnindexed({ limit: 20, after: second.at(-1)! });
    expect([first.length, second.length, third.length]).toEqual([20, 20, 5]);
    for (const read of [second, third])
      ok(await store.writeTexts(read.map(({ ref }) => ({ ref, text: "words" }))));
    expect(await store.readUnindexed({ limit: 20 })).toEqual([]);
    await clock.advance(61_000);
    expect(await index()).toEqual(first.map(({ task: { id } }) => id).sort());
    expect(await schema.query("SELECT * FROM :schema.text_work")).toEqual([]);
  });

  test.each([false, true])(
    "large values are read a few at a time, and none is missed, read ahead: %s",
    async (isAhead) => {
      const hours = [[1, 2, 3, 1, 1, 1], [1, 5], [1, 1, 1], [0.1]];
      const ids: string[] = [];
      for (const [hour, sizes] of hours.entries()) {
        const some = sizes.map((size, at) => task(`h${hour}-${at}`, "x".repeat(size * 1024 * 1024)));
        ok(await store.enqueueTasks(some));
        ids.push(...some.map(({ id }) => id));
        await clock.advance(3_600_000);
      }
      const read: string[] = [];
      const readSome = async (last?: UnindexedTask) => {
        const some = await store.readUnindexed({ limit: 100, ...(last && { after: last }) });
        const sizes = some.map(({ json }) => json.payload!.length);
        expect(sizes.slice(0, -1).reduce((sum, size) => sum + size, 0)).toBeLessThan(4 * 1024 * 1024);
        read.push(...some.map(({ task: { id } }) => id));
        return some;
      };
      const write = async (some: readonly UnindexedTask[]) =>
        ok(await store.writeTexts(some.map(({ ref }) => ({ ref, text: "words" }))));
      for (let some = await readSome(); some.length > 0; ) {
        if (!isAhead) await write(some);
        const next = await readSome(isAhead ? some.at(-1) : undefined);
        if (isAhead) await write(some);
        some = next;
      }
      expect(read.toSorted()).toEqual(ids.toSorted());
      expect(Object.keys(await bodies()).sort()).toEqual(ids.toSorted());
      expect(await schema.query("SELECT * FROM :schema.text_work")).toEqual([]);
    },
  );

  test("what a process read and did not write is read again after a minute", async () => {
    ok(await store.enqueueTasks([task("a")]));
    expect(await store.readUnindexed({ limit: 10 })).toHaveLength(1);
    expect(await store.readUnindexed({ limit: 10 })).toEqual([]);
    await clock.advance(61_000);
    expect(await index()).toEqual(["a"]);
  });

  test("a transaction that commits late is not missed", async () => {
    await schema.query("SELECT 1");
    const pg = await import("pg");
    const url = new URL(schema.url);
    url.search = "";
    const client = new pg.default.Client(url.href);
    await client.connect();
    try {
      await client.query("BEGIN");
      ok(await store.enqueueTasks([task("late")], client));
      await clock.advance(1_000);
      ok(await store.enqueueTasks([task("a")]));
      expect(await index()).toEqual(["a"]);
      await clock.advance(7_200_000);
      ok(await store.enqueueTasks([task("b")]));
      expect(await index()).toEqual(["b"]);
      await client.query("COMMIT");
    } finally {
      await client.end();
    }
    expect(await index()).toEqual(["late"]);
  });

  test("deleted and pruned tasks leave no text", async () => {
    ok(await store.enqueueTasks([task("a"), task("b")]));
    ok(await store.cancelTask("a"));
    ok(await store.cancelTask("b"));
    await index();
    ok(await store.deleteTask("a"));
    ok(await store.pruneTasks({ status: "CANCELLED", before: clock.now() + 1, limit: 10 }));
    expect(await bodies()).toEqual({});
  });
});
