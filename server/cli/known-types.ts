/** The types that a database knows: those of its definitions and of its tasks. */
import type { Dure } from "../dure.ts";
import { DureError } from "../tasks/core/errors.ts";
import { didYouMean } from "../tasks/core/names.ts";

export async function knownTypes(dure: Dure): Promise<Set<string>> {
  const [definitions, { byType }] = await Promise.all([dure.listDefinitions(), dure.stats()]);
  return new Set([...definitions.map(({ id }) => id), ...byType.map(({ type }) => type)]);
}

/** A typing error must not look like an empty result. @throws DureError TASK_NOT_DEFINED with the nearest */
export async function refuseUnknownTypes(dure: Dure, types: readonly string[]): Promise<void> {
  if (types.length === 0) return;
  const known = await knownTypes(dure);
  const unknown = types.find((type) => !known.has(type));
  if (unknown === undefined) return;
  throw new DureError(
    "TASK_NOT_DEFINED",
    `No task "${unknown}" is defined in this database.${didYouMean(unknown, known)} "dure definitions" lists them all.`,
    { details: { id: unknown } },
  );
}
