/** Which finished tasks are kept: by age and by count, per status, and per type where a type has rules of its own. */
import type { PruneRequest, StoreStats } from "../core/store.ts";

const endedStatuses = ["COMPLETED", "FAILED", "CANCELLED"] as const;

export type EndedStatus = (typeof endedStatuses)[number];

/** A task is deleted as soon as one of them says so; null keeps whatever there is. */
export interface KeptRule {
  /** How long after its end; milliseconds. */
  ageMs: number | null;
  /** How many of one type: those that ended last. */
  count: number | null;
  /** About how many bytes those of one type may take. */
  sizeBytes: number | null;
}

export type KeptRules = Record<EndedStatus, KeptRule>;

export interface Retention extends KeptRules {
  /** By id or pattern, in the order to look at them. What one leaves out is as for all. */
  types: readonly { pattern: string; rules: Partial<KeptRules> }[];
}

/** Whether the rules are the same for all types, and ask for no counts or sizes. */
export function isByAgeAlone(retention: Retention): boolean {
  return (
    retention.types.length === 0 &&
    endedStatuses.every((status) => retention[status].count === null && retention[status].sizeBytes === null)
  );
}

/** The types that a store holds too much of by their size, perhaps: each is to be weighed. */
export function typesToWeigh(
  retention: Retention,
  held: StoreStats["byType"],
): { type: string; status: EndedStatus; sizeBytes: number }[] {
  return endedStatuses.flatMap((status) =>
    [...countsOf(held, status).keys()].flatMap((type) => {
      const { sizeBytes } = ruleOf(retention, type, status);
      return sizeBytes === null ? [] : [{ type, status, sizeBytes }];
    }),
  );
}

/** How many tasks of a type and status its size leaves room for; undefined where no size is asked for. */
export type RoomFor = (type: string, status: EndedStatus) => number | undefined;

/** The rule of a type: of its id, else of the first pattern that it fits, else of all. */
function ruleOf(retention: Retention, type: string, status: EndedStatus): KeptRule {
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
  roomFor: RoomFor = () => undefined,
): PruneRequest[] {
  return endedStatuses.flatMap((status) => {
    const counts = countsOf(held, status);
    const types = [...counts.keys()];
    const ages = Map.groupBy(types, (type) => ruleOf(retention, type, status).ageMs);
    const byAge = [...ages].flatMap(([ageMs, ofAge]): PruneRequest[] =>
      ageMs === null ? [] : [{ status, types: ofAge, before: now - ageMs, limit }],
    );
    const byCount = types.flatMap((type): PruneRequest[] => {
      const { count } = ruleOf(retention, type, status);
      const keep = Math.min(
        count ?? Number.POSITIVE_INFINITY,
        roomFor(type, status) ?? Number.POSITIVE_INFINITY,
      );
      return counts.get(type)! <= keep ? [] : [{ status, types: [type], keep, limit }];
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
