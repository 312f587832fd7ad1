/** What the SQLite store's writing thread works with, without the thread: its verbs can be called one by one. */
import type { NewTask, Settled, Settlement, TaskStore, Written } from "../../server/tasks/core/store.ts";
import { minuteOf } from "../../server/tasks/stores/shared/kept-counts.ts";
import { TaskAttributes } from "../../server/tasks/stores/sqlite/attributes/attributes.ts";
import { type Claimed, claimTasks } from "../../server/tasks/stores/sqlite/claim.ts";
import type { TaskRef } from "../../server/tasks/stores/sqlite/claimed-task.ts";
import { Connection } from "../../server/tasks/stores/sqlite/connection.ts";
import { HistoryTally } from "../../server/tasks/stores/sqlite/counts/history-tally.ts";
import { enqueueTasks } from "../../server/tasks/stores/sqlite/enqueue.ts";
import { Lanes, Tally } from "../../server/tasks/stores/sqlite/lanes.ts";
import { settleTasks } from "../../server/tasks/stores/sqlite/settle.ts";
import { ClaimsAhead } from "../../server/tasks/stores/sqlite/threads/claims-ahead.ts";
import { toNewRuns } from "../../server/tasks/stores/sqlite/threads/outgoing.ts";
import { OutgoingSettlements } from "../../server/tasks/stores/sqlite/threads/outgoing-settlements.ts";
import type { WriteContext } from "../../server/tasks/stores/sqlite/threads/write-context.ts";
import { WorkerLocks } from "../../server/tasks/stores/sqlite/worker-locks.ts";
import { reapWorkers, registerWorker } from "../../server/tasks/stores/sqlite/workers.ts";
import { newWorker, startAt } from "./builders.ts";
import { claimRequest, ok } from "./stores.ts";

/** What one claimed task is to the one who claimed it. */
export interface Held {
  id: string;
  fence: number;
  ref: TaskRef;
}

/** A database in memory, and the verbs on it; each runs in a transaction of its own. */
export class SqliteBench {
  readonly connection: Connection;
  readonly context: WriteContext;
  now = startAt;

  /** `alter` may change the text of every statement before it is prepared. */
  constructor(
    alter: (sql: string) => string = (sql) => sql,
    connection = new Connection({ path: ":memory:", durability: "full", role: "writer" }),
    ahead = new ClaimsAhead(),
  ) {
    this.connection = connection;
    const prepare = connection.prepare.bind(connection);
    connection.prepare = (sql) => prepare(alter(sql));
    this.context = {
      connection,
      lanes: new Lanes(connection),
      tally: new Tally(connection),
      history: new HistoryTally(connection),
      attributes: new TaskAttributes(connection),
      ahead,
      locks: new WorkerLocks(":memory:"),
      changed: false,
      undo: () => undefined,
    };
  }

  write<Answer>(verb: (context: WriteContext) => Answer): Answer {
    this.connection.beginWrite();
    const answer = verb(this.context);
    this.context.history.write();
    this.context.tally.write();
    this.connection.commit();
    return answer;
  }

  enqueue(...tasks: NewTask[]): void {
    ok(this.write((context) => enqueueTasks(context, toNewRuns(tasks))));
  }

  register(id: string): void {
    ok(this.write((context) => registerWorker(context, newWorker(id), this.now)));
  }

  claim(workerId: string, facts: Parameters<typeof claimRequest>[0] = {}): Held[] {
    const claimed: Written<Claimed, string> = this.write((context) =>
      claimTasks(context, claimRequest({ workerId, ...facts }), this.now),
    );
    if (claimed.kind !== "ok") return [];
    const { rows, lanes, claimedAt } = claimed.value;
    const types = new Map(lanes.map(([lane, type]) => [lane, type]));
    return rows.map((row) => ({
      id: row[1],
      fence: row[8] + 1,
      ref: {
        ...{ seq: row[0], lane: row[2], minute: minuteOf(row[5]), type: types.get(row[2])! },
        ...{ startedAt: claimedAt, waitMs: claimedAt - row[4] },
      },
    }));
  }

  settle(
    held: Held,
    workerId: string,
    outcome: Settlement["outcome"],
    facts: Partial<Settlement> = {},
  ): Settled {
    const settlement: Settlement = {
      ref: held.ref,
      taskId: held.id,
      fence: held.fence,
      workerId,
      outcome,
      ...facts,
    };
    const outgoing = new OutgoingSettlements([settlement]);
    const settled = ok(this.write((context) => settleTasks(context, outgoing.batch(), this.now)));
    return outgoing.answers(settled)[0]!;
  }

  reap(facts: Partial<Parameters<TaskStore["reapWorkers"]>[0]> = {}) {
    const request = { suspects: [], crashBudget: 3, cancelGraceMs: 60_000, ...facts };
    return ok(this.write((context) => reapWorkers(context, request, this.now)));
  }

  /** A task's columns by name. */
  row(id: string): Record<string, unknown> {
    return this.connection.rows("SELECT * FROM tasks WHERE id = ?", id)[0] ?? {};
  }

  close(): void {
    this.connection.close();
  }
}
