/** What the API answers is what `/api/openapi.json` says: every route, asked for real, held to its schema. */
import { Ajv2020, type ValidateFunction } from "ajv/dist/2020.js";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createDure, type Dure } from "../../server/dure.ts";
import { routes } from "../../server/http/app.ts";
import { createHttpHandler, type HttpHandler } from "../../server/http.ts";

const silent = { info: () => undefined, warn: () => undefined, error: () => undefined };
const instant = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;
let dure: Dure;
let handler: HttpHandler;
let described: any;
let ajv: Ajv2020;

beforeAll(async () => {
  dure = createDure({ database: ":memory:", logger: silent });
  dure.defineTask(
    "send-receipt",
    async ({ payload }, { log, progress }) => {
      log.warn("sending", { order: payload.order });
      progress(1, 2, "half");
      if (payload.order > 3) throw new Error("connect ETIMEDOUT", { cause: new TypeError("socket hang up") });
      return { sent: true };
    },
    {
      attributes: { order: ({ order }: { order: number }) => order },
      maxAttempts: 2,
      backoff: { first: "1h" },
    },
  );
  await dure.start();
  for (const order of [1, 2, 4]) {
    const settings = { id: `order-${order}`, tags: ["vip"], maxAttempts: order === 4 ? 1 : 2 };
    await dure.enqueueTask("send-receipt", { order }, settings);
    await dure.waitForTask(`order-${order}`).catch(() => undefined);
  }
  await dure.stop();
  await dure.enqueueTask(
    "send-receipt",
    { order: 9 },
    { id: "order-9", delay: "1h", idempotencyKey: "nine" },
  );
  handler = createHttpHandler(dure, { authorize: () => "admin" });
  described = await (await ask("GET", "openapi.json")).json();
  ajv = new Ajv2020({ strict: false, allErrors: true });
  ajv.addFormat("date-time", instant);
  // Nothing that is answered stays unsaid.
  ajv.addSchema(closed(described), "api");
});

afterAll(() => dure.close());

function ask(method: string, path: string, body?: unknown): Promise<Response> {
  const headers = { "content-type": "application/json" };
  const init = { method, headers, ...(body !== undefined && { body: JSON.stringify(body) }) };
  return handler(new Request(`http://localhost/api/${path}`, init));
}

/** Every object that names its keys has no others. */
function closed(schema: any): any {
  if (typeof schema !== "object" || schema === null) return schema;
  if (Array.isArray(schema)) return schema.map(closed);
  const inner = Object.fromEntries(Object.entries(schema).map(([key, value]) => [key, closed(value)]));
  return "properties" in schema ? { additionalProperties: false, ...inner } : inner;
}

function validatorOf(method: string, path: string, status: number): ValidateFunction {
  const steps = ["paths", `/api/${path.replace(/:(\w+)/g, "{$1}")}`, method.toLowerCase(), "responses"];
  const place = [...steps, String(status), "content", "application/json", "schema"];
  const pointer = place
    .map((step) => encodeURIComponent(step.replace(/~/g, "~0").replace(/\//g, "~1")))
    .join("/");
  return ajv.compile({ $ref: `api#/${pointer}` });
}

/** What each route is asked with, in this order: changes come after what they change was looked at. */
const calls: readonly [route: string, asked: string, body?: unknown, status?: number][] = [
  ["GET tasks", "tasks?attributes=true&limit=2"],
  ["GET tasks", "tasks?updatedSince=now"],
  ["GET tasks", "tasks?definitions=true&sort=createdAt"],
  ["GET tasks/count", "tasks/count?q=payload.order:>1"],
  ["GET tasks/explain", "tasks/explain?q=ETIMEDOUT"],
  ["GET tasks/:id", "tasks/order-1"],
  ["GET tasks/:id", "tasks/order-4"],
  ["GET tasks/:id/explain", "tasks/order-9/explain"],
  ["GET tasks/:id/explain", "tasks/order-4/explain"],
  ["GET session", "session"],
  ["GET definitions", "definitions"],
  ["GET workers", "workers"],
  ["GET stats", "stats"],
  ["GET health", "health"],
  ["GET summary", "summary?by=hour,status,attribute.order&percentiles=true"],
  ["GET history", "history?bucket=day&by=type"],
  ["GET errors", "errors"],
  ["GET attention", "attention"],
  ["GET query/complete", "query/complete?text=status:fa&position=9"],
  ["POST tasks", "tasks", { type: "send-receipt", payload: { order: 5 }, id: "order-5", delay: "1h" }],
  [
    "POST tasks/batch",
    "tasks/batch",
    { tasks: [{ type: "send-receipt", payload: { order: 6 }, delay: "1h" }] },
  ],
  ["PATCH tasks/:id", "tasks/order-5", { priority: 3 }],
  ["POST tasks/:id/cancel", "tasks/order-5/cancel", {}],
  ["POST tasks/:id/retry", "tasks/order-5/retry", {}],
  ["POST tasks/:id/run-again", "tasks/order-1/run-again", { delay: "1h" }],
  ["DELETE tasks/:id", "tasks/order-2"],
  ["POST actions", "actions", { action: "cancel", q: "id:order-5", dryRun: true }],
  ["POST actions", "actions", { action: "cancel", q: "id:order-5" }, 202],
  ["GET actions/:id", "actions/{action}"],
  [
    "PUT searches/:name",
    "searches/late",
    {
      query: "status:pending",
      description: "Late",
      alert: { over: 3, for: "5m", enqueue: { type: "send-receipt" } },
    },
  ],
  ["GET searches", "searches"],
  ["DELETE searches/:name", "searches/late"],
  ["PUT pauses/:kind/:name", "pauses/type/send-receipt", { reason: "rest" }],
  ["GET pauses", "pauses"],
  ["DELETE pauses/:kind/:name", "pauses/type/send-receipt"],
  ["GET audit", "audit?action=cancel,pause,save-search&limit=9"],
];

test("every answer of every route fits its schema, and has nothing beside it", async () => {
  let action = "";
  for (const [route, asked, body, status = 200] of calls) {
    const [method, path] = route.split(" ") as [string, string];
    const answer = await ask(method, asked.replace("{action}", action), body);
    const said = (await answer.json()) as any;
    expect([route, answer.status, said.message]).toEqual([route, status, undefined]);
    if (status === 202) action = said.task.id;
    const fits = validatorOf(method, path, status);
    fits(said);
    expect([route, fits.errors ?? []]).toEqual([route, []]);
  }
  const asked = new Set(calls.map(([route]) => route));
  expect(routes.map(({ method, path }) => `${method} ${path}`).filter((route) => !asked.has(route))).toEqual(
    [],
  );
});

test("no answer is described as an object and no more", () => {
  const operations = Object.entries(described.paths).flatMap(([path, methods]) =>
    Object.entries(methods as object).map(
      ([method, { responses }]) => [`${method} ${path}`, responses[200]] as const,
    ),
  );
  for (const [name, { content }] of operations) {
    const schema = content["application/json"]?.schema ?? content["text/event-stream"].schema;
    const says = schema.$ref ?? schema.properties ?? schema.anyOf ?? schema.oneOf ?? schema.type !== "object";
    expect([name, Boolean(says)]).toEqual([name, true]);
  }
});

test("refusals fit the schema of errors, whose codes are all that there are", async () => {
  const fits = ajv.compile({ $ref: "api#/components/schemas/Error" });
  const refused: [string, string, unknown?][] = [
    ["GET", "tasks/nobody"],
    ["GET", "tasks?q=statsu:failed"],
    ["GET", "tasks?limit=0"],
    ["GET", "nowhere"],
    ["POST", "tasks", { type: "nobody", payload: {} }],
  ];
  for (const [method, path, body] of refused) {
    const said = await (await ask(method, path, body)).json();
    fits(said);
    expect([path, fits.errors ?? []]).toEqual([path, []]);
  }
  expect(fits({ code: "NO_SUCH_CODE", message: "", details: {} })).toBe(false);
});
