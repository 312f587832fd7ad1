import { expect, type TestContext, test } from "vitest";
import { DureError } from "../../server/tasks/core/errors.ts";
import type { AttemptTransaction, ClaimedTask, TransactionRequest } from "../../server/tasks/core/store.ts";
import { encodeValue } from "../../server/tasks/core/values/value.ts";
import { newTask, settlementOf, someError } from "../support/builders.ts";
import { ok, onEachStore } from "../support/stores.ts";

onEachStore("beginTransaction", (world) => {
  const begin = ({ task, fence }: ClaimedTask, facts: Partial<TransactionRequest> = {}) =>
    world.store.beginTransaction({ taskId: task.id, fence, workerId: "worker-1", idleMs: 60_000, ...facts });

  /** Completed and failed by day, in the history. */
  const counted = async () =>
    (await world.store.readHistory({ span: "day", start: 0, end: Number.MAX_SAFE_INTEGER, limit: 10 })).map(
      ({ completed, failed }) => [completed, failed],
    );

  /** A transaction of a running task; skips the test where the store has none to give, and says why. */
  async function running(
    skip: TestContext["skip"],
  ): Promise<{ claimed: ClaimedTask; transaction: AttemptTransaction }> {
    const claimed = await world.running(newTask());
    try {
      return { claimed, transaction: await begin(claimed) };
    } catch (error) {
      expect(error).toBeInstanceOf(DureError);
      expect((error as DureError).code).toBe("TRANSACTION_UNUSABLE");
      return skip(`This store gives no transactions: ${(error as DureError).message}`);
    }
  }

  test("its commit completes the task, with what else it stored", async ({ skip }) => {
    const { claimed, transaction } = await running(skip);
    const other = newTask();
    ok(await world.store.enqueueTasks([other], transaction.client));
    expect(await world.store.getTask(other.id)).toBeUndefined();
    const settlement = settlementOf(claimed, "completed", { result: encodeValue({ total: 17 }, "result") });
    expect(ok(await transaction.commit(settlement))).toEqual({ kind: "settled", status: "COMPLETED" });
    expect(await world.get(claimed.task.id)).toMatchObject({ status: "COMPLETED", result: { total: 17 } });
    expect(await world.get(other.id)).toMatchObject({ status: "PENDING" });
    expect(await counted()).toEqual([[1, 0]]);
  });

  test("its rollback leaves nothing, and the attempt may end otherwise", async ({ skip }) => {
    const { claimed, transaction } = await running(skip);
    const other = newTask();
    ok(await world.store.enqueueTasks([other], transaction.client));
    await transaction.rollback();
    await transaction.rollback();
    expect(await world.store.getTask(other.id)).toBeUndefined();
    expect(await counted()).toEqual([]);
    expect(await world.settle(claimed, "failed", { error: someError })).toMatchObject({ status: "FAILED" });
    expect(await counted()).toEqual([[0, 1]]);
  });

  test("log lines are kept", async ({ skip }) => {
    const { claimed, transaction } = await running(skip);
    const logs = [{ at: new Date(5), level: "info" as const, message: "three sizes made" }];
    ok(await transaction.commit(settlementOf(claimed, "completed", { logs })));
    expect(await world.store.listAttempts(claimed.task.id)).toMatchObject([{ outcome: "completed", logs }]);
  });

  test("an attempt that is not this worker's any more gets none", async ({ skip }) => {
    const { claimed, transaction } = await running(skip);
    await transaction.rollback();
    for (const facts of [{ fence: claimed.fence + 1 }, { workerId: "worker-2" }]) {
      await expect(begin(claimed, facts)).rejects.toMatchObject({ code: "LEASE_LOST" });
    }
    await world.settle(claimed, "completed");
    await expect(begin(claimed)).rejects.toMatchObject({ code: "LEASE_LOST" });
  });

  test("a commit after the task was taken away stores nothing", async ({ skip }) => {
    const { claimed, transaction } = await running(skip);
    const other = newTask();
    ok(await world.store.enqueueTasks([other], transaction.client));
    await world.bury();
    expect(ok(await transaction.commit(settlementOf(claimed, "completed")))).toMatchObject({
      kind: "lease-lost",
    });
    expect(await world.store.getTask(other.id)).toBeUndefined();
    expect(await world.get(claimed.task.id)).toMatchObject({ status: "PENDING", crashes: 1 });
    expect(await transaction.findOutcome(settlementOf(claimed, "completed"))).toMatchObject({
      kind: "lease-lost",
    });
  });

  test("what became of it can be asked by fence", async ({ skip }) => {
    const { claimed, transaction } = await running(skip);
    await transaction.rollback();
    const settlement = settlementOf(claimed, "completed");
    expect(await transaction.findOutcome(settlement)).toBeUndefined();
    const second = await begin(claimed);
    ok(await second.commit(settlement));
    expect(await second.findOutcome(settlement)).toEqual({ kind: "settled", status: "COMPLETED" });
  });

  test("its client is over with it", async ({ skip }) => {
    const { claimed, transaction } = await running(skip);
    ok(await transaction.commit(settlementOf(claimed, "completed")));
    await expect(transaction.client.query("SELECT 1")).rejects.toMatchObject({
      code: "TRANSACTION_UNUSABLE",
    });
  });
});
