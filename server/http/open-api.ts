/** The description of the API, made from its routes and from the schemas of what they answer. */
import { z } from "zod";
import * as contract from "./contract.ts";
import { errorCodes } from "./errors.ts";
import type { Route } from "./route.ts";
import { watchQuery } from "./routes/tasks.ts";

/** Schemas that have a name of their own in the description. */
const named: { readonly [name: string]: z.ZodType } = {
  Task: contract.task,
  StoredError: contract.storedError,
  Attempt: contract.attempt,
  TaskPage: contract.taskPage,
  TaskDetail: contract.taskDetail,
  OneTask: contract.oneTask,
  ActionAnswer: contract.actionAnswer,
  TaskCount: contract.taskCount,
  TaskChange: contract.taskChange,
  TaskExplanation: contract.taskExplanation,
  SearchExplanation: contract.searchExplanation,
  Definition: contract.definition,
  Worker: contract.worker,
  Stats: contract.stats,
  HealthFinding: contract.healthFinding,
  Summary: contract.summary,
  HistoryBucket: contract.historyBucket,
  ErrorGroup: contract.errorGroup,
  ErrorsAnswer: contract.errorsAnswer,
  Attention: contract.attention,
  SavedSearch: contract.savedSearch,
  Pause: contract.pause,
  Completion: contract.completion,
  Session: contract.session,
};

/** Of an object as it is sent: what has a default may be left out, and keys that are not known are no fault. */
const jsonSchemaOptions = { io: "input", unrepresentable: "any", override: withoutBounds } as const;

const refusal = {
  type: "object",
  required: ["code", "message", "details"],
  properties: {
    code: { type: "string", enum: errorCodes },
    message: { type: "string" },
    details: { type: "object" },
  },
};

export function openApi(routes: readonly Route[]): object {
  const { answers, schemas } = schemasOf(routes);
  const paths: Record<string, Record<string, object>> = {};
  for (const route of routes) {
    const path = `/api/${route.path.replace(/:(\w+)/g, "{$1}")}`;
    paths[path] ??= {};
    paths[path][route.method.toLowerCase()] = operationOf(route, answers.get(route)!);
  }
  for (const { path, method, operation } of others) paths[path] = { ...paths[path], [method]: operation };
  return {
    openapi: "3.1.0",
    info: {
      title: "Dure",
      version: "1",
      description:
        "Background tasks: find them, enqueue them, steer them. Keys that an answer has beside those described are to be ignored.",
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
      schemas: { ...schemas, Error: refusal },
    },
    security: [{ bearer: [] }, { session: [] }],
  };
}

/** What each route answers, and the named schemas that these refer to. */
function schemasOf(routes: readonly Route[]) {
  const registry = z.registry<{ id: string }>();
  for (const [id, schema] of Object.entries(named)) registry.add(schema, { id });
  const ids = new Map<Route, string>();
  for (const route of routes) {
    const id = registry.get(route.answer)?.id ?? `answer of ${operationIdOf(route)}`;
    registry.add(route.answer, { id });
    ids.set(route, id);
  }
  const uri = (id: string) => `#/components/schemas/${id}`;
  const made = z.toJSONSchema(registry, { ...jsonSchemaOptions, uri }).schemas;
  const schemas: Record<string, object> = {};
  for (const [id, schema] of Object.entries(made)) schemas[id] = withoutIds(schema);
  const answers = new Map<Route, object>();
  for (const [route, id] of ids) {
    answers.set(route, id in named ? { $ref: uri(id) } : schemas[id]!);
    if (!(id in named)) delete schemas[id];
  }
  return { answers, schemas };
}

/** What answers otherwise than by one JSON document of a route's. */
const others = [
  stream(
    "/api/events",
    "Hints that something changed, at most two a second",
    "Each says no more than that.",
    [],
  ),
  stream(
    "/api/tasks/watch",
    "What changes in a search; goes on after the event that `Last-Event-ID` or `since` names",
    "The data of each event is a TaskChange.",
    parametersOf(watchQuery),
  ),
  {
    path: "/api/session",
    method: "post",
    operation: {
      operationId: "post_session",
      summary:
        "Begins a session for who has a token, or what an address of dure dashboard carries; the answer sets its cookie",
      security: [],
      requestBody: {
        required: true,
        content: json({ type: "object", required: ["token"], properties: { token: { type: "string" } } }),
      },
      responses: { 200: { description: "Begun", content: json(flag("begun")) }, default: refused() },
    },
  },
  {
    path: "/api/session",
    method: "delete",
    operation: {
      operationId: "delete_session",
      summary: "Ends the session of the cookie, and its streams",
      responses: { 200: { description: "Ended", content: json(flag("ended")) }, default: refused() },
    },
  },
  probe("/healthz", "Whether the server runs"),
  probe("/readyz", "Whether the database answers"),
];

function stream(path: string, summary: string, events: string, parameters: object[]) {
  const content = { "text/event-stream": { schema: { type: "string" } } };
  const operation = {
    operationId: `get_${path.slice("/api/".length).replace("/", "_")}`,
    summary,
    description: `Needs the role viewer. ${events}`,
    parameters,
    responses: { 200: { description: "Server-sent events", content }, default: refused() },
  };
  return { path, method: "get", operation };
}

function probe(path: string, summary: string) {
  const responses = { 200: { description: "It does", content: json(flag("ok")) }, default: refused() };
  return { path, method: "get", operation: { operationId: path.slice(1), summary, security: [], responses } };
}

function flag(name: string): object {
  return { type: "object", required: [name], properties: { [name]: { const: true } } };
}

function refused(): object {
  return { description: "A refusal", content: json({ $ref: "#/components/schemas/Error" }) };
}

function operationIdOf({ method, path }: Route): string {
  return `${method.toLowerCase()}_${path.replace(/[^a-z]+/gi, "_")}`;
}

function operationOf(route: Route, answer: object): object {
  const { path, summary, role, query, body, statusOf } = route;
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
    operationId: operationIdOf(route),
    summary,
    description: `Needs the role ${role}.`,
    parameters,
    ...(body && { requestBody: { required: true, content: json(schemaOf(body)) } }),
    responses: {
      200: { description: summary, content: json(answer) },
      ...(statusOf && { 202: { description: "Begun", content: json(answer) } }),
      default: refused(),
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
  return withoutIds(z.toJSONSchema(schema, jsonSchemaOptions));
}

/** An integer of JavaScript's is bounded by itself; saying so tells a reader nothing. */
function withoutBounds({ jsonSchema }: { jsonSchema: { minimum?: number; maximum?: number } }): void {
  if (jsonSchema.minimum === Number.MIN_SAFE_INTEGER) delete jsonSchema.minimum;
  if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum;
}

function withoutIds(schema: object): object {
  const { $schema: _schema, $id: _id, ...rest } = schema as Record<string, unknown>;
  return rest;
}

function json(schema: object): object {
  return { "application/json": { schema } };
}
