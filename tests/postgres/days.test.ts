/** Counts by the hour that lie by the day: kept by the server itself, whoever folds, and made by the migration of what was there. */
import pg from "pg";
import { afterEach, expect, test, vi } from "vitest";
import { readMigrations } from "../../server/tasks/stores/migrate.ts";
import { Database } from "../../server/tasks/stores/postgres/connections/database.ts";
import { createPostgresStore } from "../../server/tasks/stores/postgres/store.ts";
import { newSearch, newTask, startAt } from "../support/builders.ts";
import { createTestSchema, type TestSchema } from "../support/postgres.ts";
import { seeded } from "../support/seeded.ts";
import { ok } from "../support/stores.ts";
import { listCounts } from "../support/task-counts.ts";

const hourMs = 3_600_000;
const migrations = readMigrations(new URL("../../server/tasks/stores/postgres/migrations/", import.meta.url));
const before = migrations.findIndex(({ name }) => name.includes("days"));
const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

/** What differs between the days and the hours that they are made of. */
async function differing({ query }: TestSchema): Promise<unknown[]> {
  return query(`SELECT by_end, state, lane, hour, sum(days) AS days, sum(hours) AS hours FROM (
      SELECT by_end, state, lane, day * 24 + place - 1 AS hour, own.tasks AS days, 0 AS hours
        FROM :schema.day_tallies CROSS JOIN LATERAL unnest(tasks) WITH ORDINALITY AS own (tasks, place)
      UNION ALL SELECT by_end, moved.state, lane, hour, 0, tasks FROM (
        SELECT false, lane, state, hour, tasks FROM :schema.hour_tallies
        UNION ALL SELECT true, lane, state, hour, tasks FROM :schema.ended_tallies) AS kept (by_end, lane, state, hour, tasks)
        CROSS JOIN LATERAL (VALUES (state), (-1)) AS moved (state) WHERE lane <> 0
    ) AS both_counts GROUP BY 1, 2, 3, 4 HAVING sum(days) <> sum(hours)
    UNION ALL SELECT by_end, state, lane, day * 24, total, NULL FROM :schema.day_tallies
      WHERE total <> (SELECT sum(own.tasks) FROM unnest(day_tallies.tasks) AS own (tasks))`);
}

/** Folds as a program of an older version does: all in one statement, by a table of what is to be added. */
const fold = (
  table: string,
) => `WITH hours AS (SELECT * FROM unnest($1::integer[], $2::smallint[], $3::integer[], $4::bigint[])
    AS own (lane, state, hour, tasks)),
  emptied AS (DELETE FROM :schema.${table} AS kept USING hours WHERE kept.lane = hours.lane AND kept.state = hours.state
    AND kept.hour = hours.hour AND kept.tasks + hours.tasks = 0 RETURNING kept.lane, kept.state, kept.hour)
  INSERT INTO :schema.${table} AS kept SELECT * FROM hours WHERE (lane, state, hour) NOT IN (SELECT * FROM emptied)
    ON CONFLICT (lane, state, hour) DO UPDATE SET tasks = kept.tasks + excluded.tasks`;

/** Some hours of three days, before 1970 and behind, each once. */
function changes(random: () => number): [number, number, number, number][] {
  const keys = new Set(Array.from({ length: 30 }, () => Math.floor(random() * 3 * 4 * 72)));
  return Array.from(keys, (key) => {
    const [lane, state, hour] = [key % 3, [0, 3, 4, 5][Math.floor(key / 3) % 4]!, Math.floor(key / 12) - 30];
    return [lane, state, hour, 1 + Math.floor(9 * random())];
  });
}

async function addTo(schema: TestSchema, table: string, rows: readonly (readonly number[])[]): Promise<void> {
  const columns = [0, 1, 2, 3].map((place) => rows.map((row) => row[place]));
  await schema.query(fold(table), columns);
}

test("what anybody folds into the counts by the hour is in those by the day, and what is emptied is gone", async () => {
  const schema = await createTestSchema();
  closing.push(schema.drop);
  const store = createPostgresStore({ url: schema.url });
  closing.push(() => store.close());
  await store.open();
  const random = seeded(3);
  const kept = new Map<string, number[]>();
  for (let round = 0; round < 12; round += 1) {
    for (const table of ["hour_tallies", "ended_tallies"]) {
      // Some of what is there is taken away, whole.
      const gone = [...kept].filter(([key]) => key.startsWith(table) && random() < 0.3);
      const taken = gone.map(([, [lane, state, hour, tasks]]) => [lane!, state!, hour!, -tasks!]);
      const keys = new Set(gone.map(([key]) => key));
      const added = changes(random).filter(
        ([lane, state, hour]) => !keys.has(`${table} ${lane} ${state} ${hour}`),
      );
      await addTo(schema, table, [...taken, ...added]);
      for (const key of keys) kept.delete(key);
      for (const [lane, state, hour, tasks] of added) {
        const key = `${table} ${lane} ${state} ${hour}`;
        kept.set(key, [lane, state, hour, tasks + (kept.get(key)?.[3] ?? 0)]);
      }
      expect(await differing(schema)).toEqual([]);
    }
  }
  const [{ rows }] = await schema.query("SELECT count(*)::integer AS rows FROM :schema.day_tallies");
  expect(rows).toBeGreaterThan(20);
  for (const table of ["hour_tallies", "ended_tallies"])
    await addTo(
      schema,
      table,
      [...kept]
        .filter(([key]) => key.startsWith(table))
        .map(([, [lane, state, hour, tasks]]) => [lane!, state!, hour!, -tasks!]),
    );
  expect(await schema.query("SELECT * FROM :schema.day_tallies")).toEqual([]);
});

test("the migration makes them of what is there", async () => {
  const schema = await createTestSchema();
  closing.push(schema.drop);
  await schema.query(`CREATE SCHEMA :schema;
    CREATE TABLE :schema.migrations (number integer PRIMARY KEY, name text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())`);
  for (const one of migrations.slice(0, before)) {
    await schema.query(one.sql);
    await schema.query(`INSERT INTO :schema.migrations (number, name) VALUES (${one.number}, '${one.name}')`);
  }
  for (const [seed, table] of ["hour_tallies", "ended_tallies"].entries())
    await addTo(schema, table, changes(seeded(seed)));
  const store = createPostgresStore({ url: schema.url });
  closing.push(() => store.close());
  await store.open();
  expect(await differing(schema)).toEqual([]);
  const [{ rows }] = await schema.query("SELECT count(*)::integer AS rows FROM :schema.day_tallies");
  expect(rows).toBeGreaterThan(20);
});

test("a summary by type and hour is one question, answered by few rows", async () => {
  const schema = await createTestSchema();
  closing.push(schema.drop);
  const store = createPostgresStore({ url: schema.url });
  closing.push(() => store.close());
  await store.open();
  const tasks = Array.from({ length: 1_200 }, (_, n) =>
    newTask({ type: `type-${n % 30}`, createdAt: startAt - n * 90_000 }),
  );
  ok(await store.enqueueTasks(tasks));
  // Folds.
  await store.stats();
  const search = newSearch({ created: { start: startAt - 27 * hourMs + 1, end: startAt - 2 * hourMs - 1 } });
  const ask = () => listCounts(store, search, { time: "createdAt", bucketMs: hourMs }, ["type"]);
  const first = await ask();
  const answers: number[] = [];
  const { snapshot } = Database.prototype;
  closing.push(() => {
    Database.prototype.snapshot = snapshot;
  });
  Database.prototype.snapshot = function (work, settings) {
    const counting = (session: Parameters<typeof work>[0]) =>
      work({
        ...session,
        query: async (...question) => {
          const rows = await session.query(...question);
          answers.push(rows.length);
          return rows;
        },
      });
    return snapshot.call(this, counting as never, settings) as never;
  };
  expect(await ask()).toEqual(first);
  expect(first.length).toBeGreaterThan(500);
  expect(answers).toEqual([expect.any(Number)]);
  expect(answers[0]).toBeLessThan(40);
  // With what begins the snapshot, and what ends it.
  const query = vi.spyOn(pg.Client.prototype, "query");
  closing.push(() => query.mockRestore());
  await ask();
  expect(query).toHaveBeenCalledTimes(1);
});

test("days that are folded tell of any range what a look at each task does", async () => {
  const schema = await createTestSchema();
  closing.push(schema.drop);
  const store = createPostgresStore({ url: schema.url });
  closing.push(() => store.close());
  await store.open();
  const tasks = Array.from({ length: 900 }, (_, n) =>
    newTask({ type: `type-${n % 7}`, createdAt: startAt - n * 301_000 }),
  );
  ok(await store.enqueueTasks(tasks));
  // Folds.
  await store.stats();
  const random = seeded(5);
  const hour = Math.floor(startAt / hourMs) - 30;
  const ranges = Array.from({ length: 40 }, () => {
    const start = startAt - Math.floor(random() * 80 * hourMs);
    return { start, end: start + Math.floor(random() ** 2 * 60 * hourMs) };
  });
  // Less than half of two hours, and no whole one, wherever these lie in the day.
  for (let next = hour; next < hour + 24; next += 1)
    ranges.push({ start: (next + 0.75) * hourMs, end: (next + 1.25) * hourMs });
  for (const created of ranges) {
    for (const bucketMs of [hourMs, 24 * hourMs]) {
      const counts = await listCounts(store, newSearch({ created }), { time: "createdAt", bucketMs }, [
        "type",
      ]);
      const wanted = new Map<string, number>();
      for (const { type, createdAt } of tasks) {
        if (createdAt < created.start || createdAt >= created.end) continue;
        const name = `${type} ${Math.floor(createdAt / bucketMs) * bucketMs}`;
        wanted.set(name, (wanted.get(name) ?? 0) + 1);
      }
      const found = new Map(counts.map(({ type, at, count }) => [`${type} ${at}`, count]));
      expect({ created, bucketMs, found }).toEqual({ created, bucketMs, found: wanted });
    }
  }
});
