/** The description of the API, made from its routes. */
import { z } from "zod";
import type { Route } from "./route.ts";
import { watchQuery } from "./routes/tasks.ts";

export function openApi(routes: readonly Route[]): object {
  const paths: Record<string, Record<string, object>> = {};
  for (const route of routes) {
    const path = `/api/${route.path.replace(/:(\w+)/g, "{$1}")}`;
    paths[path] ??= {};
    paths[path][route.method.toLowerCase()] = operationOf(route);
  }
  for (const { path, method, operation } of others) paths[path] = { ...paths[path], [method]: operation };
  return {
    openapi: "3.1.0",
    info: {
      title: "Dure",
      version: "1",
      description: "Background tasks: find them, enqueue them, steer them.",
    },
    paths,
    components: {
      securitySchemes: {
        bearer: { type: "http", scheme: "bearer" },
        session: {
          ...{ type: "apiKey", in: "cookie", name: "dure_session" },
          description: "With `_` and the port after it where the address has one.",
        },
      },
      schemas: {
        Error: {
          type: "object",
          required: ["code", "message", "details"],
          properties: { code: { type: "string" }, message: { type: "string" }, details: { type: "object" } },
        },
      },
    },
    security: [{ bearer: [] }, { session: [] }],
  };
}

/** What answers otherwise than by one JSON document of a route's. */
const others = [
  stream("/api/events", "Hints that something changed, at most two a second", []),
  stream(
    "/api/tasks/watch",
    "What changes in a search; goes on after the event that `Last-Event-ID` or `since` names",
    parametersOf(watchQuery),
  ),
  {
    path: "/api/session",
    method: "delete",
    operation: {
      operationId: "delete_session",
      summary: "Ends the session of the cookie, and its streams",
      responses: { 200: { description: "Ended", content: json({ type: "object" }) }, default: refusal() },
    },
  },
  probe("/healthz", "Whether the server runs"),
  probe("/readyz", "Whether the database answers"),
];

function stream(path: string, summary: string, parameters: object[]) {
  const content = { "text/event-stream": { schema: { type: "string" } } };
  const operation = {
    operationId: `get_${path.slice("/api/".length).replace("/", "_")}`,
    summary,
    description: "Needs the role viewer.",
    parameters,
    responses: { 200: { description: "Server-sent events", content }, default: refusal() },
  };
  return { path, method: "get", operation };
}

function probe(path: string, summary: string) {
  const responses = {
    200: { description: "It does", content: json({ type: "object" }) },
    default: refusal(),
  };
  return { path, method: "get", operation: { operationId: path.slice(1), summary, security: [], responses } };
}

function refusal(): object {
  return { description: "A refusal", content: json({ $ref: "#/components/schemas/Error" }) };
}

function operationOf({ method, path, summary, role, query, body, statusOf }: Route): object {
  const parameters = [
    ...[...path.matchAll(/:(\w+)/g)].map(([, name]) => ({
      name,
      in: "path",
      required: true,
      schema: { type: "string" },
    })),
    ...parametersOf(query),
  ];
  return {
    operationId: `${method.toLowerCase()}_${path.replace(/[^a-z]+/gi, "_")}`,
    summary,
    description: `Needs the role ${role}.`,
    parameters,
    ...(body && { requestBody: { required: true, content: json(schemaOf(body)) } }),
    responses: {
      200: { description: summary, content: json({ type: "object" }) },
      ...(statusOf && { 202: { description: "Begun", content: json({ type: "object" }) } }),
      default: refusal(),
    },
  };
}

function parametersOf(query: z.ZodType | undefined): object[] {
  if (!query) return [];
  const { properties = {}, required = [] } = schemaOf(query) as { properties?: object; required?: string[] };
  return Object.entries(properties).map(([name, schema]) => ({
    name,
    in: "query",
    required: required.includes(name),
    schema,
  }));
}

function schemaOf(schema: z.ZodType): object {
  const { $schema: _schema, ...rest } = z.toJSONSchema(schema, { io: "input", unrepresentable: "any" });
  return rest;
}

function json(schema: object): object {
  return { "application/json": { schema } };
}
