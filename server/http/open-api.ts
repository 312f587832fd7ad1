/** The description of the API, made from its routes. */
import { z } from "zod";
import type { Route } from "./route.ts";

export function openApi(routes: readonly Route[]): object {
  const paths: Record<string, Record<string, object>> = {};
  for (const route of routes) {
    const path = `/api/${route.path.replace(/:(\w+)/g, "{$1}")}`;
    paths[path] ??= {};
    paths[path][route.method.toLowerCase()] = operationOf(route);
  }
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
        session: { type: "apiKey", in: "cookie", name: "dure_session" },
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
  const error = { description: "A refusal", content: json({ $ref: "#/components/schemas/Error" }) };
  return {
    operationId: `${method.toLowerCase()}_${path.replace(/[^a-z]+/gi, "_")}`,
    summary,
    description: `Needs the role ${role}.`,
    parameters,
    ...(body && { requestBody: { required: true, content: json(schemaOf(body)) } }),
    responses: {
      200: { description: summary, content: json({ type: "object" }) },
      ...(statusOf && { 202: { description: "Begun", content: json({ type: "object" }) } }),
      default: error,
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
