/** Hours and days that are packed: what is read of them is what is kept, whoever changes that, and whenever. */
import pg from "pg";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Database } from "../../server/tasks/stores/postgres/connections/database.ts";
import { parseLocation } from "../../server/tasks/stores/postgres/connections/location.ts";
import { eachPacked } from "../../server/tasks/stores/postgres/counts/packed-counts.ts";
import { packCountsOf } from "../../server/tasks/stores/postgres/counts/packing.ts";
import { createPostgresStore } from "../../server/tasks/stores/postgres/store.ts";
import { newSearch, newTask, newWorker, startAt } from "../support/builders.ts";
import { createTestSchema, type TestSchema } from "../support/postgres.ts";
import { seeded } from "../support/seeded.ts";
import { ok } from "../support/stores.ts";
import { listCounts } from "../support/task-counts.ts";

const minuteMs = 60_000;
const hourMs = 3_600_000;
const dayMs = 24 * hourMs;
/** Whatever the server's clock says. */
const waits = { over: -1e15, still: 0, packed: 0 };
const day = Math.floor(startAt / dayMs) - 3;

let schema: TestSchema;
let store: ReturnType<typeof createPostgresStore>;
let database: Database;
const closing: (() => unknown)[] = [];

beforeEach(async () => {
  schema = await createTestSchema();
  closing.push(schema.drop);
  store = createPostgresStore({ url: schema.url });
  closing.push(() => store.close());
  await store.open();
  database = new Database(parseLocation(schema.url));
  closing.push(() => database.close());
  await database.open();
});
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

/** Of two days, of seven types. */
async function enqueueSome(count = 900): Promise<void> {
  const random = seeded(6);
  const tasks = Array.from({ length: count }, (_, n) =>
    newTask({ type: `type-${n % 7}`, createdAt: day * dayMs + Math.floor(2 * dayMs * random() ** 2) }),
  );
  ok(await store.enqueueTasks(tasks));
  await fold();
}

async function fold(): Promise<void> {
  await store.stats();
}

async function pack(): Promise<number> {
  let all = 0;
  for (;;) {
    const packed = await packCountsOf({ database }, waits);
    if (packed === 0) return all;
    all += packed;
  }
}

/** What is kept of the stretches that are taken to be packed, beside what is packed of them, where both differ. */
async function differing(): Promise<unknown[]> {
  const rows = await schema.query(`SELECT hours, by_end AS "byEnd", first, counts, total,
      CASE hours WHEN 1 THEN ARRAY(SELECT format('%s %s %s', cell.minute, lane * 8 + state, CASE WHEN by_end AND state <> 0 THEN cell.ended ELSE cell.tasks END)
          FROM :schema.minute_tallies AS kept CROSS JOIN LATERAL unnest(minutes, kept.tasks, kept.ended) AS cell (minute, tasks, ended)
          WHERE hour = first AND lane <> 0 AND CASE WHEN by_end AND state <> 0 THEN cell.ended ELSE cell.tasks END <> 0)
        ELSE ARRAY(SELECT format('%s %s %s', cell.place - 1, lane * 8 + state, cell.tasks)
          FROM :schema.day_tallies AS kept CROSS JOIN LATERAL unnest(kept.tasks) WITH ORDINALITY AS cell (tasks, place)
          WHERE day = first AND state >= 0 AND cell.tasks <> 0 AND kept.by_end = (packed.by_end AND state <> 0)) END AS kept
    FROM :schema.packed_counts AS packed
    WHERE NOT EXISTS (SELECT 1 FROM :schema.unpacked_counts AS noted WHERE noted.hours = packed.hours AND noted.first = packed.first)`);
  return rows.flatMap(({ hours, byEnd, first, counts, total, kept }) => {
    const packed: string[] = [];
    let sum = 0;
    eachPacked(counts, (part, pair, tasks) => {
      sum += tasks;
      packed.push(`${part} ${pair} ${tasks}`);
    });
    if (total)
      eachPacked(total, (_, __, tasks) => {
        sum -= tasks;
      });
    const isSame = packed.sort().join() === [...kept].sort().join() && (hours === 1 || sum === 0);
    return isSame ? [] : [{ hours, byEnd, first, kept, packed }];
  });
}

async function howMany(): Promise<{ packed: number; noted: number }> {
  const [row] = await schema.query(`SELECT (SELECT count(*)::integer FROM :schema.packed_counts) AS packed,
    (SELECT count(*)::integer FROM :schema.unpacked_counts) AS noted`);
  return row;
}

const range = { start: (day - 1) * dayMs + 61_234, end: (day + 3) * dayMs - 7_654_321 };

/** By each stretch of time, of creation and of the change. */
async function answers(): Promise<unknown> {
  const all: unknown[] = [];
  for (const time of ["createdAt", "updatedAt"] as const) {
    const search = newSearch(time === "createdAt" ? { created: range } : { updated: range });
    for (const bucketMs of [minuteMs, hourMs, dayMs])
      for (const by of [["type"], ["status", "type"]] as const) {
        const counts = await listCounts(store, search, { time, bucketMs }, [...by]);
        all.push(counts.map((count) => JSON.stringify(count)).sort());
      }
  }
  return all;
}

/** Which kinds of rows a question by type and hour is answered with. */
async function kindsOfRows(bucketMs = hourMs): Promise<Set<string>> {
  const kinds = new Set<string>();
  const { snapshot } = Database.prototype;
  Database.prototype.snapshot = function (work, settings) {
    const noting = (session: Parameters<typeof work>[0]) =>
      work({
        ...session,
        query: async (...question) => {
          const rows = await session.query(...question);
          for (const [kind] of rows) kinds.add(kind);
          return rows;
        },
      });
    return snapshot.call(this, noting as never, settings) as never;
  };
  try {
    await listCounts(store, newSearch({ created: range }), { time: "createdAt", bucketMs }, ["type"]);
  } finally {
    Database.prototype.snapshot = snapshot;
  }
  return kinds;
}

/** As a fold does, in one statement; not of a real task. */
const change = `INSERT INTO :schema.minute_tallies AS kept (lane, state, hour, minutes, tasks, ended) VALUES (1, 3, ${(day + 1) * 24}, '{7}', '{2}', '{1}')
  ON CONFLICT (lane, state, hour) DO UPDATE SET tasks = ARRAY(SELECT one + 1 FROM unnest(kept.tasks) AS own (one))`;
const changeOfDay = `INSERT INTO :schema.hour_tallies AS kept (lane, state, hour, tasks) VALUES (1, 3, ${(day + 1) * 24}, 2)
  ON CONFLICT (lane, state, hour) DO UPDATE SET tasks = kept.tasks + 1`;

async function connect(): Promise<{ query(sql: string): Promise<pg.QueryResult> }> {
  const client = new pg.Client({ connectionString: parseLocation(schema.url).connectionStrings[0]! });
  await client.connect();
  closing.push(() => client.end());
  return { query: (sql) => client.query(sql.replaceAll(":schema", () => schema.quoted)) };
}

test("packed counts answer what those that are kept do, and are what is read", async () => {
  await enqueueSome();
  const before = await answers();
  expect(await kindsOfRows()).not.toContain("packed");
  expect(await pack()).toBeGreaterThan(20);
  expect(await differing()).toEqual([]);
  expect((await howMany()).noted).toBe(0);
  expect(await answers()).toEqual(before);
  const kinds = await kindsOfRows();
  expect(kinds).toContain("packed");
  expect(kinds).not.toContain("days");
  expect(kinds).not.toContain("slices");
  expect(await kindsOfRows(dayMs)).toContain("total");
  expect(await kindsOfRows(minuteMs)).not.toContain("minutes");
});

test("a task of a packed hour that is new, ends or is deleted counts at once, also where nothing is folded", async () => {
  await enqueueSome();
  await pack();
  const packed = await howMany();
  const at = (day + 1) * dayMs + 90 * minuteMs + 5;
  const count = async () => {
    const created = { start: at - hourMs, end: at + hourMs };
    const counts = await listCounts(store, newSearch({ created }), { time: "createdAt", bucketMs: hourMs }, [
      "type",
      "status",
    ]);
    return counts.filter(({ type }) => type === "type-new").map(({ status, count }) => [status, count]);
  };
  const rounds = [
    async () => {
      ok(
        await store.enqueueTasks([
          newTask({ id: "one", type: "type-new", createdAt: at }),
          newTask({ id: "two", type: "type-new", createdAt: at }),
        ]),
      );
      return [["PENDING", 2]];
    },
    async () => {
      ok(await store.cancelTask("one"));
      return [
        ["CANCELLED", 1],
        ["PENDING", 1],
      ];
    },
    async () => {
      ok(await store.deleteTask("one"));
      return [["PENDING", 1]];
    },
  ];
  for (const round of rounds) {
    const wanted = await round();
    expect((await count()).sort()).toEqual(wanted);
    await fold();
    expect((await howMany()).noted).toBeGreaterThan(0);
    expect((await count()).sort()).toEqual(wanted);
    await pack();
    expect(await differing()).toEqual([]);
    expect((await count()).sort()).toEqual(wanted);
  }
  expect((await howMany()).packed).toBe(packed.packed);
});

test.each([["COMMIT"], ["ROLLBACK"]])(
  "what a transaction changes that is open while others pack holds after its %s",
  async (end) => {
    await enqueueSome();
    await pack();
    const other = await connect();
    // Of the one it makes its own note, and the other one is noted already.
    for (const noted of [false, true]) {
      if (noted) await schema.query(`${change}; ${changeOfDay}`);
      await other.query(`BEGIN; ${change}; ${changeOfDay}`);
      await pack();
      expect(await differing()).toEqual([]);
      await other.query(end);
      expect(await differing()).toEqual([]);
      await pack();
      expect(await differing()).toEqual([]);
      expect((await howMany()).noted).toBe(0);
    }
  },
);

test.each([[1], [2], [3]])(
  "what is changed while somebody packs is in it, or is noted (behind the statement %i)",
  async (behind) => {
    await enqueueSome();
    await pack();
    await schema.query(`${change}; ${changeOfDay}`);
    let asked = 0;
    const transaction: Database["transaction"] = (work) =>
      database.transaction((session) =>
        work({
          ...session,
          query: async (...question) => {
            const rows = await session.query(...question);
            asked += 1;
            if (asked === behind) await schema.query(`${change}; ${changeOfDay}`);
            return rows;
          },
        }),
      );
    await packCountsOf({ database: { transaction } as Database }, waits);
    expect(asked).toBeGreaterThan(behind);
    expect(await differing()).toEqual([]);
    expect((await howMany()).noted).toBeGreaterThan(0);
    await pack();
    expect(await differing()).toEqual([]);
    expect((await howMany()).noted).toBe(0);
  },
);

test("a transaction that sees an older state notes what it changes by itself", async () => {
  await enqueueSome();
  const other = await connect();
  await other.query("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM :schema.unpacked_counts");
  await pack();
  await other.query(
    `INSERT INTO :schema.minute_tallies AS kept (lane, state, hour, minutes, tasks, ended) VALUES (77, 3, ${(day + 1) * 24}, '{7}', '{2}', '{1}'); COMMIT`,
  );
  expect((await howMany()).noted).toBe(1);
  expect(await differing()).toEqual([]);
});

test("what is not over yet, or has changed a moment ago, waits; what is empty is packed no more", async () => {
  await enqueueSome();
  expect(await packCountsOf({ database }, { ...waits, over: 1e15 })).toBe(0);
  expect(await packCountsOf({ database }, { ...waits, still: 60_000 })).toBe(0);
  await pack();
  await schema.query(change);
  expect(await packCountsOf({ database }, { ...waits, packed: 60_000 })).toBe(0);
  expect(await packCountsOf({ database }, waits)).toBe(1);
  await schema.query(
    `DELETE FROM :schema.minute_tallies; DELETE FROM :schema.hour_tallies; DELETE FROM :schema.ended_tallies`,
  );
  await pack();
  expect(await howMany()).toEqual({ packed: 0, noted: 0 });
});

test("the doctor compares what is packed with what is kept, and says what has it packed anew", async () => {
  await enqueueSome();
  await pack();
  const find = async () => {
    const findings = await store.checkHealth({ full: true });
    return findings.filter(({ check }) => check === "packed");
  };
  expect(await find()).toMatchObject([{ level: "ok" }]);
  const before = await answers();
  const bytesOf = (column: string) => `${column} = set_byte(${column}, 2, get_byte(${column}, 2) + 1)`;
  const broken = [
    `${bytesOf("counts")} WHERE hours = 1 AND by_end AND first = (SELECT max(first) FROM :schema.packed_counts WHERE hours = 1)`,
    `${bytesOf("total")} WHERE hours = 24 AND first = ${day}`,
    `places[2] = places[2] + 1 WHERE hours = 24 AND first = ${day + 1}`,
  ];
  for (const one of broken) await schema.query(`UPDATE :schema.packed_counts SET ${one}`);
  const [finding] = await find();
  expect(finding).toMatchObject({
    level: "error",
    message: "3 of the packed hours and days differ from the kept counts.",
  });
  expect(await answers()).not.toEqual(before);
  await schema.query(finding!.next!.match(/INSERT INTO .*;/)![0]);
  expect(await find()).toMatchObject([{ level: "ok" }]);
  expect(await answers()).toEqual(before);
  expect(await pack()).toBeGreaterThan(20);
  expect(await find()).toMatchObject([{ level: "ok" }]);
  expect(await differing()).toEqual([]);
  expect(await answers()).toEqual(before);
  expect((await store.checkHealth({ full: false })).map(({ check }) => check)).not.toContain("packed");
});

test("a worker packs what is over, a minute after its start", async () => {
  const createdAt = Date.now() - 2 * dayMs;
  ok(
    await store.enqueueTasks(
      Array.from({ length: 60 }, (_, n) => newTask({ createdAt: createdAt - n * 600_000 })),
    ),
  );
  await fold();
  await schema.query("UPDATE :schema.unpacked_counts SET noted_at = noted_at - interval '61 seconds'");
  ok(await store.registerWorker(newWorker()));
  const { now } = performance;
  const clock = vi.spyOn(performance, "now").mockImplementation(() => now.call(performance) + minuteMs);
  closing.push(() => clock.mockRestore());
  ok(await store.reapWorkers({ suspects: [], crashBudget: 3, cancelGraceMs: 60_000 }));
  await store.close();
  expect((await howMany()).packed).toBeGreaterThan(5);
  expect(await differing()).toEqual([]);
});
