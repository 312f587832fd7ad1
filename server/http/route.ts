/** A route: what it is asked, what it needs, what it answers. The API, its description and its tests are made from these. */
import type { z } from "zod";
import type { Dure } from "../dure.ts";
import type { Role } from "./auth.ts";
import type { Documents } from "./documents.ts";

export interface Call<Query = any, Body = any> {
  dure: Dure;
  documents: Documents;
  params: Record<string, string>;
  query: Query;
  body: Body;
}

export interface Route<Query = any, Body = any> {
  method: "GET" | "POST" | "PATCH" | "DELETE";
  /** Below `api/`; `:name` stands for one part. */
  path: string;
  role: Role;
  summary: string;
  query?: z.ZodType<Query>;
  body?: z.ZodType<Body>;
  run(call: Call<Query, Body>): Promise<unknown>;
}

/** Keeps what the schemas say of a route's query and body. */
export function route<Query, Body>(definition: Route<Query, Body>): Route {
  return definition as Route;
}
