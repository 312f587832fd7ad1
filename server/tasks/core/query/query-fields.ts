/** The fields that a query may name: what they are called there, and what kind of value they take. */
import type { TaskFilter } from "../filters/filter.ts";
import type { TaskSortField } from "../search.ts";

/** Of a `message` the colon asks for a part. */
export type FieldKind = "text" | "message" | "group" | "status" | "number" | "duration" | "instant";

export interface QueryField {
  /** What it is called among the options. */
  filter: keyof TaskFilter;
  kind: FieldKind;
  detail: string;
}

/** By the name that is written; `queryField` takes the option's name too, and any case. */
export const queryFields: Readonly<Record<string, QueryField>> = {
  status: { filter: "status", kind: "status", detail: "pending, running, completed, failed, cancelled" },
  type: { filter: "type", kind: "text", detail: "the definition's id" },
  queue: { filter: "queue", kind: "text", detail: "the queue" },
  id: { filter: "id", kind: "text", detail: "the task's id" },
  tag: { filter: "tag", kind: "text", detail: "one of its tags" },
  created: { filter: "createdAt", kind: "instant", detail: "when it was enqueued" },
  updated: { filter: "updatedAt", kind: "instant", detail: "when it last changed" },
  started: { filter: "startedAt", kind: "instant", detail: "when its latest attempt started" },
  completed: { filter: "completedAt", kind: "instant", detail: "when it ended, however it ended" },
  due: { filter: "dueAt", kind: "instant", detail: "when it may start" },
  duration: { filter: "duration", kind: "duration", detail: "how long its latest attempt took" },
  wait: { filter: "wait", kind: "duration", detail: "from its creation to its latest start" },
  attempts: { filter: "attempts", kind: "number", detail: "attempts used" },
  maxAttempts: { filter: "maxAttempts", kind: "number", detail: "attempts allowed" },
  priority: { filter: "priority", kind: "number", detail: "higher goes first" },
  crashes: { filter: "crashes", kind: "number", detail: "how often a worker died under it" },
  error: { filter: "error", kind: "message", detail: "part of its latest error's message" },
  errorGroup: { filter: "errorGroup", kind: "group", detail: "errors that say the same" },
  description: { filter: "description", kind: "message", detail: "part of its description" },
  worker: { filter: "workerId", kind: "text", detail: "the worker that has it, or had it last" },
  key: { filter: "idempotencyKey", kind: "text", detail: "its idempotency key" },
};

/** Names that are no field of a task by themselves, and what they are for. */
export const otherDetails: Readonly<Record<string, string>> = {
  payload: "a place in the payload: payload.user.id",
  result: "a place in the result: result.rows",
  attribute: "an attribute by its whole name: attribute.userId",
  has: "a field that has a value: has:result",
  text: "text anywhere in the task",
  sort: "the order: sort:updated, sort:+created",
};

export const otherNames: readonly string[] = Object.keys(otherDetails);

/** What a search may be sorted by, by the name that is written: in lower case, without At. */
export const sortNames: Readonly<Record<string, TaskSortField>> = {
  created: "createdAt",
  updated: "updatedAt",
  started: "startedAt",
  completed: "completedAt",
  due: "dueAt",
  duration: "duration",
  priority: "priority",
  relevance: "relevance",
  id: "id",
};

const byName = new Map(
  Object.entries(queryFields).flatMap(([name, field]) => [
    [name.toLowerCase(), field],
    [field.filter.toLowerCase(), field],
  ]),
);

/** The field of this name, in any case: `created` and `createdAt`. */
export function queryField(name: string): QueryField | undefined {
  return byName.get(name.toLowerCase());
}
