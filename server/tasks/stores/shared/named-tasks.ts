/**
 * Searches that name the tasks they ask for: by ids or idempotency keys, or by what these begin with. Each is looked up, however many
 * tasks there are.
 */
import type { Condition } from "../../core/filters/condition.ts";
import { beyondPrefix } from "./beyond-prefix.ts";

export interface Named {
  by: "id" | "idempotencyKey";
  /** Each once. */
  values: readonly string[];
  /** And those from the first text on that come before the second. */
  ranges: readonly (readonly [from: string, beyond: string])[];
}

/** More are walked for. A list has at most a thousand; lists that are joined by or may have more, and what begins alike. */
export const namedMax = 20_000;

/** Undefined where a task of another name may meet the condition. */
export function namedIn(where: Condition | undefined): Named | undefined {
  if (where?.kind === "and") return fewestOf(where.parts.flatMap((part) => namedIn(part) ?? []));
  if (where?.kind === "or") return joined(where.parts.map(namedIn));
  if ((where?.kind !== "equals" && where?.kind !== "prefix") || where.field.of !== "task") return undefined;
  const { name } = where.field;
  if (name !== "id" && name !== "idempotencyKey") return undefined;
  if (where.kind === "prefix") {
    const range = rangeOf(where.prefix);
    return range && { by: name, values: [], ranges: [range] };
  }
  if (where.values.includes(null)) return undefined;
  const values = [...new Set(where.values.filter((value) => typeof value === "string"))];
  return { by: name, values, ranges: [] };
}

/** Half a character is none to a database, nor is U+0000 to each; and all begin with the empty text. */
function rangeOf(prefix: string): Named["ranges"][number] | undefined {
  const beyond = prefix.isWellFormed() && !prefix.includes("\0") ? beyondPrefix(prefix) : undefined;
  return beyond === undefined ? undefined : [prefix, beyond];
}

/** Of how many are named a range does not tell. */
function fewestOf(all: readonly Named[]): Named | undefined {
  return all.toSorted(
    (one, other) => one.ranges.length - other.ranges.length || one.values.length - other.values.length,
  )[0];
}

function joined(all: readonly (Named | undefined)[]): Named | undefined {
  const by = all[0]?.by;
  if (by === undefined || all.some((one) => one?.by !== by)) return undefined;
  const values = [...new Set(all.flatMap((one) => one!.values))];
  return values.length > namedMax ? undefined : { by, values, ranges: all.flatMap((one) => one!.ranges) };
}
