/** The counts by time of a file are kept by whatever program writes it. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, expect, test } from "vitest";
import { readMigrations } from "../../../server/tasks/stores/migrate.ts";
import { applicationId } from "../../../server/tasks/stores/sqlite/connection.ts";
import { createSqliteStore } from "../../../server/tasks/stores/sqlite/store.ts";
import { TestClock } from "../../support/test-clock.ts";

const migrations = readMigrations(
  new URL("../../../server/tasks/stores/sqlite/migrations/", import.meta.url),
);
const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

test("a program of the version before goes on beside the counts by the day, which have what it writes", async () => {
  const folder = mkdtempSync(join(tmpdir(), "dure-kept-"));
  closing.push(() => rmSync(folder, { recursive: true, force: true }));
  const path = join(folder, "tasks.db");
  const before = migrations.findIndex(({ name }) => name.includes("minutes_by_time"));
  const older = new DatabaseSync(path, { timeout: 10_000 });
  closing.push(() => older.close());
  older.exec("PRAGMA journal_mode = WAL");
  for (const { sql } of migrations.slice(0, before)) older.exec(sql);
  older.exec(`PRAGMA user_version = ${before}; PRAGMA application_id = ${applicationId}`);
  // Its statements, as they were prepared before.
  const ofTable = (stretch: string) => ({
    add: older.prepare(`INSERT INTO ${stretch}_tallies (tasks, changed, lane, state, ${stretch}) VALUES (?, ?, ?, ?, ?)
      ON CONFLICT DO UPDATE SET tasks = tasks + excluded.tasks, changed = changed + excluded.changed`),
    take: older.prepare(`UPDATE ${stretch}_tallies SET tasks = tasks + ?, changed = changed + ?
      WHERE lane = ? AND state = ? AND ${stretch} = ? RETURNING tasks, changed`),
    delete: older.prepare(`DELETE FROM ${stretch}_tallies WHERE lane = ? AND state = ? AND ${stretch} = ?`),
  });
  const [hours, minutes] = [ofTable("hour"), ofTable("minute")];
  const kept = (table: string, stretch: string, which = "true") =>
    older
      .prepare(`SELECT lane, state, ${stretch} AS day, sum(tasks) AS tasks, sum(changed) AS changed FROM ${table}
        WHERE ${which} GROUP BY 1, 2, 3 ORDER BY 1, 2, 3`)
      .all();
  const expectDays = (mark: number, rows: number) => {
    expect(older.prepare("SELECT day FROM day_mark").all()).toEqual([{ day: mark }]);
    // 719162 days before 1970; also hours before it.
    const hours = kept("hour_tallies", "(hour + 17259888) / 24 - 719162", `hour < ${mark * 24}`);
    expect(kept("day_tallies", "day")).toEqual(hours);
    expect(hours).toHaveLength(rows);
  };
  older.exec("INSERT INTO lanes (type, queue, own_ids) VALUES ('a', 'default', 0), ('b', 'default', 0)");
  hours.add.run(5, 0, 1, 0, -30);
  hours.add.run(2, 1, 1, 3, 40);
  minutes.add.run(5, 0, 1, 0, -1_800);
  const store = createSqliteStore({ path, clock: new TestClock() });
  closing.push(() => store.close());
  await store.open();
  expectDays(1, 1);

  // Of the newest day, and of the days before.
  hours.add.run(3, 1, 1, 3, 41);
  hours.add.run(3, 1, 2, 3, -31);
  minutes.add.run(1, 0, 1, 0, -1_800);
  expect(minutes.take.get(-2, 0, 1, 0, -1_800)).toEqual({ tasks: 4, changed: 0 });
  expect(hours.take.get(-4, 0, 1, 0, -30)).toEqual({ tasks: 1, changed: 0 });
  expectDays(1, 2);
  // A day begins, and one behind it.
  hours.add.run(7, 0, 2, 0, 100);
  expectDays(4, 3);
  hours.add.run(9, 0, 0, 0, 24 * 6);
  hours.add.run(1, 0, 2, 0, 101);
  expectDays(6, 4);
  expect(hours.take.get(-7, 0, 2, 0, 100)).toEqual({ tasks: 0, changed: 0 });
  hours.delete.run(2, 0, 100);
  expect(hours.take.get(-1, 0, 2, 0, 101)).toEqual({ tasks: 0, changed: 0 });
  hours.delete.run(2, 0, 101);
  expectDays(6, 3);
});
