/** Takes tasks through their lives on one layout: insert in 1,000s, claim and settle in 500s, each step a commit. */
import type { DatabaseSync } from "node:sqlite";
import { inTransaction } from "../support/connection.ts";
import { payloadJson, taskIds } from "../support/sample.ts";
import type { Layout } from "./layouts.ts";

/** Tasks per second. */
export interface LifeRates {
  insert: number;
  claim: number;
  settle: number;
  /** Claim and settle together. */
  drain: number;
  life: number;
}

const insertBatch = 1_000;
const claimBatch = 500;
const worker = 7;

type Claimed = [key: number | string, id: string, fence: number];

export function measureLives(database: DatabaseSync, layout: Layout, count: number): LifeRates {
  const insertMs = insertAll(database, layout, count);
  const { claimMs, settleMs } = drainAll(database, layout, count);
  const rate = (ms: number) => (count / ms) * 1_000;
  return {
    insert: rate(insertMs),
    claim: rate(claimMs),
    settle: rate(settleMs),
    drain: rate(claimMs + settleMs),
    life: rate(insertMs + claimMs + settleMs),
  };
}

function insertAll(database: DatabaseSync, layout: Layout, count: number): number {
  const insert = database.prepare(layout.insert);
  const nextId = taskIds();
  const startedAt = performance.now();
  for (let done = 0; done < count; done += insertBatch) {
    inTransaction(database, () => {
      const now = Date.now();
      for (let n = 0; n < insertBatch; n++) insert.run(nextId(), 1, now, payloadJson);
    });
  }
  return performance.now() - startedAt;
}

function drainAll(
  database: DatabaseSync,
  layout: Layout,
  count: number,
): { claimMs: number; settleMs: number } {
  const due = database.prepare(layout.due);
  const claim = database.prepare(layout.claim);
  due.setReturnArrays(true);
  const settle = layout.settle.map((statement) => database.prepare(statement));
  let claimMs = 0;
  let settleMs = 0;
  for (let done = 0; done < count; ) {
    const startedAt = performance.now();
    const claimed = inTransaction(database, () => {
      const now = Date.now();
      const rows = due.all(now, claimBatch) as unknown as Claimed[];
      claim.run(worker, now, JSON.stringify(rows.map(([key]) => key)));
      return rows;
    });
    const claimedAt = performance.now();
    inTransaction(database, () => {
      const now = Date.now();
      for (const [key, , fence] of claimed) {
        settle[0]!.run(now, '{"ok":true}', key, fence, worker);
        for (const step of settle.slice(1)) step.run(key);
      }
    });
    if (claimed.length === 0) throw new Error(`Only ${done} of ${count} tasks could be claimed.`);
    done += claimed.length;
    claimMs += claimedAt - startedAt;
    settleMs += performance.now() - claimedAt;
  }
  return { claimMs, settleMs };
}
