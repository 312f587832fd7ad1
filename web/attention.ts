/** What needs attention first, worked out from counts and workers alone. */
import type { Stats, WorkerDocument } from "./contract.ts";

export type Attention =
  | { kind: "no-workers"; count: number }
  | { kind: "no-worker"; type: string; count: number }
  | { kind: "failing"; type: string; count: number; share: number }
  | { kind: "oldest-due"; ms: number }
  | { kind: "dead-workers"; count: number };

/** A due task that waits longer than this is worth a look. */
const waitWorthTellingMs = 60_000;
const typesMax = 5;

/** Worst first: nobody works, types nobody runs, what fails most, what waits longest, workers that fell silent. */
export function attentionOf(stats: Stats, workers: readonly WorkerDocument[]): Attention[] {
  const alive = workers.filter(({ state }) => state === "alive");
  const pending = countOf(stats, ({ status }) => status === "PENDING");
  if (alive.length === 0 && pending > 0) return [{ kind: "no-workers", count: pending }, ...failing(stats)];
  return [
    ...unserved(stats, alive),
    ...failing(stats),
    ...((stats.oldestDueMs ?? 0) >= waitWorthTellingMs
      ? [{ kind: "oldest-due", ms: stats.oldestDueMs! } as const]
      : []),
    ...(stats.workers.dead > 0 ? [{ kind: "dead-workers", count: stats.workers.dead } as const] : []),
  ];
}

function unserved(stats: Stats, alive: readonly WorkerDocument[]): Attention[] {
  const served = new Set(alive.flatMap(({ types }) => types));
  return types(stats)
    .filter((type) => !served.has(type))
    .map((type) => ({
      kind: "no-worker" as const,
      type,
      count: countOf(stats, (group) => group.type === type && group.status === "PENDING"),
    }))
    .filter(({ count }) => count > 0)
    .slice(0, typesMax);
}

function failing(stats: Stats): Attention[] {
  return types(stats)
    .map((type) => {
      const count = countOf(stats, (group) => group.type === type && group.status === "FAILED");
      const ended = count + countOf(stats, (group) => group.type === type && group.status === "COMPLETED");
      return { kind: "failing" as const, type, count, share: count / Math.max(ended, 1) };
    })
    .filter(({ count }) => count > 0)
    .sort((one, other) => other.count - one.count)
    .slice(0, typesMax);
}

function types(stats: Stats): string[] {
  return [...new Set(stats.byType.map(({ type }) => type))];
}

function countOf(stats: Stats, fits: (group: Stats["byType"][number]) => boolean): number {
  return stats.byType.reduce((sum, group) => sum + (fits(group) ? group.count : 0), 0);
}
