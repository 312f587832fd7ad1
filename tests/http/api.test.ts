import { createServer, type RequestOptions, request } from "node:http";
import { getRequestListener } from "@hono/node-server";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createDure, type Dure } from "../../server/dure.ts";
import { routes } from "../../server/http/app.ts";
import { type AuditEntry, createHttpHandler, type Listening, listen, type Role } from "../../server/http.ts";

const token = "a-token-for-tests-only";
const bearer = { authorization: `Bearer ${token}` };
const json = { "content-type": "application/json" };
const silent = { info: () => undefined, warn: () => undefined, error: () => undefined };
let dure: Dure;
let server: Listening;
const audited: AuditEntry[] = [];

beforeAll(async () => {
  dure = createDure({ database: ":memory:", logger: silent });
  dure.defineTask("send-receipt", async (task, context) => {
    context.log.info("sending", { password: "hunter2" });
    if (task.payload.order % 2 === 0) throw new Error(`connect ETIMEDOUT 192.0.2.${task.payload.order}:443`);
    return { sent: true, apiKey: "abc" };
  });
  await dure.start();
  for (let order = 1; order <= 6; order++) {
    const { id } = await dure.enqueueTask(
      "send-receipt",
      { order, token: "secret" },
      { id: `order-${order}` },
    );
    await dure.waitForTask(id).catch(() => undefined);
  }
  await dure.stop();
  server = await listen(dure, { port: 0, token, onAudit: (entry) => audited.push(entry) });
});

afterAll(async () => {
  await server.close();
  await dure.close();
});

const base = () => `http://127.0.0.1:${server.port}`;
const ask = (path: string, init: RequestInit = {}) =>
  fetch(`${base()}${path}`, { ...init, headers: { ...bearer, ...init.headers } });
const get = async (path: string) => (await ask(path)).json() as any;
const change = (method: string, path: string, body: unknown = {}, headers = {}) =>
  ask(path, { method, body: JSON.stringify(body), headers: { ...json, ...headers } });

/** By a connection of its own, with any headers. */
function statusOf({ headers, ...given }: RequestOptions, body = ""): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const options = { host: "127.0.0.1", port: server.port, agent: false, ...given } as const;
    const sent = request({ ...options, headers: { ...bearer, ...(headers as object) } }, (answer) => {
      answer.resume();
      resolve(answer.statusCode);
    });
    sent.on("error", reject);
    sent.end(body);
  });
}

describe("reading", () => {
  test("a page of tasks, and the next by its cursor", async () => {
    const first = await get("/api/tasks?limit=4&sort=id&order=asc");
    expect(first.tasks.map(({ id }: any) => id)).toEqual(["order-1", "order-2", "order-3", "order-4"]);
    const next = await get(`/api/tasks?limit=4&sort=id&order=asc&cursor=${first.nextCursor}`);
    expect(next.tasks.map(({ id }: any) => id)).toEqual(["order-5", "order-6"]);
    expect(next.nextCursor).toBeUndefined();
  });

  test("filters by status, type and time", async () => {
    expect((await get("/api/tasks?status=failed")).tasks).toHaveLength(3);
    expect((await get("/api/tasks?type=nobody")).tasks).toEqual([]);
    expect((await get("/api/tasks?to=2020-01-01T00:00:00Z")).tasks).toEqual([]);
    expect(await get("/api/tasks/count?status=completed,failed")).toEqual({
      count: 6,
      exact: true,
      errorMax: 0,
    });
  });

  test("filters by a query, and points at what is wrong with one", async () => {
    const found = await get(`/api/tasks?q=${encodeURIComponent("status:failed payload.order:>2 sort:+id")}`);
    expect(found.tasks.map(({ id }: any) => id)).toEqual(["order-4", "order-6"]);
    expect((await get("/api/tasks/count?q=error:etimedout")).count).toBe(3);
    expect((await get("/api/summary?by=status&q=payload.order:1,2")).groups).toEqual([
      { status: "FAILED", count: 1 },
      { status: "COMPLETED", count: 1 },
    ]);
    expect(await get("/api/tasks?q=statsu:failed")).toMatchObject({
      code: "INVALID_QUERY",
      details: { column: 1, length: 6 },
    });
  });

  test("one task with its attempts, secrets taken out", async () => {
    const { task, attempts } = await get("/api/tasks/order-1");
    expect(task).toMatchObject({ status: "COMPLETED", payload: { order: 1, token: "[redacted]" } });
    expect(task.result).toEqual({ sent: true, apiKey: "[redacted]" });
    expect(attempts[0].logs[0]).toMatchObject({ message: "sending", fields: { password: "[redacted]" } });
    expect(JSON.stringify({ task, attempts })).not.toMatch(/hunter2|"secret"|"abc"/);
  });

  test("why a task is where it is", async () => {
    const explained = await get("/api/tasks/order-2/explain");
    expect(explained.reasons[0]).toMatchObject({ code: "failed" });
    expect(explained.reasons[0].message).toContain("ETIMEDOUT");
  });

  test("a query that is being written is completed", async () => {
    const { from, to, items } = await get("/api/query/complete?text=status:fa&position=9");
    expect([from, to]).toEqual([7, 9]);
    expect(items[0].text).toMatch(/failed/i);
    expect((await get("/api/query/complete?text=type:send&position=9")).items[0].text).toBe("send-receipt");
  });

  test("errors that say the same are one group", async () => {
    const { errors } = await get("/api/errors");
    expect(errors).toHaveLength(1);
    expect(errors[0]).toMatchObject({
      count: 3,
      fingerprint: "connect ETIMEDOUT …",
      query: 'status:failed errorGroup:"connect ETIMEDOUT …"',
      types: ["send-receipt"],
    });
    const { tasks } = await get(`/api/tasks?q=${encodeURIComponent(errors[0].query)}`);
    expect(tasks).toHaveLength(3);
  });

  test("summaries, definitions, workers, statistics, health", async () => {
    const { groups } = await get("/api/summary?by=type,status");
    expect(groups).toContainEqual({ type: "send-receipt", status: "FAILED", count: 3 });
    expect((await get("/api/summary?by=hour,status")).groups[0].hour).toMatch(/:00:00\.000Z$/);
    expect((await get("/api/definitions")).definitions[0].id).toBe("send-receipt");
    expect((await get("/api/workers")).workers).toHaveLength(1);
    expect((await get("/api/stats")).byType.length).toBeGreaterThan(1);
    expect((await get("/api/health")).findings.length).toBeGreaterThan(1);
  });

  test("the history: what ended, by type and time, refused where nothing is kept", async () => {
    const { buckets } = await get("/api/history?bucket=day&by=type");
    const sum = (key: string) => buckets.reduce((total: number, bucket: any) => total + bucket[key], 0);
    expect([sum("completed"), sum("failed"), buckets[0].type]).toEqual([3, 3, "send-receipt"]);
    expect(buckets[0].start).toMatch(/T00:00:00\.000Z$/);
    expect(buckets[0].runMs).toEqual({
      ...{
        p50: expect.any(Number),
        p95: expect.any(Number),
        p99: expect.any(Number),
        max: expect.any(Number),
      },
    });
    const from = new Date(Date.now() + 60_000).toISOString();
    expect((await get(`/api/history?bucket=minute&from=${from}`)).buckets).toEqual([]);
    expect((await get("/api/history?type=nobody")).buckets).toEqual([]);
    const old = await ask("/api/history?bucket=minute&from=2020-01-01T00:00:00Z");
    expect([old.status, ((await old.json()) as any).code]).toEqual([400, "INVALID_OPTION"]);
    expect((await ask("/api/history?bucket=week")).status).toBe(400);
  });
});

describe("changing", () => {
  test("enqueue, edit, cancel, retry, run again, delete", async () => {
    const { task } = (await (
      await change("POST", "/api/tasks", {
        type: "send-receipt",
        payload: { order: 7 },
        id: "order-7",
        priority: 3,
      })
    ).json()) as any;
    expect(task).toMatchObject({ id: "order-7", status: "PENDING", priority: 3 });
    const edited = (await (await change("PATCH", "/api/tasks/order-7", { priority: 9 })).json()) as any;
    expect(edited.task.priority).toBe(9);
    const cancelled = (await (await change("POST", "/api/tasks/order-7/cancel")).json()) as any;
    expect(cancelled.task.status).toBe("CANCELLED");
    const retried = (await (await change("POST", "/api/tasks/order-7/retry")).json()) as any;
    expect(retried.task.status).toBe("PENDING");
    const again = (await (
      await change("POST", "/api/tasks/order-1/run-again", { payload: { order: 8 } })
    ).json()) as any;
    expect(again.task).toMatchObject({ status: "PENDING", payload: { order: 8 } });
    expect((await change("DELETE", "/api/tasks/order-7")).status).toBe(409);
    expect((await change("DELETE", "/api/tasks/order-6")).status).toBe(200);
    expect((await ask("/api/tasks/order-6")).status).toBe(404);
    expect(audited.map(({ method, status }) => `${method} ${status}`)).toEqual([
      ...["POST 200", "PATCH 200", "POST 200", "POST 200", "POST 200", "DELETE 409", "DELETE 200"],
    ]);
  });

  test("run again with an edited payload: what was hidden and left alone is what it was", async () => {
    const runAgain = async (payload: unknown) =>
      change("POST", "/api/tasks/order-5/run-again", { payload, delay: "1h", priority: 3 });
    const { task: shown } = await get("/api/tasks/order-5");
    expect(shown.payload).toEqual({ order: 5, token: "[redacted]" });
    const { task } = (await (await runAgain({ ...shown.payload, order: 55 })).json()) as any;
    expect(await dure.getTaskById(task.id)).toMatchObject({
      ...{ payload: { order: 55, token: "secret" }, priority: 3 },
    });
    expect(task.payload.token).toBe("[redacted]");
    const lost = await runAgain({ order: 55, copy: { token: "[redacted]" } });
    expect({ status: lost.status, ...((await lost.json()) as object) }).toMatchObject({
      status: 422,
      code: "INVALID_PAYLOAD",
      message: expect.stringContaining("payload.copy.token is hidden"),
    });
  });

  test("many at once", async () => {
    const tasks = [1, 2, 3].map((order) => ({ type: "send-receipt", payload: { order }, delay: "1h" }));
    const answer = (await (await change("POST", "/api/tasks/batch", { tasks })).json()) as any;
    expect(answer.tasks.map(({ payload }: any) => payload.order)).toEqual([1, 2, 3]);
  });

  test("many of which one is refused: which, and what is stored", async () => {
    const tasks = ["send-receipt", "send-recept", "send-receipt"].map((type) => ({
      type,
      payload: {},
      delay: "1h",
    }));
    const { code, message, details } = (await (
      await change("POST", "/api/tasks/batch", { tasks })
    ).json()) as any;
    expect({ code, index: details.index }).toEqual({ code: "TASK_NOT_DEFINED", index: 1 });
    expect(message).toMatch(/^tasks\[1\]: No task "send-recept"/);
    expect(details.stored).toEqual([expect.any(String), null, expect.any(String)]);
    for (const id of [details.stored[0], details.stored[2]])
      expect(await dure.getTaskById(id)).toMatchObject({ status: "PENDING" });
  });

  test.each<[string, string, unknown, number, string]>([
    ["POST", "/api/tasks", { type: "send-recept", payload: {} }, 404, "TASK_NOT_DEFINED"],
    ["POST", "/api/tasks", { type: "send-receipt", payload: {}, colour: "red" }, 400, "INVALID_REQUEST"],
    ["POST", "/api/tasks", { type: "send-receipt", payload: {}, priority: 5_000 }, 400, "INVALID_OPTION"],
    ["POST", "/api/tasks/nobody/retry", {}, 404, "TASK_NOT_FOUND"],
    ["POST", "/api/tasks/order-1/cancel", {}, 409, "STATUS_CONFLICT"],
    ["POST", "/api/tasks/order-2/retry", { expectedVersion: 99 }, 409, "VERSION_CONFLICT"],
    ["DELETE", "/api/tasks/order-2?expectedVersion=99", {}, 409, "VERSION_CONFLICT"],
    ["GET", "/api/tasks?limit=1000", undefined, 400, "INVALID_REQUEST"],
    ["GET", "/api/tasks?stauts=failed", undefined, 400, "INVALID_REQUEST"],
    ["GET", "/api/tasks?sort=id;drop", undefined, 400, "INVALID_REQUEST"],
    ["GET", "/api/summary?budget=none", undefined, 400, "INVALID_OPTION"],
    ["GET", "/api/summary?budget=6s", undefined, 400, "INVALID_OPTION"],
    ["GET", "/api/tasks?budget=none", undefined, 400, "INVALID_OPTION"],
    ["GET", "/api/tasks?budget=6s", undefined, 400, "INVALID_OPTION"],
    [
      "GET",
      "/api/history?from=2026-11-02T00:00:00Z&to=2026-11-01T00:00:00Z&bucket=day",
      undefined,
      400,
      "INVALID_OPTION",
    ],
    ["GET", "/api/tasks?status=done", undefined, 400, "INVALID_OPTION"],
    ["GET", "/api/tasks?cursor=abc", undefined, 400, "INVALID_CURSOR"],
    ["GET", "/api/tasks/__proto__", undefined, 404, "TASK_NOT_FOUND"],
    ["GET", "/api/nothing", undefined, 404, "NOT_FOUND"],
  ])("%s %s %j is refused with %i %s", async (method, path, body, status, code) => {
    const answer = body === undefined ? await ask(path) : await change(method, path, body);
    const told = (await answer.json()) as any;
    expect({ status: answer.status, code: told.code }).toEqual({ status, code });
    expect(told.message.length).toBeGreaterThan(10);
    expect(JSON.stringify(told)).not.toMatch(/node_modules|\.ts:|SELECT/);
  });

  test.each<[string, string, string]>([
    ["limit=many", 'query.limit is "many"; expected a number.', "query.limit"],
    ["limit=1000", 'query.limit is "1000"; expected a number of at most 200.', "query.limit"],
    ["limit=1.5", 'query.limit is "1.5"; expected an integer.', "query.limit"],
    ["order=up", 'query.order is "up"; expected asc or desc.', "query.order"],
    ["definitions=yes", 'query.definitions is "yes"; expected true or false.', "query.definitions"],
    [
      "from=monday",
      'query.from is "monday"; expected an instant such as 2026-11-23T09:30:00Z, with Z or an offset.',
      "query.from",
    ],
    ["stauts=failed", 'query.stauts: there is no such parameter. Did you mean "status"?', "query.stauts"],
  ])("%s is told with what was met and what was expected", async (query, message, place) => {
    const told = await get(`/api/tasks?${query}`);
    expect(told).toEqual({ code: "INVALID_REQUEST", message, details: { places: [place] } });
  });

  test.each(["errors", "stats", "workers", "tasks/nope", "tasks/nope/explain", "session"])(
    "a parameter of %s, which takes none",
    async (path) => {
      const message = "query.limit: there is no such parameter.";
      const told = await get(`/api/${path}?limit=5`);
      expect(told).toEqual({ code: "INVALID_REQUEST", message, details: { places: ["query.limit"] } });
    },
  );

  test("what a list by comma names and cannot be", async () => {
    const told = await get("/api/audit?action=cancel,nope");
    expect(told.message).toMatch(/^query\.action\.1 is "nope"; expected cancel or retry or /);
  });

  test("a key of a body that is not known, and one that is missing", async () => {
    const told = (await (await change("POST", "/api/tasks", { colour: "red" })).json()) as any;
    expect(told.message).toBe(
      'body.type is missing; expected a text. body.payload is missing; expected a value. body has "colour", which it does not take.',
    );
  });

  test("a page of a budget", async () => {
    const told = await get("/api/tasks?budget=500ms&limit=1");
    expect(told).toMatchObject({ complete: true, tasks: [{ id: expect.any(String) }] });
  });

  test("a body that is no JSON, or too large", async () => {
    const broken = await ask("/api/tasks", { method: "POST", body: "{", headers: json });
    expect([broken.status, ((await broken.json()) as any).code]).toEqual([400, "NOT_JSON"]);
    const body = JSON.stringify({ type: "send-receipt", payload: "x".repeat(1_100_000) });
    expect(await statusOf({ method: "POST", path: "/api/tasks", headers: json }, body)).toBe(413);
  });
});

describe("who may call", () => {
  test("without the token only /healthz answers, and it tells nothing", async () => {
    for (const { method, path } of routes) {
      const address = `${base()}/api/${path.replace(":id", "order-1")}`;
      const answer = await fetch(address, { method, ...(method !== "GET" && { body: "{}", headers: json }) });
      expect([path, answer.status]).toEqual([path, 401]);
    }
    for (const path of ["/api/events", "/api/openapi.json"])
      expect((await fetch(base() + path)).status).toBe(401);
    expect(await (await fetch(`${base()}/healthz`)).json()).toEqual({ ok: true });
  });

  test("a wrong token is refused, and after many all are for a while", async () => {
    const own = await listen(dure, { port: 0, token });
    const tryIt = (given: string) =>
      fetch(`http://127.0.0.1:${own.port}/api/stats`, { headers: { authorization: `Bearer ${given}` } });
    expect((await tryIt("")).status, "none at all").toBe(401);
    for (let n = 0; n < 20; n++) expect((await tryIt(`wrong-${n}`)).status).toBe(401);
    expect((await tryIt(token)).status).toBe(429);
    await own.close();
  });

  test("the address with the token gives a cookie that is enough, and is not in the address any more", async () => {
    const login = await fetch(server.url, { redirect: "manual" });
    expect(login.status).toBe(303);
    expect(login.headers.get("location")).toBe("/");
    const cookie = login.headers.get("set-cookie")!;
    expect(cookie).toMatch(/HttpOnly; SameSite=Strict/);
    expect(cookie).not.toContain(token);
    const headers = { cookie: cookie.split(";")[0]! };
    expect((await fetch(`${base()}/api/stats`, { headers })).status).toBe(200);
    expect((await fetch(`${base()}/api/stats`, { headers: { cookie: "dure_session=guess" } })).status).toBe(
      401,
    );
  });

  test.each([
    [{ "sec-fetch-site": "cross-site" }, 403],
    [{ "sec-fetch-site": "same-site" }, 403],
    [{ origin: "http://evil.example" }, 403],
    [{ origin: "null" }, 403],
    [{ "content-type": "text/plain" }, 415],
    [{ "content-type": "application/x-www-form-urlencoded" }, 415],
    [{ "sec-fetch-site": "same-origin" }, 404],
  ])("a change with %j is answered %i", async (headers, status) => {
    expect((await change("POST", "/api/tasks/nobody/retry", {}, headers)).status).toBe(status);
  });

  test.each(["evil.example", "127.0.0.1.evil.example", "localhost.", "[::ffff:7f00:1]"])(
    "a request for the host %s is refused before anything else",
    async (host) => {
      expect(await statusOf({ path: "/api/stats", headers: { host } })).toBe(421);
    },
  );

  test("each role may do what its routes say, and no more", async () => {
    const ranks: Role[] = ["viewer", "operator", "admin"];
    for (const role of ranks) {
      const handler = createHttpHandler(dure, { authorize: () => role });
      for (const route of routes) {
        const body = route.method === "GET" ? undefined : "{}";
        const path = `http://localhost/api/${route.path.replace(":id", "nobody")}`;
        const { status } = await handler(
          new Request(path, { method: route.method, ...(body && { body, headers: json }) }),
        );
        const may = ranks.indexOf(role) >= ranks.indexOf(route.role);
        expect([role, route.method, route.path, status === 403]).toEqual([
          role,
          route.method,
          route.path,
          !may,
        ]);
      }
    }
  });

  test("a mounted handler without authorize is refused when it is made", () => {
    expect(() => createHttpHandler(dure, {} as never)).toThrow(
      expect.objectContaining({ code: "INVALID_OPTION" }),
    );
  });

  test("no answer may be kept, framed, guessed at or read by another origin", async () => {
    for (const path of ["/api/stats", "/healthz", "/api/nothing", "/"]) {
      const { headers } = await ask(path);
      expect(headers.get("content-security-policy")).toContain("default-src 'none'");
      expect(headers.get("x-content-type-options")).toBe("nosniff");
      expect(headers.get("x-frame-options")).toBe("DENY");
      expect(headers.get("access-control-allow-origin")).toBeNull();
    }
    expect((await ask("/api/stats")).headers.get("cache-control")).toBe("no-store");
  });
});

test("live hints come when something changes, and only then", async () => {
  const stop = new AbortController();
  const stream = await ask("/api/events", { signal: stop.signal });
  expect(stream.headers.get("content-type")).toBe("text/event-stream");
  const reader = stream.body!.getReader();
  const read = async () => new TextDecoder().decode((await reader.read()).value);
  expect(await read()).toContain("retry:");
  const told = read();
  await dure.enqueueTask("send-receipt", { order: 1 }, { delay: "1h" });
  expect(await told).toMatch(/event: changed/);
  stop.abort();
});

test("it mounts below a path of a plain node:http server", async () => {
  const handler = createHttpHandler(dure, { basePath: "/ops/dure", authorize: () => "viewer" });
  const plain = createServer(getRequestListener(handler));
  await new Promise<void>((resolve) => plain.listen(0, "127.0.0.1", resolve));
  const { port } = plain.address() as { port: number };
  const answer = await fetch(`http://127.0.0.1:${port}/ops/dure/api/tasks?limit=1`);
  expect(answer.status).toBe(200);
  expect((await fetch(`http://127.0.0.1:${port}/api/tasks`)).status).toBe(404);
  plain.close();
  plain.closeAllConnections();
});

test("the description of the API is OpenAPI 3.1, and names every route with its parameters", async () => {
  const described = await get("/api/openapi.json");
  const { openapi, paths } = described;
  const validator = "@seriousme/openapi-schema-validator";
  const { Validator } = await import(validator);
  expect(await new Validator().validate(described)).toEqual({ valid: true });
  const operations = Object.values(paths).flatMap((path) => Object.values(path as object)) as any[];
  expect(new Set(operations.map(({ operationId }) => operationId)).size).toBe(operations.length);
  for (const path of ["/api/events", "/api/tasks/watch", "/healthz", "/readyz"])
    expect(paths).toHaveProperty([path]);
  expect(openapi).toBe("3.1.0");
  for (const { method, path, query } of routes) {
    const operation = paths[`/api/${path.replace(/:(\w+)/g, "{$1}")}`][method.toLowerCase()];
    expect(operation.summary.length).toBeGreaterThan(10);
    const names = operation.parameters.map(({ name }: any) => name);
    for (const [, name] of path.matchAll(/:(\w+)/g)) expect(names).toContain(name);
    if (query) expect(names.length).toBeGreaterThan(0);
  }
});
