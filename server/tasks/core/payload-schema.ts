/** The JSON Schema of a definition's payload, as far as its schema can tell it. Forms are made from it; nothing is checked by it. */
import type { StandardJSONSchemaV1, StandardSchemaV1 } from "@standard-schema/spec";

/** A larger one is left out: no form is made of it. */
const charactersMax = 65_536;

/** Of the payload as it is given, before defaults and transformations. Undefined when the library has no way to say it. */
export function payloadSchemaOf(schema: StandardSchemaV1 | undefined): object | undefined {
  const standard = schema?.["~standard"] as Partial<StandardJSONSchemaV1["~standard"]> | undefined;
  if (typeof standard?.jsonSchema?.input !== "function") return undefined;
  try {
    const made = standard.jsonSchema.input({
      target: "draft-2020-12",
      // What JSON Schema has no word for, such as a Date, may be anything; zod refuses the whole schema otherwise.
      libraryOptions: { unrepresentable: "any" },
    });
    const text = JSON.stringify(made);
    return text.length > charactersMax ? undefined : (JSON.parse(text) as object);
  } catch {
    return undefined;
  }
}
