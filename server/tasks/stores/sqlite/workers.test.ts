import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { newWorker, startAt } from "../../../../tests/support/builders.ts";
import { TaskAttributes } from "./attributes/attributes.ts";
import { Connection } from "./connection.ts";
import { HistoryTally } from "./counts/history-tally.ts";
import { Lanes, Tally } from "./lanes.ts";
import { ClaimsAhead } from "./threads/claims-ahead.ts";
import type { WriteContext } from "./threads/write-context.ts";
import { WorkerLocks } from "./worker-locks.ts";
import { reapWorkers, registerWorker } from "./workers.ts";

let folder: string;
let connections: Connection[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "dure-workers-"));
  connections = [];
});
afterEach(() => {
  for (const connection of connections) connection.close();
  rmSync(folder, { recursive: true });
});

test("an observer that dies before its burial is committed leaves the dead worker to be told by the next one", () => {
  const dead = newProcess();
  write(dead, () => registerWorker(dead, newWorker("worker-1"), startAt));
  dead.locks.letGoAll();
  const killed = newProcess();
  killed.connection.beginWrite();
  expect(reap(killed)).toEqual(["worker-1"]);
  killed.connection.rollback();
  const next = newProcess();
  expect(write(next, () => reap(next))).toEqual(["worker-1"]);
  expect(write(next, () => reap(next))).toEqual([]);
  expect(existsSync(join(folder, "tasks.db-workers/worker-1.lock"))).toBe(false);
});

/** The writing thread of a process of its own. */
function newProcess(): WriteContext {
  const path = join(folder, "tasks.db");
  const connection = new Connection({ path, durability: "full", role: "writer" });
  connections.push(connection);
  return {
    connection,
    lanes: new Lanes(connection),
    tally: new Tally(connection),
    history: new HistoryTally(connection),
    attributes: new TaskAttributes(connection),
    ahead: new ClaimsAhead(),
    locks: new WorkerLocks(path),
    changed: false,
    undo: () => undefined,
  };
}

function write<Answer>({ connection }: WriteContext, verb: () => Answer): Answer {
  connection.beginWrite();
  const answer = verb();
  connection.commit();
  return answer;
}

function reap(context: WriteContext): string[] | undefined {
  const answer = reapWorkers(context, { suspects: [], crashBudget: 3, cancelGraceMs: 60_000 }, startAt);
  return answer.kind === "ok" ? answer.value.buried : undefined;
}
