/** A condition as people read it: as a query would say it, as far as one can. */
import type { Bound, Comparable, Condition, Field } from "./condition.ts";

const instants: ReadonlySet<string> = new Set([
  "createdAt",
  "updatedAt",
  "startedAt",
  "completedAt",
  "dueAt",
]);

/** `payload.user.id:42`, `(a:1 OR b:2)`, `-error:"rate limit"`. */
export function describeCondition(condition: Condition): string {
  switch (condition.kind) {
    case "and":
      return condition.parts.map(describeCondition).join(" ");
    case "or":
      return `(${condition.parts.map(describeCondition).join(" OR ")})`;
    case "not":
      return condition.part.kind === "and"
        ? `-(${describeCondition(condition.part)})`
        : `-${describeCondition(condition.part)}`;
    case "equals": {
      // `3` in a query is the number and the text.
      const values = new Set(condition.values.map((value) => valueText(condition.field, value)));
      return `${describeField(condition.field)}:${[...values].join(",")}`;
    }
    case "range":
      return [boundText(condition.field, ">", condition.from), boundText(condition.field, "<", condition.to)]
        .filter((text) => text !== undefined)
        .join(" ");
    case "prefix":
      return `${describeField(condition.field)}:${condition.prefix}*`;
    case "contains":
      return `${describeField(condition.field)}:${JSON.stringify(condition.text)}`;
    case "group":
      return `errorGroup:${JSON.stringify(condition.fingerprint)}`;
    case "exists":
      return `has:${describeField(condition.field)}`;
    case "text":
      return JSON.stringify(condition.text);
  }
}

/** `attribute.userId`, `payload.user.id`, `priority`. */
export function describeField(field: Field): string {
  if (field.of === "task") return field.name;
  return field.of === "attribute" ? `attribute.${field.name}` : [field.of, ...field.path].join(".");
}

function boundText(field: Field, sign: string, bound: Bound | undefined): string | undefined {
  if (!bound) return undefined;
  return `${describeField(field)}:${sign}${bound.isIncluded ? "=" : ""}${valueText(field, bound.value)}`;
}

function valueText(field: Field, value: Comparable | null): string {
  const isInstant = field.of === "task" && instants.has(field.name) && typeof value === "number";
  if (isInstant && Math.abs(value) <= 8.64e15) return new Date(value).toISOString();
  return typeof value === "string" && !/^[\p{L}\p{N}_$-]+$/u.test(value)
    ? JSON.stringify(value)
    : String(value);
}
