/**
 * Where an enqueue comes from, when a handler makes it. A handler that enqueues its own type at once, or in a loop without
 * an end, fills a database faster than a person looks; so one attempt may enqueue only so many tasks, and a chain of tasks
 * that each enqueue the next may become only so long. A link that waits for a minute or longer begins a chain anew: who
 * plans tomorrow's task today is no loop.
 */
import { DureError } from "./errors.ts";
import { grouped } from "./grouped.ts";
import type { TaskSettings } from "./store.ts";

/** From this wait on a task that a handler enqueues begins a chain of its own. */
export const chainGapMs = 60_000;

export interface OriginLimits {
  /** How many tasks one attempt may enqueue. */
  readonly childrenMax: number;
  /** How many tasks of a chain may come after its first. */
  readonly depthMax: number;
}

/** The attempt whose handler enqueues. */
export interface Origin {
  readonly type: string;
  /** How many tasks of its chain came before it. */
  readonly depth: number;
  readonly limits: OriginLimits;
  /** Whether it has ended: what its handler left behind, such as a client that others use too, is not bounded by it. */
  readonly over: boolean;
  /** How many tasks it has enqueued so far. */
  children: number;
  /** What its children have in common, so that they are stored as one run. */
  childSettings?: TaskSettings;
}

/** Counts one more task. @throws DureError ENQUEUE_LIMIT */
export function countChild(origin: Origin): void {
  const { childrenMax } = origin.limits;
  if (origin.over) return;
  if (origin.children >= childrenMax) {
    throw new DureError(
      "ENQUEUE_LIMIT",
      `This attempt of "${origin.type}" has enqueued ${grouped(childrenMax)} tasks, which is the most one attempt ` +
        "may. Does it loop? If it should enqueue more, let some of its tasks enqueue the rest, or raise worker.childrenMax.",
      { details: { limit: "children", max: childrenMax, type: origin.type } },
    );
  }
  origin.children += 1;
}

/**
 * The settings of a task that a handler enqueues, with its place in the chain.
 * @param dueInMs how long it waits at least
 * @throws DureError ENQUEUE_LIMIT
 */
export function chained(
  origin: Origin,
  own: TaskSettings | undefined,
  dueInMs: number,
): TaskSettings | undefined {
  if (dueInMs >= chainGapMs) return own;
  const { depthMax } = origin.limits;
  const depth = origin.depth + 1;
  if (depth > depthMax) {
    throw new DureError(
      "ENQUEUE_LIMIT",
      `"${origin.type}" is number ${depth} of a chain of tasks that each enqueued the next one at once, and ${depthMax} is the most ` +
        "that may follow each other. Does it enqueue itself for ever? To wait for something, throw a Snooze, or enqueue with " +
        "a delay of a minute or more; for longer chains raise worker.depthMax.",
      { details: { limit: "depth", max: depthMax, type: origin.type } },
    );
  }
  if (own) return { ...own, depth };
  origin.childSettings ??= { depth };
  return origin.childSettings;
}
