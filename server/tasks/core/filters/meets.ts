/** The meaning of conditions: whether a task meets one. Every store's SQL must agree with it. */

import { relevanceOf, textsAskedFor } from "../relevance.ts";
import type { TaskSortField } from "../search.ts";
import type { Attributes } from "../store.ts";
import type { Task } from "../task.ts";
import { compareText } from "../values/compare.ts";
import { isOfGroup } from "../values/error-group.ts";
import { textOfTask } from "../values/searchable-text.ts";
import { withoutSecretEntries } from "../values/secret-keys.ts";
import { encodeValue } from "../values/value.ts";
import {
  type Bound,
  type Comparable,
  type Condition,
  type Field,
  foldText,
  type TaskField,
} from "./condition.ts";

/** A task and what conditions may ask beside its fields. */
export interface Subject {
  /** A store may make it when it is asked for first, as what stands beside it. */
  task: Task;
  attributes?: Attributes;
  /** The JSON that is stored of payload and result. Default: made from the task's. */
  json?: { payload?: string; result?: string };
  /** What the full-text index holds of it. Default: what the task alone gives. */
  text?: string | (() => string);
}

export function meets(condition: Condition, subject: Subject): boolean {
  switch (condition.kind) {
    case "and":
      return condition.parts.every((part) => meets(part, subject));
    case "or":
      return condition.parts.some((part) => meets(part, subject));
    case "not":
      return !meets(condition.part, subject);
    case "text":
      return searchedText(subject).includes(condition.text);
    default:
      return compares(condition, valuesOf(condition.field, subject));
  }
}

/** What is searched of the task. */
function searchedText(subject: Subject): string {
  const { text } = subject;
  if (text === undefined) return textOfTask(subject.task);
  return typeof text === "string" ? text : text();
}

type Comparison = Extract<Condition, { field: Field }>;

function compares(condition: Comparison, values: readonly unknown[]): boolean {
  switch (condition.kind) {
    case "equals": {
      const { values: wanted } = condition;
      return (
        values.some((value) => wanted.includes(value as Comparable)) ||
        (values.length === 0 && wanted.includes(null))
      );
    }
    case "range":
      return values.some((value) => isWithin(value, condition));
    case "prefix":
      return values.some((value) => typeof value === "string" && value.startsWith(condition.prefix));
    case "contains":
      return values.some((value) => typeof value === "string" && foldText(value).includes(condition.text));
    case "group":
      return values.some((value) => typeof value === "string" && isOfGroup(value, condition.fingerprint));
    case "exists":
      return values.length > 0;
  }
}

function isWithin(value: unknown, { from, to }: { from?: Bound; to?: Bound }): boolean {
  return (!from || isBeyond(value, from, 1)) && (!to || isBeyond(value, to, -1));
}

function isBeyond(value: unknown, bound: Bound, sign: 1 | -1): boolean {
  if (typeof value !== typeof bound.value) return false;
  const order =
    typeof value === "string"
      ? compareText(value, bound.value as string)
      : (value as number) - (bound.value as number);
  return order * sign > 0 || (order === 0 && bound.isIncluded);
}

/** The values there, none of them null: several where there is a list, none where there is nothing. */
function valuesOf(field: Field, subject: Subject): readonly unknown[] {
  if (field.of === "task") return fieldValues(subject.task, field.name);
  if (field.of === "attribute") {
    const { attributes } = subject;
    return attributes && Object.hasOwn(attributes, field.name) ? listed(attributes[field.name]) : [];
  }
  const json = jsonOf(field.of, subject);
  return json === undefined ? [] : valuesAt(parsed(json), field.path);
}

/** Nothing is found in what is damaged. */
function parsed(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return undefined;
  }
}

function jsonOf(of: "payload" | "result", subject: Subject): string | undefined {
  const { json } = subject;
  if (json) return json[of];
  const { task } = subject;
  return task[of] === undefined ? undefined : encodeValue(task[of], of).json;
}

function listed(value: unknown): readonly unknown[] {
  if (value === undefined || value === null) return [];
  return Array.isArray(value) ? withoutSecretEntries(value).flatMap(listed) : [value];
}

/**
 * At a path in JSON. A list stands for each of its items, and a number in the path for one of them. A pair in a list of pairs has no
 * name in the path by which one would know that it holds a secret, so what it holds is not there.
 */
export function valuesAt(value: unknown, path: readonly string[]): readonly unknown[] {
  const [key, ...rest] = path;
  if (key === undefined) return listed(value);
  if (typeof value !== "object" || value === null) return [];
  if (!Array.isArray(value)) return Object.hasOwn(value, key) ? valuesAt((value as any)[key], rest) : [];
  const open = withoutSecretEntries(value);
  const items = open.flatMap((item) => valuesAt(item, path));
  return /^\d+$/.test(key) && Number(key) < open.length
    ? [...items, ...valuesAt(open[Number(key)], rest)]
    : items;
}

function fieldValues(task: Task, name: TaskField): readonly unknown[] {
  if (name === "tag") return task.tags ?? [];
  const value = name === "completedAt" ? endOf(task) : fieldOf(task, name);
  return value === undefined ? [] : [value];
}

/** Not before its creation, though the clock of who enqueued it was ahead: as its last change, by which it is found. */
function endOf({ completedAt, createdAt }: Task): number | undefined {
  return completedAt && Math.max(completedAt.getTime(), createdAt.getTime());
}

function fieldOf(task: Task, name: Exclude<TaskField, "tag">): Comparable | undefined {
  switch (name) {
    case "createdAt":
    case "updatedAt":
    case "startedAt":
    case "completedAt":
    case "dueAt":
      return task[name]?.getTime();
    case "duration":
      return task.completedAt && task.startedAt && task.completedAt.getTime() - task.startedAt.getTime();
    case "wait":
      return task.startedAt && task.startedAt.getTime() - task.createdAt.getTime();
    default:
      return task[name];
  }
}

/**
 * What a task is sorted by: null by id alone, and by relevance, which a task does not tell; undefined for one that has no
 * such value and is not listed.
 */
export function sortValueOf(sortBy: TaskSortField, task: Task): number | null | undefined {
  if (sortBy === "id" || sortBy === "relevance") return null;
  return fieldOf(task, sortBy) as number | undefined;
}

/** The same of a task that meets the conditions of a search. */
export function sortValueIn(
  { sortBy, where }: { sortBy: TaskSortField; where?: Condition },
  subject: Subject,
): number | null | undefined {
  if (sortBy !== "relevance") return sortValueOf(sortBy, subject.task);
  return relevanceOf(textsAskedFor(where), searchedText(subject));
}
