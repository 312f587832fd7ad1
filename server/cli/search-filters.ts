/** `--attribute userId=42` and `--payload user.id=42` as filters. */
import type { TaskFilter } from "../tasks/core/filters/filter.ts";
import { nested } from "../tasks/core/query/query.ts";
import { showValue } from "../tasks/core/values/show.ts";
import { CommandError } from "./exit-codes.ts";

type Plain = string | number | boolean | null;

/** By name; several values of one name are alternatives. @throws CommandError */
export function attributeFilters(texts: readonly string[]): Record<string, { in: Plain[] }> {
  const values = new Map<string, Plain[]>();
  for (const [name, value] of texts.map((text) => pairOf(text, "--attribute", "userId=42"))) {
    values.set(name, [...(values.get(name) ?? []), ...valuesOf(value)]);
  }
  return Object.fromEntries([...values].map(([name, each]) => [name, { in: each }]));
}

/** One filter for each path; all of them must hold. @throws CommandError */
export function payloadFilters(texts: readonly string[]): TaskFilter[] {
  return texts
    .map((text) => pairOf(text, "--payload", "user.id=42"))
    .map(([path, value]) => ({ payload: nested(path.split("."), { in: valuesOf(value) }) }));
}

function pairOf(text: string, option: string, example: string): [name: string, value: string] {
  const at = text.indexOf("=");
  if (at > 0) return [text.slice(0, at), text.slice(at + 1)];
  throw new CommandError(`${option} is ${showValue(text)}; write it like ${example}.`);
}

/** `42` is the number and the text, as in a query; `null` is no value. */
function valuesOf(text: string): Plain[] {
  if (text === "null") return [null];
  if (text === "true" || text === "false") return [text === "true", text];
  return /^-?\d+(\.\d+)?$/.test(text) ? [Number(text), text] : [text];
}
