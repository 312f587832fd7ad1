/** What is wrong with a request, in the words of all other errors: what was met, and what was expected. */
import type { z } from "zod";
import { showValue } from "../tasks/core/values/show.ts";

type Issue = z.core.$ZodIssue;

export interface Fault {
  /** `query.limit`. */
  place: string;
  /** `query.limit is "many"; expected a number.` */
  message: string;
}

export function faultOf(issue: Issue, given: unknown, what: "body" | "query"): Fault {
  const place = [what, ...issue.path.map(String)].join(".");
  if (issue.code === "unrecognized_keys") {
    const keys = issue.keys.map((key) => showValue(key)).join(", ");
    return { place, message: `${place} has ${keys}, which it does not take.` };
  }
  const value = valueAt(given, issue.path);
  const met = value === undefined ? `${place} is missing` : `${place} is ${showValue(value)}`;
  const expected = expectedOf(issue);
  return {
    place,
    message: expected === undefined ? `${met}: ${issue.message}.` : `${met}; expected ${expected}.`,
  };
}

function valueAt(given: unknown, path: readonly PropertyKey[]): unknown {
  let value = given;
  for (const key of path) {
    // A list by comma.
    if (typeof value === "string" && typeof key === "number") return listOf(value)[key];
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, key)) return undefined;
    value = (value as Record<PropertyKey, unknown>)[key];
  }
  return value;
}

/** What a parameter that is a list by comma names. */
export function listOf(text: string): string[] {
  return text.split(",").filter((part) => part !== "");
}

function expectedOf(issue: Issue): string | undefined {
  switch (issue.code) {
    case "invalid_type":
      return expectedTypes[issue.expected] ?? issue.expected;
    case "invalid_value":
      return issue.values.map(String).join(" or ");
    case "too_small":
      return `${bounded(issue.origin)} at least ${issue.minimum}`;
    case "too_big":
      return `${bounded(issue.origin)} at most ${issue.maximum}`;
    case "invalid_format":
      return expectedFormats[issue.format];
    default:
      return undefined;
  }
}

const expectedTypes: { readonly [type: string]: string } = {
  int: "an integer",
  number: "a number",
  string: "a text",
  boolean: "true or false",
  object: "an object",
  array: "a list",
  nonoptional: "a value",
};

const expectedFormats: { readonly [format: string]: string } = {
  datetime: "an instant such as 2026-11-23T09:30:00Z, with Z or an offset",
};

function bounded(origin: string): string {
  if (origin === "string") return "a text whose length is";
  if (origin === "array") return "a list whose length is";
  return "a number of";
}
