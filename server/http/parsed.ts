/** What a request gives, by the schema of its route. */
import { z } from "zod";
import { didYouMean } from "../tasks/core/names.ts";
import { HttpError } from "./errors.ts";
import { type Fault, faultOf } from "./faults.ts";

const faultsMax = 10;

/** @throws HttpError 400 with every problem, unknown parameters of an address among them */
export function parsed<Output>(schema: z.ZodType<Output>, value: unknown, what: "body" | "query"): Output {
  const unknown = what === "query" && schema instanceof z.ZodObject ? unknownIn(schema.shape, value) : [];
  const found = schema.safeParse(value);
  if (found.success && unknown.length === 0) return found.data;
  const issues = found.error?.issues ?? [];
  const faults = [...unknown, ...issues.map((issue) => faultOf(issue, value, what))].slice(0, faultsMax);
  const messages = faults.map(({ message }) => message);
  const places = faults.map(({ place }) => place);
  throw new HttpError(400, "INVALID_REQUEST", messages.join(" "), { places });
}

/**
 * The parameters of an address, as they are given.
 * @throws HttpError 400 for one that is given twice: of two questions one would be left out
 */
export function givenIn(address: string): Record<string, string> {
  const { searchParams } = new URL(address);
  const [twice] = [...searchParams.keys()].filter((name) => searchParams.getAll(name).length > 1);
  if (twice === undefined) return Object.fromEntries(searchParams);
  throw new HttpError(400, "INVALID_REQUEST", `query.${twice}: it is given more than once; give it once.`);
}

/** Bodies are strict by their schemas; an address with a slip in it would ask for more than was meant. */
function unknownIn(shape: object, given: unknown): Fault[] {
  const known = Object.keys(shape);
  return Object.keys(given as object)
    .filter((name) => !Object.hasOwn(shape, name))
    .map((name) => ({
      place: `query.${name}`,
      message: `query.${name}: there is no such parameter.${didYouMean(name, known)}`,
    }));
}
