/**
 * The right to see payloads. Whoever has it not is shown tasks without what is the user's own (`Documents`), and asks no
 * question whose answer would tell of it: here. Whoever has it asks none that would spell what is redacted.
 */
import type { Dure } from "../dure.ts";
import type { Condition } from "../tasks/core/filters/condition.ts";
import { readPageSearch } from "../tasks/core/find.ts";
import type { Documents } from "./documents.ts";
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

/** Who asks: whether they see payloads, and of which keys they see no values. */
export interface Sight {
  seesPayloads: boolean;
  documents: Pick<Documents, "hides">;
}

/** @throws HttpError 403 for a query that looks into what its caller is not shown, and for counts by it */
export async function checkAsksWhatIsShown(
  dure: Dure,
  { seesPayloads, documents }: Sight,
  asked: unknown,
): Promise<void> {
  const { q, query, by } = (asked ?? {}) as { q?: string; query?: string; by?: readonly string[] };
  if (!seesPayloads && by?.some((key) => key.startsWith("attribute."))) throw refusal();
  for (const text of [q, query]) {
    if (!text) continue;
    const where = await readPageSearch(dure.instance, { query: text }).then(
      (search) => search.where,
      (error) => {
        // What is only saved is refused by who saves it, with what is told of that; before it is run it is looked at again.
        if (text === q) throw error;
        return undefined;
      },
    );
    if (!where) continue;
    if (!seesPayloads && asks(where, ofPayload)) throw refusal();
    const hidden = (one: Comparison) => ofSecret(one, (key) => documents.hides(key));
    if (seesPayloads && asks(where, hidden)) throw secretRefusal();
  }
}

export function refusal(): HttpError {
  return new HttpError(
    403,
    "FORBIDDEN",
    "This needs the right to see payloads. You may search by type, status, queue, id, times, attempts, priority and tags.",
  );
}

function secretRefusal(): HttpError {
  return new HttpError(
    403,
    "FORBIDDEN",
    "What is shown as [redacted] is not searched by: places in payloads and results not at all, attributes by whole values only.",
  );
}

type Comparison = Exclude<Condition, { kind: "and" | "or" | "not" }>;

function asks(condition: Condition, tells: (comparison: Comparison) => boolean): boolean {
  switch (condition.kind) {
    case "and":
    case "or":
      return condition.parts.some((part) => asks(part, tells));
    case "not":
      return asks(condition.part, tells);
    default:
      return tells(condition);
  }
}

function ofPayload(comparison: Comparison): boolean {
  if (comparison.kind === "text") return true;
  const { field } = comparison;
  return field.of !== "task" || !openFields.has(field.name);
}

/** Whether the answers to enough of such questions spell a secret. */
function ofSecret(comparison: Comparison, hides: (key: string) => boolean): boolean {
  if (comparison.kind === "text" || comparison.kind === "exists") return false;
  const { kind, field } = comparison;
  if (field.of === "attribute") return kind !== "equals" && hides(field.name);
  return field.of !== "task" && field.path.some(hides);
}
