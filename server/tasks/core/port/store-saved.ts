/** What a store keeps of a saved search: what to ask, and, where a rule watches it, how far that has come. */
import type { Duration } from "../duration.ts";
import type { AuditedChange, AuditState } from "./store-audit.ts";

/** A task that a rule enqueues; `payload` is an object of JSON values, to which the alert is added. */
export interface AlertTask {
  type: string;
  payload?: Readonly<Record<string, unknown>>;
}

/** Enqueues a task when the count of a saved search is out of bounds: once, and again only after it was back in between. */
export interface AlertRule {
  /** Out of bounds above this many tasks. Give this, `under`, or both. */
  over?: number;
  /** Out of bounds below this many tasks. */
  under?: number;
  /** For how long without a break, at most 30 days. Default 0: at the first look. */
  for?: Duration;
  enqueue: AlertTask;
  /** Enqueued when the count is back, after `enqueue` was. */
  recovered?: AlertTask;
}

/** How far a rule has come; instants in milliseconds since 1970. Kept as JSON beside the search. */
export interface AlertState {
  /** When somebody took it upon himself to count. */
  checkedAt: number;
  /** How many tasks there were then; may be an estimate. */
  count?: number;
  /** Since when the count is out of bounds, as far as it was seen: the start of the episode. */
  since?: number;
  /** When the episode's task was enqueued. */
  enqueuedAt?: number;
  /** When the rule last enqueued its task, in this episode or an earlier one. */
  lastEnqueuedAt?: number;
  /** Why the latest look came to nothing. */
  problem?: string;
}

export interface SavedSearchContent {
  name: string;
  query: string;
  description?: string;
  alert?: AlertRule;
}

export interface StoredSearch extends SavedSearchContent {
  createdAt: Date;
  updatedAt: Date;
  alertState?: AlertState;
  /** Goes up with each change of the query, the rule or the state. */
  revision: number;
}

export interface AlertStateWrite {
  name: string;
  /** The one that was read; at another the state is left as it is. */
  revision: number;
  state: AlertState;
}

/** More are not kept. */
export const savedSearchesMax = 1_000;

/** What the audit log says of a search that was saved; undefined when it is as it was. */
export function saveSearchChange(
  before: StoredSearch | undefined,
  after: StoredSearch,
): AuditedChange | undefined {
  if (before && contentOf(before) === contentOf(after)) return undefined;
  return {
    ...{ action: "save-search", kind: "search", target: after.name, after: stateOf(after) },
    ...(before && { before: stateOf(before) }),
  };
}

export function deleteSearchChange(search: StoredSearch): AuditedChange {
  return { action: "delete-search", kind: "search", target: search.name, before: stateOf(search) };
}

function contentOf({ query, description, alert }: StoredSearch): string {
  return JSON.stringify([query, description, alert]);
}

/** Of the tasks that an alert enqueues, only their types. */
function stateOf({ query, description, alert }: StoredSearch): AuditState {
  if (!alert) return { query, description };
  const { enqueue, recovered, ...bounds } = alert;
  return { query, description, alert: { ...bounds, enqueue: enqueue.type, recovered: recovered?.type } };
}
