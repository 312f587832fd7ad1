/** Whoever applies every change has what is stored, while several processes write as fast as they can. */
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { TaskStore } from "../../server/tasks/core/store.ts";
import { createSystemClock } from "../../server/tasks/runtime/system-clock.ts";
import { createPostgresStore } from "../../server/tasks/stores/postgres/store.ts";
import { createSqliteStore } from "../../server/tasks/stores/sqlite/store.ts";
import { newSearch } from "../support/builders.ts";
import { tasksOf } from "../support/found.ts";
import { createTestSchema } from "../support/postgres.ts";

const program = join(import.meta.dirname, "../support/changing-process.ts");
const writeMs = 3_000;

describe.each(["SQLite", "PostgreSQL"])("%s", (name) => {
  let database: string;
  let store: TaskStore;
  let remove: () => Promise<void>;

  beforeEach(async () => {
    if (name === "PostgreSQL") {
      const schema = await createTestSchema();
      database = schema.url;
      remove = schema.drop;
      store = createPostgresStore({ url: database });
    } else {
      const folder = mkdtempSync(join(tmpdir(), "dure-follow-"));
      database = join(folder, "tasks.db");
      remove = async () => rmSync(folder, { recursive: true });
      store = createSqliteStore({ path: database, clock: createSystemClock() });
    }
    await store.open();
  });
  afterEach(async () => {
    await store.close();
    await remove();
  });

  test("three processes and two followers", { timeout: 60_000 }, async () => {
    const begin = await store.readChanges({ limit: 1 });
    let isWriting = true;
    const follow = async (limit: number, pauseMs: number) => {
      const tasks = new Map<string, string>();
      let told = 0;
      let { cursor } = begin;
      for (;;) {
        const isLast = !isWriting;
        const page = await store.readChanges({ since: cursor, limit });
        for (const { id, status, version } of page.changes) tasks.set(id, `${status} ${version}`);
        told += page.changes.length;
        ({ cursor } = page);
        if (isLast && !page.more) return { tasks, told };
        if (!page.more) await new Promise((resolve) => setTimeout(resolve, pauseMs));
      }
    };
    const followers = [follow(50, 1), follow(500, 250)];
    const processes = [1, 2, 3].map(() =>
      promisify(execFile)(process.execPath, [program, database, String(writeMs)]),
    );
    await Promise.all(processes);
    isWriting = false;
    const all = await tasksOf(store.searchTasks(newSearch({ limit: 1_000_000 })));
    const stored = new Map(all.map(({ id, status, version }) => [id, `${status} ${version}`]));
    expect(stored.size).toBeGreaterThan(100);
    for (const { tasks, told } of await Promise.all(followers)) {
      expect(tasks).toEqual(stored);
      // Each task changes up to three times; telling it again is the exception, though not on a busy machine.
      expect(told).toBeLessThan(stored.size * 6);
    }
  });
});
