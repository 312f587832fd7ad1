/**
 * The right to see payloads. Whoever has it not is shown tasks without what is the user's own (`Documents`), and asks no
 * question whose answer would tell of it: here.
 */
import type { Dure } from "../dure.ts";
import type { Condition, Field } from "../tasks/core/condition.ts";
import { readPageSearch } from "../tasks/core/find.ts";
import { HttpError } from "./errors.ts";

/** The fields of a task that tell nothing of its payload. */
const openFields: ReadonlySet<string> = new Set([
  "id",
  "type",
  "status",
  "queue",
  "createdAt",
  "updatedAt",
  "startedAt",
  "completedAt",
  "dueAt",
  "duration",
  "wait",
  "attempts",
  "maxAttempts",
  "priority",
  "crashes",
  "tag",
  "workerId",
  "description",
]);

/** @throws HttpError 403 for a query that looks into payloads, and for counts by attributes */
export async function checkAsksNoPayload(dure: Dure, asked: unknown): Promise<void> {
  const { q, query, by } = (asked ?? {}) as { q?: string; query?: string; by?: readonly string[] };
  if (by?.some((key) => key.startsWith("attribute."))) throw refusal();
  for (const text of [q, query]) {
    if (text === undefined) continue;
    const { where } = await readPageSearch(dure.instance, { query: text });
    if (where && asksPayload(where)) throw refusal();
  }
}

export function refusal(): HttpError {
  return new HttpError(
    403,
    "FORBIDDEN",
    "This needs the right to see payloads. You may search by type, status, queue, id, times, attempts, priority and tags.",
  );
}

function asksPayload(condition: Condition): boolean {
  switch (condition.kind) {
    case "and":
    case "or":
      return condition.parts.some(asksPayload);
    case "not":
      return asksPayload(condition.part);
    case "text":
      return true;
    default:
      return tellsOfPayload(condition.field);
  }
}

function tellsOfPayload(field: Field): boolean {
  return field.of !== "task" || !openFields.has(field.name);
}
