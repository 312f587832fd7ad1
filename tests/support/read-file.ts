/** An SQLite file of tasks for each test of a file of tests, and a connection that reads it and keeps what it has read. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach } from "vitest";
import { Connection } from "../../server/tasks/stores/sqlite/connection.ts";
import { createSqliteStore } from "../../server/tasks/stores/sqlite/store.ts";
import { World } from "./stores.ts";
import type { TestClock } from "./test-clock.ts";

export interface ReadFile {
  world: World;
  reader: Connection;
  /** Has read nothing yet. Whoever asks for it closes it. */
  fresh(): Connection;
}

/** What it answers is filled in before each test. */
export function readFileEachTest(): ReadFile {
  const file = {} as ReadFile;
  beforeEach(async () => {
    const folder = mkdtempSync(join(tmpdir(), "dure-read-"));
    const path = join(folder, "tasks.db");
    const database = async () => ({
      connect: (clock: TestClock) => createSqliteStore({ path, clock }),
      remove: async () => rmSync(folder, { recursive: true }),
    });
    file.world = new World({ name: "SQLite on disk", shared: true, holdsClaims: true, database });
    await file.world.open();
    file.fresh = () => new Connection({ path, durability: "full", role: "reader" });
    file.reader = file.fresh();
  });
  afterEach(async () => {
    file.reader.close();
    await file.world.close();
  });
  return file;
}
