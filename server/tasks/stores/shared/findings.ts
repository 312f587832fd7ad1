/** Findings of `checkHealth` that are the same whatever the database: workers and backlog. */
import { formatDuration } from "../../core/duration.ts";
import type { HealthFinding, StoreStats, WorkerRecord } from "../../core/store.ts";

const backlogAgeMaxMs = 5 * 60_000;
const typesShownMax = 5;

/** @param now the store's clock */
export function workerFinding(workers: readonly WorkerRecord[], now: number): HealthFinding {
  const check = "workers";
  const alive = workers.filter((worker) => worker.state === "alive");
  const silent = alive.filter((worker) => now - worker.beatAt.getTime() > worker.leaseMs);
  if (silent.length > 0) {
    return {
      level: "warning",
      check,
      message: `Silent for longer than the lease: ${silent.map((worker) => `${worker.host}:${worker.pid}`).join(", ")} (${silent.length} of ${alive.length} workers).`,
      next: "Start any worker: it takes back the tasks of the dead ones.",
    };
  }
  const some = alive.length === 1 ? "1 worker is alive." : `${alive.length} workers are alive.`;
  const message = alive.length === 0 ? "No worker runs." : some;
  return { level: "ok", check, message };
}

export function backlogFindings(
  workers: readonly WorkerRecord[],
  { byType, oldestDueMs }: Pick<StoreStats, "byType" | "oldestDueMs">,
): HealthFinding[] {
  const check = "backlog";
  const alive = workers.filter((worker) => worker.state === "alive");
  const defined = new Set(alive.flatMap((worker) => worker.types));
  const waiting = byType.filter(({ status }) => status === "PENDING");
  const unserved = [...new Set(waiting.filter(({ type }) => !defined.has(type)).map(({ type }) => type))];
  const findings: HealthFinding[] = [];
  if (unserved.length > 0) {
    const shown = unserved.slice(0, typesShownMax).map((type) => `"${type}"`);
    findings.push({
      level: "warning",
      check,
      message: `No worker that runs defines ${shown.join(", ")}, whose tasks wait.`,
      next: "Start a worker that loads their definitions: dure worker <files>.",
    });
  }
  if (oldestDueMs !== undefined && oldestDueMs > backlogAgeMaxMs) {
    findings.push({
      level: "warning",
      check,
      message: `The oldest due task has waited for ${formatDuration(oldestDueMs)}.`,
      next: "Start more workers, or raise their concurrency.",
    });
  }
  return findings.length > 0 ? findings : [{ level: "ok", check, message: "Nothing due waits for long." }];
}
