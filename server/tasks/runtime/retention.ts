/** Which finished tasks are kept: by age and by count, per status, and per type where a type has rules of its own. */
import type { PruneRequest, StoreStats } from "../core/store.ts";

export const endedStatuses = ["COMPLETED", "FAILED", "CANCELLED"] as const;

export type EndedStatus = (typeof endedStatuses)[number];

/** A task is deleted as soon as one of them says so; null keeps whatever there is. */
export interface KeptRule {
  /** How long after its end; milliseconds. */
  ageMs: number | null;
  /** How many of one type: those that ended last. */
  count: number | null;
}

export type KeptRules = Record<EndedStatus, KeptRule>;

export interface Retention extends KeptRules {
  /** By id or pattern, in the order to look at them. What one leaves out is as for all. */
  types: readonly { pattern: string; rules: Partial<KeptRules> }[];
}

/** Whether the rules are the same for all types, and ask for no counts. */
export function isByAgeAlone(retention: Retention): boolean {
  return retention.types.length === 0 && endedStatuses.every((status) => retention[status].count === null);
}

/** The rule of a type: of its id, else of the first pattern that it fits, else of all. */
export function ruleOf(retention: Retention, type: string, status: EndedStatus): KeptRule {
  const own =
    retention.types.find(({ pattern }) => pattern === type) ??
    retention.types.find(({ pattern }) => fits(type, pattern));
  return own?.rules[status] ?? retention[status];
}

function fits(type: string, pattern: string): boolean {
  return pattern.endsWith("*") && type.startsWith(pattern.slice(0, -1));
}

/** What to ask a store for, when the rules are the same for all types. */
export function requestsByAge(retention: Retention, now: number, limit: number): PruneRequest[] {
  return endedStatuses.flatMap((status) => {
    const { ageMs } = retention[status];
    return ageMs === null ? [] : [{ status, before: now - ageMs, limit }];
  });
}

/** What to ask a store for, given what it holds: one request for the types of one age, and one for each that has too many. */
export function requestsByType(
  retention: Retention,
  held: StoreStats["byType"],
  now: number,
  limit: number,
): PruneRequest[] {
  return endedStatuses.flatMap((status) => {
    const counts = countsOf(held, status);
    const types = [...counts.keys()];
    const ages = Map.groupBy(types, (type) => ruleOf(retention, type, status).ageMs);
    const byAge = [...ages].flatMap(([ageMs, ofAge]): PruneRequest[] =>
      ageMs === null ? [] : [{ status, types: ofAge, before: now - ageMs, limit }],
    );
    const byCount = types.flatMap((type): PruneRequest[] => {
      const { count: keep } = ruleOf(retention, type, status);
      return keep === null || counts.get(type)! <= keep ? [] : [{ status, types: [type], keep, limit }];
    });
    return [...byAge, ...byCount];
  });
}

function countsOf(held: StoreStats["byType"], status: EndedStatus): Map<string, number> {
  const counts = new Map<string, number>();
  for (const entry of held) {
    if (entry.status !== status || entry.count === 0) continue;
    counts.set(entry.type, (counts.get(entry.type) ?? 0) + entry.count);
  }
  return counts;
}
