/**
 * What a search asks of a task, as stores are given it: comparisons joined by and, or, not. Made from options by
 * filter.ts; `meets` is the meaning of each part, which every store's SQL must agree with.
 *
 * Two-valued: a comparison with something that is absent does not hold, and its `not` does.
 * Text is compared by its code points, folded nowhere except in `contains` and `text`, where both sides are folded
 * by `foldText`.
 */

/** A column of a task. Instants and durations are numbers of milliseconds. */
export type TaskField =
  | "id"
  | "type"
  | "status"
  | "queue"
  | "createdAt"
  | "updatedAt"
  | "startedAt"
  | "completedAt"
  | "dueAt"
  /** From the latest start to the end; only of tasks that have ended. */
  | "duration"
  /** From the creation to the latest start; of tasks that have started. */
  | "wait"
  | "attempts"
  | "maxAttempts"
  | "priority"
  | "crashes"
  | "tag"
  | "workerId"
  | "idempotencyKey"
  | "description"
  | "error";

/** What a comparison looks at. A list (tags, a list in a payload or attribute) meets it when one of its items does. */
export type Field =
  | { of: "task"; name: TaskField }
  /** A declared attribute, of whatever type declares one of this name. */
  | { of: "attribute"; name: string }
  /** A place in the payload or result, from its root; a list on the way stands for each of its items. */
  | { of: "payload" | "result"; path: readonly string[] };

/** Dates are compared as instants: as milliseconds here, and as ISO text inside of payloads and results. */
export type Comparable = string | number | boolean;

export type Condition =
  | { kind: "and" | "or"; parts: readonly Condition[] }
  | { kind: "not"; part: Condition }
  | { kind: "equals"; field: Field; values: readonly (Comparable | null)[] }
  | { kind: "range"; field: Field; from?: Bound; to?: Bound }
  | { kind: "prefix"; field: Field; prefix: string }
  | { kind: "contains"; field: Field; text: string }
  /** A message of the group of errors that has this fingerprint; see error-group.ts. */
  | { kind: "group"; field: Field; fingerprint: string }
  /** Whether there is a value that is not null. */
  | { kind: "exists"; field: Field }
  /** The folded text occurs in what the full-text index holds of the task; see `searchableText`. */
  | { kind: "text"; text: string };

/** Only values of the bound's own type are within it. */
export interface Bound {
  value: string | number;
  isIncluded: boolean;
}

/** The names of the attributes that it looks at, each once. */
export function attributesIn(condition: Condition | undefined): string[] {
  if (!condition) return [];
  if (condition.kind === "not") return attributesIn(condition.part);
  if (condition.kind === "and" || condition.kind === "or")
    return [...new Set(condition.parts.flatMap(attributesIn))];
  return "field" in condition && condition.field.of === "attribute" ? [condition.field.name] : [];
}

/** Case and forms of a character that mean the same are made one: NFKC, lower case, and one sigma wherever it stands. */
export function foldText(text: string): string {
  return text.normalize("NFKC").toLowerCase().replaceAll("ς", "σ");
}

/** Whether it ends before it begins, or where it begins without having it. */
export function isEmptyRange({ from, to }: Extract<Condition, { kind: "range" }>): boolean {
  if (!from || !to || typeof from.value !== typeof to.value) return false;
  return from.value > to.value || (from.value === to.value && !(from.isIncluded && to.isIncluded));
}
