/** What a form needs of a definition's JSON Schema: the fields of its top level. What it cannot read stays JSON. */
import type { Json } from "./contract.ts";

export interface PayloadField {
  name: string;
  required: boolean;
  help?: string;
  /** `json` is edited as JSON: lists, objects, and whatever else has no input of its own. */
  kind: "text" | "number" | "integer" | "boolean" | "choice" | "json";
  choices?: readonly Json[];
}

type JsonObject = { [key: string]: Json };

/** The fields, or undefined when the schema is not that of an object with named properties. */
export function payloadFields(schema: Json | undefined): PayloadField[] | undefined {
  if (!isObject(schema) || !isObject(schema.properties)) return undefined;
  const required = Array.isArray(schema.required) ? schema.required : [];
  const fields = Object.entries(schema.properties).map(([name, property]) => ({
    name,
    required: required.includes(name),
    ...about(isObject(property) ? property : {}),
  }));
  return fields.length > 0 ? fields : undefined;
}

function about(property: JsonObject): Pick<PayloadField, "kind" | "help" | "choices"> {
  const help = typeof property.description === "string" ? { help: property.description } : {};
  if (Array.isArray(property.enum)) return { kind: "choice", choices: property.enum, ...help };
  switch (property.type) {
    case "string":
      return { kind: "text", ...help };
    case "number":
    case "integer":
    case "boolean":
      return { kind: property.type, ...help };
    default:
      return { kind: "json", ...help };
  }
}

/** What an input's text means for its field; undefined takes the field away. @throws SyntaxError for bad JSON */
export function fieldValue(field: PayloadField, text: string): Json | undefined {
  if (text === "") return undefined;
  switch (field.kind) {
    case "text":
      return text;
    case "number":
    case "integer":
      return Number(text);
    case "boolean":
      return text === "true";
    case "choice":
      return field.choices?.find((choice) => choiceText(choice) === text);
    case "json":
      return JSON.parse(text);
  }
}

export function choiceText(choice: Json): string {
  return typeof choice === "string" ? choice : JSON.stringify(choice);
}

export function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
