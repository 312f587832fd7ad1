/** SQLite plans a statement when it is prepared, and not again at each run: the authorizer is asked by the planner alone. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterAll, beforeAll, beforeEach, expect, test, vi } from "vitest";
import { Connection } from "../../../server/tasks/stores/sqlite/connection.ts";
import { searchTasks } from "../../../server/tasks/stores/sqlite/search/search-walk.ts";
import { unindexedWith } from "../../../server/tasks/stores/sqlite/texts/text-unindexed.ts";
import { newSearch, startAt } from "../../support/builders.ts";
import { writeSettledFile } from "../../support/settled-file.ts";

const folder = mkdtempSync(join(tmpdir(), "dure-planned-once-"));
let connection: Connection;
let planned = 0;

beforeAll(async () => {
  const path = join(folder, "tasks.db");
  await writeSettledFile(path, { tasks: 40, claimed: 30, settled: 20 });
  watchPlanner();
  connection = new Connection({ path, durability: "full", role: "writer" });
});

beforeEach(() => {
  planned = 0;
});

afterAll(() => {
  vi.restoreAllMocks();
  connection?.close();
  rmSync(folder, { recursive: true, force: true });
});

/** Of every database that is opened from now on. */
function watchPlanner(): void {
  const { prepare } = DatabaseSync.prototype;
  const watched = new WeakSet<DatabaseSync>();
  vi.spyOn(DatabaseSync.prototype, "prepare").mockImplementation(function (this: DatabaseSync, text) {
    // Set anew, it has every statement planned again.
    if (!watched.has(this)) this.setAuthorizer(countPlanning);
    watched.add(this);
    return prepare.call(this, text);
  });
}

function countPlanning(): number {
  planned += 1;
  return 0;
}

test("whatever is bound as its limit", () => {
  const text = "SELECT seq FROM tasks ORDER BY seq LIMIT ? OFFSET ?";
  const statements = [connection.prepare(text), connection.borrow(text), connection.prepareObjects(text)];
  expect(planned).toBeGreaterThan(0);
  planned = 0;
  for (const statement of statements)
    for (const limit of [1, 2, 40]) expect(statement.all(limit, 0)).toHaveLength(limit);
  expect(planned).toBe(0);
});

test("whatever text is looked for among those that are not indexed", () => {
  unindexedWith(connection, "receipt", 100);
  planned = 0;
  unindexedWith(connection, "invoice", 100);
  expect(planned).toBe(0);
});

test.each(["createdAt", "updatedAt", "id", "priority", "startedAt"] as const)(
  "in a search by %s",
  (sortBy) => {
    const ask = (at: number) => {
      for (const descending of [true, false]) {
        const statuses = ["COMPLETED" as const, "PENDING" as const];
        const search = newSearch({ sortBy, descending, statuses, created: { start: at }, limit: 10 });
        const found = connection.snapshot(() => searchTasks(connection, search));
        expect(found.tasks.rows).toHaveLength(10);
      }
    };
    ask(startAt);
    planned = 0;
    ask(startAt - 1);
    // Each snapshot begins and ends by a statement of its own.
    const ofSnapshots = 2 * 2;
    expect(planned).toBe(ofSnapshots);
  },
);
