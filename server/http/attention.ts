/** What needs attention first, worked out from counts, and the search behind each. */
import type { SavedSearch } from "../tasks/core/saved-searches.ts";
import type { Attention, Stats, WorkerDocument } from "./contract.ts";

/** What is counted for one type, of a stretch of time. */
export type Counts = ReadonlyMap<string, number>;

export interface Facts {
  stats: Pick<Stats, "byType" | "workers" | "oldestDueMs">;
  /** What is paused waits because somebody wants it to. */
  paused: { types: ReadonlySet<string>; queues: ReadonlySet<string> };
  workers: readonly { state: WorkerDocument["state"]; types: readonly string[] }[];
  /** Tasks that are FAILED, by type, and attempts that ended a task, of the last day. */
  failed: Counts;
  ended: Counts;
  /** Tasks that came and that ended, by type, in the last hour. */
  arrived: Counts;
  departed: Counts;
  /** Tasks that have been running for longer than `stuckAfter`. */
  stuck: number;
  searches: readonly Pick<SavedSearch, "name" | "alertState">[];
}

/** A due task that waits longer than this is worth a look. */
const waitWorthTellingMs = 60_000;
/** A type's tasks pile up when this many more came than ended in an hour, and this share of those that came. */
const backlogMin = 100;
const backlogShareMin = 0.2;
const typesMax = 5;

export const stuckAfter = "15m";

/** Worst first: nobody works, alerts that somebody asked for, types nobody runs, what fails most, what is stuck, piles up, waits; workers that fell silent. */
export function attentionOf(facts: Facts): Attention[] {
  const { stats, workers, paused, stuck } = facts;
  const alive = workers.filter(({ state }) => state === "alive");
  const waiting = waitingByType(facts);
  const pending = sum(waiting);
  const nobody: Attention[] =
    alive.length === 0 && pending > 0
      ? [{ kind: "no-workers", count: pending, query: "status:pending" }]
      : [];
  const oldestMs = stats.oldestDueMs ?? 0;
  const isLate = nobody.length === 0 && oldestMs >= waitWorthTellingMs;
  return [
    ...nobody,
    ...alerting(facts),
    ...(nobody.length === 0 ? unserved(waiting, alive) : []),
    ...failing(facts),
    ...(stuck > 0
      ? [
          {
            kind: "stuck",
            count: stuck,
            query: `status:running started:<${stuckAfter} sort:+started`,
          } as const,
        ]
      : []),
    ...(isLate ? growing(facts, waiting) : []),
    ...(isLate
      ? [
          {
            kind: "oldest-due",
            ms: oldestMs,
            query: `status:pending due:<+0s${withoutPaused(paused)} sort:+due`,
          } as const,
        ]
      : []),
    ...(stats.workers.dead > 0 ? [{ kind: "dead-workers", count: stats.workers.dead } as const] : []),
  ];
}

function alerting({ searches }: Facts): Attention[] {
  return searches
    .flatMap(({ name, alertState }): Attention[] => {
      const { problem, enqueuedAt, count } = alertState ?? {};
      const query = `@${name}`;
      if (problem !== undefined) return [{ kind: "alert-fails", name, query }];
      return enqueuedAt ? [{ kind: "alert", name, count: count ?? 0, query }] : [];
    })
    .slice(0, typesMax);
}

function unserved(waiting: Counts, alive: Facts["workers"]): Attention[] {
  const served = new Set(alive.flatMap(({ types }) => types));
  return [...waiting]
    .filter(([type, count]) => count > 0 && !served.has(type))
    .slice(0, typesMax)
    .map(([type, count]) => ({
      kind: "no-worker",
      ...{ type, count },
      query: `status:pending ${typeFilter(type)}`,
    }));
}

function failing({ failed, ended }: Facts): Attention[] {
  return [...failed]
    .filter(([, count]) => count > 0)
    .sort(([, one], [, other]) => other - one)
    .slice(0, typesMax)
    .map(([type, count]) => ({
      kind: "failing",
      ...{ type, count, share: Math.min(1, count / Math.max(ended.get(type) ?? 0, count)) },
      query: `status:failed ${typeFilter(type)} updated:>24h`,
    }));
}

function growing({ arrived, departed }: Facts, waiting: Counts): Attention[] {
  return [...arrived]
    .map(([type, came]) => ({ type, came, more: came - (departed.get(type) ?? 0) }))
    .filter(({ more, came }) => more >= backlogMin && more >= came * backlogShareMin)
    .filter(({ type, more }) => (waiting.get(type) ?? 0) >= more)
    .sort((one, other) => other.more - one.more)
    .slice(0, typesMax)
    .map(({ type, more }) => ({
      kind: "backlog",
      ...{ type, count: more },
      query: `status:pending ${typeFilter(type)} sort:+due`,
    }));
}

function waitingByType({ stats: { byType }, paused }: Facts): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { type, queue, status, count } of byType) {
    if (paused.types.has(type) || paused.queues.has(queue)) continue;
    if (status === "PENDING") counts.set(type, (counts.get(type) ?? 0) + count);
  }
  return counts;
}

function sum(counts: Counts): number {
  return [...counts.values()].reduce((total, count) => total + count, 0);
}

function withoutPaused({ types, queues }: Facts["paused"]): string {
  const parts = [...[...types].map(typeFilter), ...[...queues].map((name) => `queue:${nameText(name)}`)];
  return parts.map((part) => ` -${part}`).join("");
}

function typeFilter(type: string): string {
  return `type:${nameText(type)}`;
}

function nameText(name: string): string {
  return /^[\p{L}\p{N}_.-]+$/u.test(name) ? name : `"${name}"`;
}
