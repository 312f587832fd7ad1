/** The fields that a query may name: what they are called there, what kind of value they take, and near misses. */
import type { TaskFilter } from "./filter.ts";
import { didYouMean } from "./names.ts";
import { type Span, unescaped } from "./query-lexer.ts";
import type { TaskSortField } from "./search.ts";

/** `words` is text of which `:` asks for a part; `any` is whatever JSON has. */
export type QueryKind = "text" | "words" | "number" | "instant" | "duration" | "status" | "any";

export interface QueryField {
  key: Exclude<keyof TaskFilter, "attributes" | "payload" | "result" | "text" | "and" | "or" | "not">;
  kind: QueryKind;
  detail: string;
}

/** By the name in a query. Several names may stand for one field: the first is the one that is written. */
export const queryFields: Readonly<Record<string, QueryField>> = {
  status: { key: "status", kind: "status", detail: "pending, running, completed, failed, cancelled" },
  type: { key: "type", kind: "text", detail: "the definition's id" },
  queue: { key: "queue", kind: "text", detail: "the queue" },
  id: { key: "id", kind: "text", detail: "the task's id" },
  tag: { key: "tag", kind: "text", detail: "one of its tags" },
  created: { key: "createdAt", kind: "instant", detail: "when it was enqueued" },
  updated: { key: "updatedAt", kind: "instant", detail: "when it last changed" },
  started: { key: "startedAt", kind: "instant", detail: "when its latest attempt started" },
  completed: { key: "completedAt", kind: "instant", detail: "when it ended, however it ended" },
  due: { key: "dueAt", kind: "instant", detail: "when it may start" },
  duration: { key: "duration", kind: "duration", detail: "how long its latest attempt took" },
  wait: { key: "wait", kind: "duration", detail: "from its creation to its latest start" },
  attempts: { key: "attempts", kind: "number", detail: "attempts used" },
  maxAttempts: { key: "maxAttempts", kind: "number", detail: "attempts allowed" },
  priority: { key: "priority", kind: "number", detail: "higher goes first" },
  crashes: { key: "crashes", kind: "number", detail: "how often a worker died under it" },
  error: { key: "error", kind: "words", detail: "part of its latest error's message" },
  description: { key: "description", kind: "words", detail: "part of its description" },
  worker: { key: "workerId", kind: "text", detail: "the worker that has it, or had it last" },
  key: { key: "idempotencyKey", kind: "text", detail: "its idempotency key" },
  createdAt: { key: "createdAt", kind: "instant", detail: "created" },
  updatedAt: { key: "updatedAt", kind: "instant", detail: "updated" },
  startedAt: { key: "startedAt", kind: "instant", detail: "started" },
  completedAt: { key: "completedAt", kind: "instant", detail: "completed" },
  dueAt: { key: "dueAt", kind: "instant", detail: "due" },
  workerId: { key: "workerId", kind: "text", detail: "worker" },
  idempotencyKey: { key: "idempotencyKey", kind: "text", detail: "key" },
};

/** Names that are no field of a task by themselves. */
export const otherNames: Readonly<Record<string, string>> = {
  payload: "a place in the payload: payload.user.id",
  result: "a place in the result: result.rows",
  attribute: "an attribute by its whole name: attribute.userId",
  has: "fields that have a value: has:result",
  text: "text anywhere in the task",
  sort: "the order: sort:updated, sort:created-asc",
};

/** By the name in a query, without `At` too. */
export const sortNames: Readonly<Record<string, TaskSortField>> = {
  created: "createdAt",
  updated: "updatedAt",
  started: "startedAt",
  completed: "completedAt",
  due: "dueAt",
  duration: "duration",
  priority: "priority",
  id: "id",
  createdAt: "createdAt",
  updatedAt: "updatedAt",
  startedAt: "startedAt",
  completedAt: "completedAt",
  dueAt: "dueAt",
};

const names = [...Object.keys(queryFields), ...Object.keys(otherNames)];

export type Place =
  | { of: "field"; name: string; field: QueryField }
  | { of: "attribute"; name: string }
  | { of: "payload" | "result"; path: string[] }
  | { of: "has" | "text" | "sort" };

/** What a name such as `status`, `userId` or `payload."user id".0` stands for; or the problem with it. */
export function placeOf(written: string, given: readonly string[] = []): Place | string {
  const [head = "", ...path] = splitPath(written);
  const isWhole = path.length === 0;
  if (isWhole && Object.hasOwn(queryFields, head)) {
    return { of: "field", name: head, field: queryFields[head]! };
  }
  if (head === "payload" || head === "result") return { of: head, path };
  if (isWhole && (head === "has" || head === "text" || head === "sort")) return { of: head };
  if (head === "attribute" || head === "attributes") {
    return isWhole
      ? "The attribute's name is missing: write attribute.userId:42."
      : { of: "attribute", name: path.join(".") };
  }
  const name = [head, ...path].join(".");
  const meant = given.includes(name) ? undefined : names.find((known) => isNearMiss(head, known));
  if (meant === undefined) return { of: "attribute", name };
  return `${JSON.stringify(head)} is no field. Did you mean ${[meant, ...path].join(".")}? For an attribute of that name write attribute.${name}:.`;
}

/** `a."b c".d\.e` → a, b c, d.e. */
export function splitPath(written: string): string[] {
  const parts = written.match(/"(?:\\[\s\S]|[^"\\])*"|(?:\\[\s\S]|[^.\\])+/g) ?? [];
  return parts.map(unescaped);
}

/** Where the name of a field token stands, without its colon. */
export function nameSpan({ offset, len }: Span): Span {
  return { offset, len: len - 1 };
}

/** Within one edit, or for names so short that an attribute's could be as near, two letters swapped or another case. */
function isNearMiss(name: string, known: string): boolean {
  if (name.toLowerCase() === known.toLowerCase()) return true;
  if (isSwapped(name, known)) return known.length > 2;
  return known.length >= 5 && isOneEdit(name, known);
}

function isSwapped(one: string, other: string): boolean {
  if (one.length !== other.length) return false;
  const at = [...one].findIndex((_sign, index) => one[index] !== other[index]);
  return (
    at >= 0 &&
    one[at] === other[at + 1] &&
    one[at + 1] === other[at] &&
    one.slice(at + 2) === other.slice(at + 2)
  );
}

/** One letter more, less, or another. */
function isOneEdit(one: string, other: string): boolean {
  if (Math.abs(one.length - other.length) > 1) return false;
  let at = 0;
  while (at < one.length && one[at] === other[at]) at += 1;
  const rest = (text: string, skipped: number) => text.slice(at + skipped);
  return (
    rest(one, 1) === rest(other, 1) || rest(one, 1) === rest(other, 0) || rest(one, 0) === rest(other, 1)
  );
}

/** For a name that must be a known one. */
export function nearestField(name: string): string {
  return didYouMean(name, names);
}
