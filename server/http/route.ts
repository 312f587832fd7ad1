/** A route: what it is asked, what it needs, what it answers. The API, its description, its client and its tests are made from these. */
import type { z } from "zod";
import type { Dure } from "../dure.ts";
import type { AskedBy } from "../tasks/core/port/store-audit.ts";
import type { Role } from "./auth.ts";
import type { Documents } from "./documents.ts";

export interface Call<Query = any, Body = any> {
  dure: Dure;
  documents: Documents;
  params: Record<string, string>;
  query: Query;
  body: Body;
  /** The caller's. */
  role: Role;
  /** Their name, or their role where they have none. */
  caller: string;
  /** Whether payloads, results, attributes, errors and logs are shown to them. */
  seesPayloads: boolean;
  /** Takes so many tasks off what the caller may enqueue. @throws HttpError 429 */
  charge(tasks: number): void;
  /** Whether they came by a session, which they can end. */
  canLogOut: boolean;
  /** For what needs more than the route does. @throws HttpError 403 */
  need(role: Role): void;
  /** Who asks, for the audit log. */
  by: AskedBy;
  /** The same for tasks that are enqueued; undefined where the log is not to have those. */
  enqueuedBy: AskedBy | undefined;
  /** Adds to what `onAudit` is told. */
  audit(details: Record<string, unknown>): void;
}

export type Method = "GET" | "POST" | "PUT" | "PATCH" | "DELETE";

export interface Route<
  Query = any,
  Body = any,
  Answer = unknown,
  Path extends string = string,
  Verb extends Method = Method,
  QueryInput = any,
  BodyInput = any,
> {
  method: Verb;
  /** Below `api/`; `:name` stands for one part. */
  path: Path;
  role: Role;
  summary: string;
  query?: z.ZodType<Query, QueryInput>;
  body?: z.ZodType<Body, BodyInput>;
  /** What is answered: its type, and its description. */
  answer: z.ZodType<Answer>;
  /** Whether all that it answers is told from payloads and errors. */
  needsPayloads?: true;
  /** Whether each caller is answered something of their own; else those who may see the same may share an answer. */
  isOwn?: true;
  /** The status of an answer. Default 200. */
  statusOf?(answer: Answer): 200 | 202;
  run(call: Call<Query, Body>): Promise<NoInfer<Answer>>;
}

/** Keeps what the schemas say of a route's query and body, and what it answers. */
export function route<
  const Path extends string,
  const Verb extends Method,
  Answer,
  Query = unknown,
  Body = unknown,
  QueryInput = unknown,
  BodyInput = unknown,
>(
  definition: Route<Query, Body, Answer, Path, Verb, QueryInput, BodyInput>,
): Route<Query, Body, Answer, Path, Verb, QueryInput, BodyInput> {
  return definition;
}
