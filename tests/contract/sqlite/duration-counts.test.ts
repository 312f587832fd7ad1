/** The order by duration asks kept counts which way is cheaper: counting the tasks of two ranges would take longer than any page. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test, vi } from "vitest";
import { Connection } from "../../../server/tasks/stores/sqlite/connection.ts";
import { searchTasks } from "../../../server/tasks/stores/sqlite/search/search-walk.ts";
import { newSearch, startAt } from "../../support/builders.ts";
import { writeSettledFile } from "../../support/settled-file.ts";

const closing: (() => unknown)[] = [];
afterEach(() => {
  vi.restoreAllMocks();
  for (const close of closing.splice(0).reverse()) close();
});

test("whatever ranges of creation and change are given", async () => {
  const folder = mkdtempSync(join(tmpdir(), "dure-duration-counts-"));
  closing.push(() => rmSync(folder, { recursive: true, force: true }));
  const path = join(folder, "tasks.db");
  await writeSettledFile(path, { tasks: 200, claimed: 150, settled: 150 });
  const connection = new Connection({ path, durability: "full", role: "writer" });
  closing.push(() => connection.close());
  const prepare = vi.spyOn(connection, "prepare");
  for (const descending of [false, true]) {
    const sorted = { sortBy: "duration", descending } as const;
    const ranges = { created: { end: startAt + 60_000 }, updated: { start: startAt - 60_000 } };
    const { tasks } = searchTasks(connection, newSearch({ ...sorted, ...ranges, limit: 1 }));
    expect(tasks.rows).toHaveLength(1);
  }
  // Those that end at a limit are few.
  const counts = prepare.mock.calls
    .map(([text]) => text)
    .filter((text) => text.includes("count(*) FROM tasks"));
  expect(counts).toEqual([]);
});
