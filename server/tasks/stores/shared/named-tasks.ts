/** Searches that name the tasks they ask for: by a list of ids, or by idempotency keys. Each is looked up, however many tasks there are. */
import type { Condition } from "../../core/filters/condition.ts";

export interface Named {
  by: "id" | "idempotencyKey";
  /** Each once. */
  values: readonly string[];
}

/** More are walked for. A list has at most a thousand; lists that are joined by or may have more. */
const namedMax = 20_000;

/** Undefined where a task of another name may meet the condition. */
export function namedIn(where: Condition | undefined): Named | undefined {
  if (where?.kind === "and") return fewestOf(where.parts.flatMap((part) => namedIn(part) ?? []));
  if (where?.kind === "or") return joined(where.parts.map(namedIn));
  if (where?.kind !== "equals" || where.field.of !== "task") return undefined;
  const { name } = where.field;
  if ((name !== "id" && name !== "idempotencyKey") || where.values.includes(null)) return undefined;
  return { by: name, values: [...new Set(where.values.filter((value) => typeof value === "string"))] };
}

function fewestOf(all: readonly Named[]): Named | undefined {
  return all.toSorted((one, other) => one.values.length - other.values.length)[0];
}

function joined(all: readonly (Named | undefined)[]): Named | undefined {
  const by = all[0]?.by;
  if (by === undefined || all.some((one) => one?.by !== by)) return undefined;
  const values = [...new Set(all.flatMap((one) => one!.values))];
  return values.length > namedMax ? undefined : { by, values };
}
