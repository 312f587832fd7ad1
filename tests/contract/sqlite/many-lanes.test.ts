/** Many queues (F121): a claim over thousands of them gives the same tasks as one over a few, at the cost of a few. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { claimTasks } from "../../../server/tasks/stores/sqlite/claim.ts";
import { Connection } from "../../../server/tasks/stores/sqlite/connection.ts";
import { cancelTask, editTask } from "../../../server/tasks/stores/sqlite/manage.ts";
import { ClaimsAhead } from "../../../server/tasks/stores/sqlite/threads/claims-ahead.ts";
import { newTask, startAt } from "../../support/builders.ts";
import fc from "../../support/fast-check.ts";
import { type Held, SqliteBench } from "../../support/sqlite-context.ts";
import { claimRequest } from "../../support/stores.ts";

const closing: (() => void)[] = [];
afterEach(() => {
  for (const close of closing.splice(0).reverse()) close();
});

function openBench(...made: ConstructorParameters<typeof SqliteBench>): SqliteBench {
  const bench = new SqliteBench(...made);
  closing.push(() => bench.close());
  return bench;
}

/** So many queues that claims do not ask them one by one. */
function withQueues(bench: SqliteBench, queues = 100): SqliteBench {
  bench.register("w1");
  bench.enqueue(...Array.from({ length: queues }, (_, queue) => newTask({ queue: `q${queue}` })));
  for (const held of bench.claim("w1", { limit: queues })) bench.settle(held, "w1", "completed");
  return bench;
}

/** What is to run next, by a plain sort of the whole table. */
function expected(bench: SqliteBench, limit: number): string[] {
  const rows = bench.connection.rows(
    `SELECT id FROM tasks WHERE status = 1 AND crashes = 0 AND due_at <= ? ORDER BY priority DESC, due_at, seq LIMIT ?`,
    bench.now,
    limit,
  );
  return rows.map(({ id }) => id as string);
}

const step = fc.oneof(
  fc.record({
    do: fc.constant("enqueue" as const),
    tasks: fc.array(fc.tuple(fc.nat(129), fc.integer({ min: -2, max: 2 }), fc.integer({ min: -3, max: 9 })), {
      minLength: 1,
      maxLength: 80,
    }),
  }),
  fc.record({ do: fc.constant("claim" as const), limit: fc.integer({ min: 0, max: 40 }) }),
  fc.record({ do: fc.constant("retry" as const), place: fc.nat(), afterMs: fc.nat(5) }),
  fc.record({ do: fc.constant("edit" as const), place: fc.nat(), priority: fc.integer({ min: -3, max: 3 }) }),
  fc.record({ do: fc.constant("cancel" as const), place: fc.nat() }),
  fc.record({ do: fc.constant("wait" as const), ms: fc.integer({ min: 1, max: 6 }) }),
);

test.each([
  ["all that is due", 1_000],
  ["the next few", 100],
])("property: the order of claims is that of one list of all tasks, when %s is kept", (_, keptMin) => {
  fc.assert(
    fc.property(fc.array(step, { minLength: 10, maxLength: 60 }), (steps) => {
      const bench = withQueues(new SqliteBench(undefined, undefined, new ClaimsAhead(keptMin)));
      const held: Held[] = [];
      const waiting = () =>
        bench.connection
          .rows("SELECT id FROM tasks WHERE status = 1 ORDER BY seq")
          .map(({ id }) => id as string);
      for (const one of steps) {
        if (one.do === "wait") bench.now += one.ms;
        else if (one.do === "enqueue")
          bench.enqueue(
            ...one.tasks.map(([queue, priority, due]) =>
              newTask({ queue: `q${queue}`, priority, dueAt: bench.now + due }),
            ),
          );
        else if (one.do === "claim") {
          const wanted = expected(bench, one.limit);
          const claimed = bench.claim("w1", { limit: one.limit });
          expect(claimed.map(({ id }) => id)).toEqual(wanted);
          held.push(...claimed);
        } else if (one.do === "retry") {
          const [task] = held.splice(one.place % Math.max(1, held.length), 1);
          if (task) bench.settle(task, "w1", "failed", { retryAt: bench.now + one.afterMs });
        } else {
          const ids = waiting();
          const id = ids[one.place % Math.max(1, ids.length)];
          if (id === undefined) continue;
          bench.write((context) =>
            one.do === "edit"
              ? editTask(context, { id, edit: { priority: one.priority } }, bench.now)
              : cancelTask(context, { id }, bench.now),
          );
        }
      }
      expect(bench.claim("w1", { limit: 1_000 }).length).toBe(expectedCount(bench, held));
      bench.close();
    }),
    { numRuns: 60 },
  );
});

/** Whatever was due is claimed by now. */
function expectedCount(bench: SqliteBench, held: readonly Held[]): number {
  const [left] = bench.connection.rows(
    "SELECT count(*) AS tasks FROM tasks WHERE status = 1 AND due_at <= ?",
    bench.now,
  );
  expect(left!.tasks).toBe(0);
  const [running] = bench.connection.rows("SELECT count(*) AS tasks FROM tasks WHERE status = 2");
  return Number(running!.tasks) - held.length;
}

test("tasks that come to many queues while only the next few are known do not pass those that were not looked at", () => {
  const bench = withQueues(openBench(undefined, undefined, new ClaimsAhead(0)));
  const inQueues = (count: number, priority: number) =>
    Array.from({ length: count }, (_, place) => newTask({ queue: `q${place % 100}`, priority }));
  bench.enqueue(...inQueues(400, 1));
  const claimInOrder = () => {
    const wanted = expected(bench, 30);
    expect(bench.claim("w1", { limit: 30 }).map(({ id }) => id)).toEqual(wanted);
    return wanted.length;
  };
  claimInOrder();
  bench.enqueue(...inQueues(70, 0), ...inQueues(70, 2), ...inQueues(70, 1));
  while (claimInOrder() > 0);
});

test("one task in each of 5,000 queues: each claim runs a few statements, not one for each queue", () => {
  const counted = { statements: 0 };
  const bench = openBench();
  const { prepare } = bench.connection;
  const seen = new Set<ReturnType<typeof prepare>>();
  bench.connection.prepare = (text) => {
    const statement = prepare.call(bench.connection, text);
    if (seen.has(statement)) return statement;
    seen.add(statement);
    const [get, all] = [statement.get.bind(statement), statement.all.bind(statement)];
    statement.get = (...values: any[]) => {
      counted.statements += 1;
      return get(...values);
    };
    statement.all = (...values: any[]) => {
      counted.statements += 1;
      return all(...values);
    };
    return statement;
  };
  bench.register("w1");
  bench.enqueue(...Array.from({ length: 5_000 }, (_, queue) => newTask({ queue: `q${queue}` })));
  counted.statements = 0;
  let claimed = 0;
  for (let claims = 0; claims < 500; claims++) claimed += bench.claim("w1", { limit: 10 }).length;
  expect(claimed).toBe(5_000);
  // A look at every queue once in a thousand tasks, and a few statements for each claim.
  expect(counted.statements).toBeLessThan(90_000);
  const before = counted.statements;
  bench.enqueue(newTask({ queue: "q4999" }));
  expect(bench.claim("w1", { limit: 10 })).toHaveLength(1);
  expect(counted.statements - before).toBeLessThan(60);
});

test("when nothing is left here, what another process enqueued or a new queue brings is found at once", () => {
  const folder = mkdtempSync(join(tmpdir(), "dure-lanes-"));
  closing.push(() => rmSync(folder, { recursive: true }));
  const open = () =>
    openBench(
      undefined,
      new Connection({ path: join(folder, "tasks.db"), durability: "normal", role: "writer" }),
    );
  const [here, there] = [withQueues(open()), open()];
  expect(here.claim("w1", { limit: 10 })).toEqual([]);
  there.enqueue(newTask({ id: "theirs", queue: "q7" }));
  expect(here.claim("w1", { limit: 10 }).map(({ id }) => id)).toEqual(["theirs"]);
  here.enqueue(newTask({ id: "new-queue", queue: "another" }));
  expect(here.claim("w1", { limit: 10 }).map(({ id }) => id)).toEqual(["new-queue"]);
  there.enqueue(newTask({ id: "later", queue: "and-another", dueAt: startAt + 5 }));
  expect(here.claim("w1", { limit: 10 })).toEqual([]);
  here.now += 5;
  expect(here.claim("w1", { limit: 10 }).map(({ id }) => id)).toEqual(["later"]);
});

test("what was claimed in a transaction that was rolled back is claimed again", () => {
  const bench = withQueues(openBench());
  bench.enqueue(...Array.from({ length: 20 }, (_, queue) => newTask({ queue: `q${queue}` })));
  const wanted = expected(bench, 5);
  bench.connection.beginWrite();
  expect(claimIds(bench)).toEqual(wanted);
  expect(claimIds(bench)).not.toEqual(wanted);
  bench.connection.rollback();
  bench.context.lanes.forget();
  bench.context.tally.forget();
  expect(bench.claim("w1", { limit: 5 }).map(({ id }) => id)).toEqual(wanted);
});

function claimIds({ context, now }: SqliteBench): string[] {
  const answer = claimTasks(context, claimRequest({ workerId: "w1", limit: 5 }), now);
  return answer.kind === "ok" ? answer.value.rows.map((row) => row[1]) : [];
}
