/** A claim looks at the rows it takes and few more, however many wait that are not its own or not yet due. */
import { DatabaseSync } from "node:sqlite";
import { beforeAll, expect, test } from "vitest";
import { readMigrations } from "../../../server/tasks/stores/migrate.ts";
import type { Connection } from "../../../server/tasks/stores/sqlite/connection.ts";
import { newTask, newTasks, startAt } from "../../support/builders.ts";
import { SqliteBench } from "../../support/sqlite-context.ts";

const migrations = readMigrations(
  new URL("../../../server/tasks/stores/sqlite/migrations/", import.meta.url),
);
let visited = 0;

/** Calls `visit` for every row that an index brings to a claim's condition. */
function counting(): Connection {
  const database = new DatabaseSync(":memory:");
  database.function("visit", (_seq) => ++visited);
  for (const migration of migrations) database.exec(migration.sql);
  const statements = new Map<string, ReturnType<DatabaseSync["prepare"]>>();
  const prepare = (text: string) => {
    const known = statements.get(text);
    if (known) return known;
    const statement = database.prepare(
      text.replace(/(tasks_claim\w*\s+WHERE) (status = 1)/, "$1 visit(seq) AND $2"),
    );
    statement.setReturnArrays(true);
    statements.set(text, statement);
    return statement;
  };
  const connection: Partial<Connection> = {
    path: ":memory:",
    prepare,
    once: (_name, read) => read(),
    beginWrite: () => database.exec("BEGIN IMMEDIATE"),
    commit: () => database.exec("COMMIT"),
    close: () => database.close(),
  };
  return connection as Connection;
}

let bench: SqliteBench;

beforeAll(() => {
  bench = new SqliteBench(undefined, counting());
  bench.register("w1");
  for (let type = 0; type < 50; type++) bench.enqueue(...newTasks(1_000, { type: `foreign-${type}` }));
  for (let part = 0; part < 50; part++) {
    bench.enqueue(...newTasks(1_000, { dueAt: startAt + 1 + part, priority: part % 3 }));
  }
}, 60_000);

function visitsOf(limit: number): { claimed: number; visits: number } {
  visited = 0;
  return { claimed: bench.claim("w1", { limit, suspect: true }).length, visits: visited };
}

test("with 100,000 waiting of foreign types or for later, a claim that gets nothing looks at a row a priority", () => {
  const { claimed, visits } = visitsOf(10);
  expect(claimed).toBe(0);
  expect(visits).toBeGreaterThan(0);
  expect(visits).toBeLessThanOrEqual(2 * 3);
});

test("a claim that gets ten looks at ten and a few", () => {
  bench.enqueue(...newTasks(20));
  const { claimed, visits } = visitsOf(10);
  expect(claimed).toBe(10);
  expect(visits).toBeGreaterThanOrEqual(10);
  expect(visits).toBeLessThanOrEqual(10 + 2 * 3);
});

test("each lane and priority costs a look, not their tasks", () => {
  for (let queue = 0; queue < 20; queue++) {
    bench.enqueue(
      ...newTasks(100, { queue: `queue-${queue}`, dueAt: startAt + 9 }),
      newTask({ queue: `queue-${queue}` }),
    );
  }
  visitsOf(10);
  const { claimed, visits } = visitsOf(15);
  expect(claimed).toBe(15);
  expect(visits).toBeLessThan(15 + 3 * 23);
});

test("finished and running tasks are not looked at", () => {
  const held = bench.claim("w1", { limit: 1_000 });
  for (const one of held) bench.settle(one, "w1", "completed");
  expect(visitsOf(10)).toMatchObject({ claimed: 0 });
  expect(visited).toBeLessThanOrEqual(2 * 3 + 2 * 20);
});
