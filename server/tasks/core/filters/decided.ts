/** What a condition says of tasks before any is looked at: by what all of them have, and by their type, queue and status. */
import type { Task, TaskStatusName } from "../task.ts";
import { type Condition, isEmptyRange, type TaskField } from "./condition.ts";
import { meets } from "./meets.ts";

/** Of a task; what is not told may be any. */
export interface Kinds {
  type?: string;
  queue?: string;
  status?: TaskStatusName;
}

/** What every task has, and every definition's entry. */
const everywhere: ReadonlySet<TaskField> = new Set([
  "id",
  "type",
  "status",
  "createdAt",
  "updatedAt",
  "attempts",
  "maxAttempts",
]);

/** Whether every task of these kinds meets the condition, or none does; undefined where that depends on the task. */
export function decided(condition: Condition, kinds: Kinds): boolean | undefined {
  switch (condition.kind) {
    case "and":
      return all(condition.parts, kinds, false);
    case "or":
      return all(condition.parts, kinds, true);
    case "not": {
      const isMet = decided(condition.part, kinds);
      return isMet === undefined ? undefined : !isMet;
    }
    case "text":
      return undefined;
    default:
      return ofField(condition, kinds);
  }
}

/** Whether it asks for the type, the queue or the status somewhere. */
export function asksForKinds(condition: Condition): boolean {
  if (condition.kind === "not") return asksForKinds(condition.part);
  if ("parts" in condition) return condition.parts.some(asksForKinds);
  return "field" in condition && condition.field.of === "task" && isKind(condition.field.name);
}

/** Whether it asks for nothing else, so that it is decided by these three. */
export function isOfKinds(condition: Condition): boolean {
  if (condition.kind === "not") return isOfKinds(condition.part);
  if ("parts" in condition) return condition.parts.every(isOfKinds);
  return decided(condition, { type: "", queue: "", status: "PENDING" }) !== undefined;
}

/** One part that is so is enough, and else all have to be otherwise. */
function all(parts: readonly Condition[], kinds: Kinds, enough: boolean): boolean | undefined {
  const each = parts.map((part) => decided(part, kinds));
  if (each.includes(enough)) return enough;
  return each.includes(undefined) ? undefined : !enough;
}

function ofField(condition: Extract<Condition, { field: unknown }>, kinds: Kinds): boolean | undefined {
  const { field } = condition;
  if (condition.kind === "equals" && condition.values.length === 0) return false;
  if (condition.kind === "range" && isEmptyRange(condition)) return false;
  if (field.of !== "task") return undefined;
  if (isKind(field.name) && kinds[field.name] !== undefined)
    return meets(condition, { task: kinds as Partial<Task> as Task });
  if (!everywhere.has(field.name)) return undefined;
  if (condition.kind === "exists") return true;
  return condition.kind === "equals" && condition.values.every((value) => value === null) ? false : undefined;
}

function isKind(name: TaskField): name is keyof Kinds {
  return name === "type" || name === "queue" || name === "status";
}
