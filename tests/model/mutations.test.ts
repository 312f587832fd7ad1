/**
 * Every guard in the store's SQL matters: each is taken away once, and a scripted scene must then end otherwise.
 * Guards that the code around them repeats (retryTask's `status IN (4, 5)`) are left out: either alone suffices.
 */
import { expect, test } from "vitest";
import { cancelTask, findPrunable, retryTask } from "../../server/tasks/stores/sqlite/manage.ts";
import { listCancelRequests } from "../../server/tasks/stores/sqlite/read.ts";
import { reportProgress } from "../../server/tasks/stores/sqlite/settle.ts";
import { sql } from "../../server/tasks/stores/sqlite/statements.ts";
import { beat, stopWorker } from "../../server/tasks/stores/sqlite/workers.ts";
import { newTask, someError } from "../support/builders.ts";
import { type Held, SqliteBench } from "../support/sqlite-context.ts";

type StatementName = keyof typeof sql;

/** Ends in a value that tells whether the contract was kept. */
type Scene = (bench: SqliteBench) => unknown;

interface Guard {
  statement: StatementName;
  /** The guard's text, and what stands there once it is gone. */
  from: string;
  to: string;
  scene: Scene;
  right: unknown;
}

const guards: Guard[] = [
  ...[
    { statement: "completeTask", ends: "completed", id: "id = ?5", fence: "?6", worker: "?7" } as const,
    {
      statement: "completeTasks",
      ends: "completed",
      id: "owned.id = ended.key",
      fence: "?3",
      worker: "?4",
    } as const,
    { statement: "ownedTask", ends: "failed", id: "id = ?2", fence: "?3", worker: "?4" } as const,
  ].flatMap(({ statement, ends, id, fence, worker }): Guard[] => {
    return [
      {
        statement,
        from: `fence = ${fence}`,
        to: `${fence} > 0`,
        scene: settleWithOldFence(ends),
        right: "RUNNING by w1",
      },
      {
        statement,
        from: `worker = ${worker}`,
        to: `${worker} > 0`,
        scene: settleAsAnother(ends),
        right: "RUNNING by w1",
      },
      {
        statement,
        from: id,
        to: id.replace(/\S+ = (.*)/, "$1 <> ''"),
        scene: settleForDeleted(ends),
        right: "RUNNING by w1",
      },
      { statement, from: "status = 2", to: "true", scene: settleTwice(ends), right: "CANCELLED by w1" },
    ];
  }),
  {
    statement: "aliveWorker",
    from: "state = 'alive'",
    to: "true",
    scene: claimWhenBuried,
    right: "PENDING by nobody",
  },
  {
    statement: "aliveWorker",
    from: "state = 'alive'",
    to: "true",
    scene: settleWhenBuried,
    right: "RUNNING by w2",
  },
  { statement: "dueInLane", from: "due_at <= ?3", to: "?3 > 0", scene: claimEarly, right: [] },
  { statement: "dueInLane", from: "lane = ?1", to: "?1 > 0", scene: claimForeign, right: [] },
  { statement: "suspectInLane", from: "due_at <= ?3", to: "?3 > 0", scene: claimSuspectEarly, right: [] },
  {
    statement: "claimTasks",
    from: "fence = fence + 1",
    to: "fence = fence",
    scene: claimAgain,
    right: [1, 2],
  },
  {
    statement: "claimTasks",
    from: "attempts = attempts + 1",
    to: "attempts = attempts",
    scene: failAgain,
    right: 2,
  },
  { statement: "buryWorker", from: "renewals = ?2", to: "true", scene: buryWhoRenewed, right: [] },
  { statement: "buryWorker", from: "state = 'alive'", to: "true", scene: buryTwice, right: [["w1"], []] },
  { statement: "lostTasks", from: "worker = ?", to: "? > 0", scene: buryOne, right: "RUNNING by w2" },
  {
    statement: "orphanOwners",
    from: "worker NOT IN (",
    to: "0 NOT IN (",
    scene: sweep,
    right: "RUNNING by w1",
  },
  {
    statement: "orphanOwners",
    from: "worker NOT IN (",
    to: "0 IN (",
    scene: sweepOrphan,
    right: "PENDING by w1",
  },
  {
    statement: "overdueCancels",
    from: "cancel_requested_at < ?",
    to: "? > 0",
    scene: sweepYoungCancel,
    right: "RUNNING by w1",
  },
  {
    statement: "putBackTask",
    from: "crashes = crashes + ?6",
    to: "crashes = crashes + 0 * ?6",
    scene: crashForEver,
    right: "FAILED by w4",
  },
  { statement: "renewLease", from: "state = 'alive'", to: "true", scene: beatWhenBuried, right: false },
  { statement: "ownedTasks", from: "worker = ?", to: "? > 0", scene: beatOfAnother, right: [] },
  {
    statement: "stopWorker",
    from: "AND NOT EXISTS",
    to: "OR NOT EXISTS",
    scene: stopAsOwner,
    right: "rejected",
  },
  {
    statement: "attemptOutcome",
    from: "fence = ?2",
    to: "?2 > 0",
    scene: resendLater,
    right: { kind: "settled" },
  },
  {
    statement: "latestAttempt",
    from: "id = ?2",
    to: "?2 <> ''",
    scene: resendForDeleted,
    right: { kind: "lease-lost" },
  },
  { statement: "reportProgress", from: "fence = ?4", to: "?4 > 0", scene: reportOldFence, right: null },
  { statement: "reportProgress", from: "worker = ?5", to: "?5 > 0", scene: reportAsAnother, right: null },
  { statement: "cancelRequests", from: "worker = (", to: "0 < (", scene: cancelsOfAnother, right: [] },
  {
    statement: "requestCancel",
    from: "coalesce(cancel_requested_at, ?1)",
    to: "?1",
    scene: cancelTwice,
    right: true,
  },
  {
    statement: "retryTask",
    from: "cancel_requested_at = NULL, ",
    to: "",
    scene: retryCancelled,
    right: "PENDING",
  },
  { statement: "endTask", from: "cancel_requested_at = NULL, ", to: "", scene: cancelAndFail, right: null },
  { statement: "prunable", from: "updated_at < ?3", to: "?3 > 0", scene: pruneYoung, right: 0 },
  { statement: "prunable", from: "status = ?2", to: "?2 > 0", scene: pruneOthers, right: 0 },
];

test.each(guards)("$statement: $from holds something up", ({ statement, from, to, scene, right }) => {
  expect(sql[statement], `the text of ${statement}`).toContain(from);
  const altered = sql[statement].replace(from, () => to);
  expect(outcomeOf(scene, (text) => text)).toMatchObject({ value: right });
  expect(outcomeOf(scene, (text) => (text === sql[statement] ? altered : text))).not.toMatchObject({
    value: right,
  });
});

test("without its unique index, an idempotency key is two tasks", () => {
  const total = (before: string) =>
    outcomeOf((bench) => {
      bench.connection.exec(before);
      bench.enqueue(newTask({ idempotencyKey: "k" }));
      bench.enqueue(newTask({ idempotencyKey: "k" }));
      return bench.connection.rows("SELECT count(*) AS tasks FROM tasks")[0]!.tasks;
    }).value;
  expect(total("SELECT 1")).toBe(1);
  expect(total("DROP INDEX tasks_idempotency")).toBe(2);
});

function outcomeOf(scene: Scene, alter = (text: string) => text): { value: unknown } {
  const bench = new SqliteBench(alter);
  try {
    for (const worker of ["w1", "w2", "w3", "w4"]) bench.register(worker);
    return { value: scene(bench) };
  } catch (error) {
    return { value: error };
  } finally {
    bench.close();
  }
}

// What the scenes are made of

function claimNew(bench: SqliteBench, worker = "w1", facts: Parameters<typeof newTask>[0] = {}): Held {
  bench.enqueue(newTask({ id: "a", maxAttempts: 5, ...facts }));
  return claimOne(bench, worker);
}

function claimOne(bench: SqliteBench, worker: string, suspect = false): Held {
  const [held] = bench.claim(worker, { limit: 1, suspect });
  if (!held) throw new Error(`${worker} was given no task.`);
  return held;
}

function fail(bench: SqliteBench, held: Held, worker = "w1"): void {
  bench.settle(held, worker, "failed", { error: someError, retryAt: bench.now });
}

function bury(bench: SqliteBench, workerId: string, renewals = 0): string[] {
  return bench.reap({ suspects: [{ workerId, renewals }] }).buried;
}

function cancel(bench: SqliteBench, id = "a") {
  return bench.write((context) => cancelTask(context, { id }, bench.now));
}

/** Where the task is and whose. */
function placeOf(bench: SqliteBench, id = "a"): string {
  const names = ["", "PENDING", "RUNNING", "COMPLETED", "FAILED", "CANCELLED"];
  const { status, worker } = bench.row(id);
  return `${names[status as number]} by ${worker === null ? "nobody" : `w${worker}`}`;
}

// The scenes

function settleWithOldFence(outcome: "completed" | "failed"): Scene {
  return (bench) => {
    const held = claimNew(bench);
    fail(bench, held);
    claimOne(bench, "w1");
    bench.settle(held, "w1", outcome);
    return placeOf(bench);
  };
}

function settleAsAnother(outcome: "completed" | "failed"): Scene {
  return (bench) => {
    bench.settle(claimNew(bench), "w2", outcome);
    return placeOf(bench);
  };
}

/** A row's number may come again once its task is deleted. */
function settleForDeleted(outcome: "completed" | "failed"): Scene {
  return (bench) => {
    const old = claimNew(bench);
    bench.settle(old, "w1", "cancelled");
    bench.connection.exec("DELETE FROM attempts; DELETE FROM tasks");
    bench.enqueue(newTask({ id: "b" }));
    const held = claimOne(bench, "w1");
    if (held.ref.seq !== old.ref.seq) throw new Error("The row's number is not the same.");
    bench.settle(old, "w1", outcome);
    return placeOf(bench, "b");
  };
}

function settleTwice(outcome: "completed" | "failed"): Scene {
  return (bench) => {
    const held = claimNew(bench);
    bench.settle(held, "w1", "cancelled");
    bench.settle(held, "w1", outcome, { error: someError });
    return placeOf(bench);
  };
}

function claimWhenBuried(bench: SqliteBench): unknown {
  bury(bench, "w1");
  bench.enqueue(newTask({ id: "a" }));
  bench.claim("w1");
  return placeOf(bench);
}

function settleWhenBuried(bench: SqliteBench): unknown {
  const held = claimNew(bench, "w2");
  bench.connection.exec("UPDATE workers SET state = 'dead' WHERE id = 'w2'");
  bench.settle(held, "w2", "completed");
  return placeOf(bench);
}

function claimEarly(bench: SqliteBench): unknown {
  bench.enqueue(newTask({ id: "a", dueAt: bench.now + 1 }));
  return bench.claim("w1");
}

function claimForeign(bench: SqliteBench): unknown {
  bench.enqueue(newTask({ id: "a" }));
  const mine = newTask({ id: "b", type: "send-receipt", dueAt: bench.now + 1 });
  bench.enqueue(mine);
  return bench.claim("w1", { types: [mine.type] });
}

function claimSuspectEarly(bench: SqliteBench): unknown {
  claimNew(bench);
  bury(bench, "w1");
  bench.now -= 1;
  return bench.claim("w2", { suspect: true });
}

function claimAgain(bench: SqliteBench): unknown {
  claimNew(bench);
  const first = bench.row("a").fence;
  bury(bench, "w1");
  claimOne(bench, "w2", true);
  return [first, bench.row("a").fence];
}

/** How often a task of two attempts can be claimed and fail. */
function failAgain(bench: SqliteBench): unknown {
  bench.enqueue(newTask({ id: "a", maxAttempts: 2 }));
  for (let starts = 0; ; starts++) {
    const [held] = bench.claim("w1");
    if (!held || starts > 5) return starts;
    fail(bench, held);
  }
}

function buryWhoRenewed(bench: SqliteBench): unknown {
  bench.write((context) => beat(context, { workerId: "w1", loopDelayMs: 0 }, bench.now));
  return bury(bench, "w1", 0);
}

function buryTwice(bench: SqliteBench): unknown {
  return [bury(bench, "w1"), bury(bench, "w1")];
}

function buryOne(bench: SqliteBench): unknown {
  claimNew(bench, "w2");
  bury(bench, "w1");
  return placeOf(bench);
}

function sweep(bench: SqliteBench): unknown {
  claimNew(bench);
  bench.reap();
  return placeOf(bench);
}

/** The claim was committed after the burial of its worker. */
function sweepOrphan(bench: SqliteBench): unknown {
  claimNew(bench);
  bench.connection.exec("UPDATE workers SET state = 'dead' WHERE id = 'w1'");
  bench.reap();
  return placeOf(bench);
}

function sweepYoungCancel(bench: SqliteBench): unknown {
  claimNew(bench);
  cancel(bench);
  bench.reap({ cancelGraceMs: 1_000 });
  return placeOf(bench);
}

function crashForEver(bench: SqliteBench): unknown {
  bench.enqueue(newTask({ id: "a" }));
  for (const worker of ["w2", "w3", "w4"]) {
    bench.claim(worker, { suspect: true });
    bury(bench, worker);
  }
  return placeOf(bench);
}

function beatWhenBuried(bench: SqliteBench): unknown {
  bury(bench, "w1");
  return bench.write((context) => beat(context, { workerId: "w1", loopDelayMs: 0 }, bench.now)).alive;
}

function beatOfAnother(bench: SqliteBench): unknown {
  claimNew(bench, "w2");
  return bench.write((context) => beat(context, { workerId: "w1", loopDelayMs: 0 }, bench.now)).owned;
}

function stopAsOwner(bench: SqliteBench): unknown {
  claimNew(bench);
  return bench.write((context) => stopWorker(context, "w1", bench.now)).kind;
}

/** The answer to a settlement was lost, and it is sent again after the task went on. */
function resendLater(bench: SqliteBench): unknown {
  fail(bench, claimNew(bench));
  const held = claimOne(bench, "w1");
  bench.settle(held, "w1", "released");
  return bench.settle(held, "w1", "released");
}

function resendForDeleted(bench: SqliteBench): unknown {
  const old = claimNew(bench);
  bench.settle(old, "w1", "completed");
  bench.connection.exec("DELETE FROM tasks");
  bench.enqueue(newTask({ id: "b" }));
  bench.settle(claimOne(bench, "w1"), "w1", "completed");
  return bench.settle(old, "w1", "completed");
}

function reportOldFence(bench: SqliteBench): unknown {
  const held = claimNew(bench);
  fail(bench, held);
  claimOne(bench, "w1");
  report(bench, held, "w1");
  return bench.row("a").progress;
}

function reportAsAnother(bench: SqliteBench): unknown {
  report(bench, claimNew(bench), "w2");
  return bench.row("a").progress;
}

function report(bench: SqliteBench, { ref, id, fence }: Held, worker: string): void {
  bench.write((context) => reportProgress(context, [[ref.seq, id, fence, worker, '{"done":1}', null]]));
}

function cancelsOfAnother(bench: SqliteBench): unknown {
  claimNew(bench);
  cancel(bench);
  return listCancelRequests(bench.connection, "w2");
}

/** Whether the grace of an obeyed request goes on counting from the first one. */
function cancelTwice(bench: SqliteBench): unknown {
  claimNew(bench);
  cancel(bench);
  const first = bench.row("a").cancel_requested_at;
  bench.now += 1_000;
  cancel(bench);
  return bench.row("a").cancel_requested_at === first;
}

function retryCancelled(bench: SqliteBench): unknown {
  const held = claimNew(bench);
  cancel(bench);
  bench.settle(held, "w1", "failed", { error: someError });
  bench.connection.exec("UPDATE tasks SET cancel_requested_at = 1");
  bench.write((context) => retryTask(context, { id: "a" }, bench.now));
  const settled = bench.settle(claimOne(bench, "w1"), "w1", "failed", {
    error: someError,
    retryAt: bench.now,
  });
  return settled.kind === "settled" ? settled.status : settled.kind;
}

function cancelAndFail(bench: SqliteBench): unknown {
  const held = claimNew(bench);
  cancel(bench);
  bench.settle(held, "w1", "failed", { error: someError });
  return bench.row("a").cancel_requested_at;
}

function pruneYoung(bench: SqliteBench): unknown {
  bench.settle(claimNew(bench), "w1", "completed");
  return findPrunable(bench.connection, { status: "COMPLETED", before: bench.now, limit: 10 }).length;
}

function pruneOthers(bench: SqliteBench): unknown {
  bench.settle(claimNew(bench), "w1", "completed");
  bench.enqueue(newTask({ id: "b", maxAttempts: 1 }));
  bench.settle(claimOne(bench, "w1"), "w1", "failed", { error: someError });
  bench.connection.exec("DELETE FROM tasks WHERE status = 4");
  return findPrunable(bench.connection, { status: "FAILED", before: bench.now + 1, limit: 10 }).length;
}
