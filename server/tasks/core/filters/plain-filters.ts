/** Which of the conditions of a search are plain filters, that an index serves by themselves. */
import type { StoreSearch } from "../store.ts";
import type { TaskStatusName } from "../task.ts";
import { type Bound, type Condition, isEmptyRange } from "./condition.ts";

export type PlainFilters = Pick<
  StoreSearch,
  "id" | "types" | "statuses" | "queues" | "created" | "updated" | "where"
>;

const ended: readonly TaskStatusName[] = ["COMPLETED", "FAILED", "CANCELLED"];

/** Of conditions that all must hold; those that are no plain filters are left in `where`. */
export function plainFiltersOf(parts: readonly Condition[]): PlainFilters {
  const plain: PlainFilters = {};
  const others = parts.filter((part) => !hoistCompleted(plain, part));
  const rest = others.filter((part) => !hoist(plain, part));
  if (others.length < parts.length)
    plain.statuses = (plain.statuses ?? ended).filter((status) => ended.includes(status));
  if (rest.length === 1) plain.where = rest[0]!;
  if (rest.length > 1) plain.where = { kind: "and", parts: rest };
  return plain;
}

/** A task that has ended was changed last then, and nothing changes it after that; see `meets`. An empty range stays what it is, to be told as such. */
function hoistCompleted(plain: PlainFilters, part: Condition): boolean {
  if (part.kind !== "range" || part.field.of !== "task" || part.field.name !== "completedAt") return false;
  if (isEmptyRange(part)) return false;
  narrow(plain, "updated", part);
  return true;
}

/** Takes the part as a plain filter, if it is one that is not taken yet. */
function hoist(plain: PlainFilters, part: Condition): boolean {
  if (!("field" in part) || part.field.of !== "task") return false;
  const { name } = part.field;
  if (part.kind === "range" && (name === "createdAt" || name === "updatedAt")) {
    narrow(plain, name === "createdAt" ? "created" : "updated", part);
    return true;
  }
  if (part.kind !== "equals" || part.values.includes(null)) return false;
  if (name === "createdAt" || name === "updatedAt") {
    const instants = part.values as number[];
    if (instants.length === 0) return false;
    const [from, to] = [Math.min(...instants), Math.max(...instants)].map((value) => ({
      value,
      isIncluded: true,
    }));
    narrow(plain, name === "createdAt" ? "created" : "updated", { from: from!, to: to! });
    return from!.value === to!.value;
  }
  const values = part.values as string[];
  if (name === "id" && plain.id === undefined && values.length === 1) plain.id = values[0]!;
  else if (name === "type" && !plain.types) plain.types = values;
  else if (name === "queue" && !plain.queues) plain.queues = values;
  else if (name === "status" && !plain.statuses) plain.statuses = values as TaskStatusName[];
  else return false;
  return true;
}

function narrow(
  plain: PlainFilters,
  which: "created" | "updated",
  { from, to }: { from?: Bound; to?: Bound },
) {
  const range: NonNullable<PlainFilters["created"]> = { ...plain[which] };
  if (from)
    range.start = Math.max(range.start ?? -Infinity, (from.value as number) + (from.isIncluded ? 0 : 1));
  if (to) range.end = Math.min(range.end ?? Infinity, (to.value as number) + (to.isIncluded ? 1 : 0));
  plain[which] = range;
}
