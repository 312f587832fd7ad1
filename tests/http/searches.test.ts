/** Saved searches over HTTP: who may, what is answered, what the audit says, and which values are shown. */
import { afterEach, beforeEach, expect, test } from "vitest";
import { createDure, type Dure } from "../../server/dure.ts";
import { type AuditEntry, createHttpHandler, type HttpHandler, type Role } from "../../server/http.ts";

const silent = { info: () => undefined, warn: () => undefined, error: () => undefined };
let dure: Dure;
let handler: HttpHandler;
let payloads: boolean;
const audited: AuditEntry[] = [];

beforeEach(async () => {
  audited.length = 0;
  payloads = true;
  dure = createDure({ database: ":memory:", logger: silent });
  dure.defineTask("page", async () => undefined);
  for (const order of [1, 2, 3]) await dure.enqueueTask("page", { order });
  handler = createHttpHandler(dure, {
    authorize: (request) => ({ role: (request.headers.get("x-role") ?? "operator") as Role, payloads }),
    onAudit: (entry) => audited.push(entry),
  });
});
afterEach(() => dure.close());

async function ask(method: string, path: string, body?: unknown, role: Role = "operator") {
  const request = new Request(`http://127.0.0.1/api/${path}`, {
    method,
    headers: { "x-role": role, "content-type": "application/json" },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  const response = await handler(request);
  return { status: response.status, body: (await response.json()) as any };
}

test("a search is saved, listed, used and deleted", async () => {
  const alert = { over: 2, for: "5m", enqueue: { type: "page", payload: { team: "mail" } } };
  const saved = await ask("PUT", "searches/late", { query: "payload.order:>1", description: "Late", alert });
  expect(saved.status).toBe(200);
  expect(saved.body.search).toEqual({
    ...{ name: "late", query: "payload.order:>1", description: "Late", alert },
    ...{ createdAt: expect.stringMatching(/Z$/), updatedAt: expect.stringMatching(/Z$/) },
  });
  expect((await ask("GET", "searches", undefined, "viewer")).body).toEqual({ searches: [saved.body.search] });
  expect((await ask("GET", "tasks?q=%40late")).body.tasks).toHaveLength(2);
  const changed = await ask("PUT", "searches/late", { query: "payload.order:>2", alert: null });
  expect(changed.body.search).toMatchObject({ query: "payload.order:>2", description: "Late" });
  expect(changed.body.search).not.toHaveProperty("alert");
  expect((await ask("DELETE", "searches/late")).body).toEqual({ deleted: "late" });
  expect((await ask("GET", "searches")).body).toEqual({ searches: [] });
});

test("every name that may be given has an address", async () => {
  for (const name of ["팀/a.b:c-d_e", "a", "...a"]) {
    const path = `searches/${encodeURIComponent(name)}`;
    expect((await ask("PUT", path, { query: "type:*" })).body.search).toMatchObject({ name });
    expect((await ask("DELETE", path)).body).toEqual({ deleted: name });
  }
  expect((await ask("PUT", "searches/a%20b", { query: "type:*" })).body.code).toBe("INVALID_ID");
});

test("a viewer reads, and changes nothing", async () => {
  await dure.saveSearch("late", { query: "status:pending" });
  expect((await ask("PUT", "searches/late", { query: "type:*" }, "viewer")).status).toBe(403);
  expect((await ask("DELETE", "searches/late", undefined, "viewer")).status).toBe(403);
  expect((await ask("GET", "searches", undefined, "viewer")).status).toBe(200);
  expect(await dure.listSearches()).toMatchObject([{ name: "late", query: "status:pending" }]);
});

test("each change is in the audit, with the query and what an alert enqueues", async () => {
  const alert = { over: 2, enqueue: { type: "page" } };
  await ask("PUT", "searches/late", { query: "status:pending", alert });
  await ask("PUT", "searches/late", { query: "statsu:pending" });
  await ask("DELETE", "searches/late");
  await ask("GET", "searches");
  expect(audited.map(({ method, path, status, details }) => [method, path, status, details])).toEqual([
    ["PUT", "/api/searches/late", 200, { query: "status:pending", enqueue: "page" }],
    ["PUT", "/api/searches/late", 400, { query: "statsu:pending" }],
    ["DELETE", "/api/searches/late", 200, undefined],
  ]);
});

test.each<[string, unknown, number, string]>([
  ["a query with an error", { query: "statsu:failed" }, 400, "INVALID_QUERY"],
  ["a query with an unknown search", { query: "@nobody" }, 400, "INVALID_QUERY"],
  [
    "an alert without a bound",
    { query: "type:*", alert: { enqueue: { type: "page" } } },
    400,
    "INVALID_OPTION",
  ],
  [
    "an alert of an unknown type",
    { query: "type:*", alert: { over: 1, enqueue: { type: "x" } } },
    404,
    "TASK_NOT_DEFINED",
  ],
  ["something unknown", { query: "type:*", color: "red" }, 400, "INVALID_REQUEST"],
])("%s is refused", async (_what, body, status, code) => {
  expect(await ask("PUT", "searches/late", body)).toMatchObject({ status, body: { code } });
});

test("a deleted search is not there to delete", async () => {
  await dure.saveSearch("late", { query: "type:*" });
  expect(await ask("DELETE", "searches/laet")).toMatchObject({
    ...{ status: 404, body: { code: "SEARCH_NOT_FOUND", message: expect.stringContaining('"late"') } },
  });
});

test("secrets of an alert's payload are not shown", async () => {
  const payload = { team: "mail", apiKey: "hunter2" };
  await dure.saveSearch("late", { query: "type:*", alert: { over: 1, enqueue: { type: "page", payload } } });
  const { body } = await ask("GET", "searches");
  expect(body.searches[0].alert.enqueue.payload).toEqual({ team: "mail", apiKey: "[redacted]" });
});

test("a rule that is saved as it was shown keeps its secrets, which no other type is given", async () => {
  dure.defineTask("echo", async ({ payload }) => payload);
  const payload = { team: "mail", apiKey: "hunter2" };
  await dure.saveSearch("late", {
    query: "type:*",
    alert: { over: 1, enqueue: { type: "page", payload }, recovered: { type: "page", payload } },
  });
  const { alert } = (await ask("GET", "searches")).body.searches[0];
  alert.over = 7;
  alert.enqueue.payload.team = "phone";
  expect((await ask("PUT", "searches/late", { query: "type:*", alert })).status).toBe(200);
  expect((await dure.listSearches())[0]?.alert).toEqual({
    over: 7,
    enqueue: { type: "page", payload: { ...payload, team: "phone" } },
    recovered: { type: "page", payload },
  });
  alert.recovered.type = "echo";
  expect(await ask("PUT", "searches/late", { query: "type:*", alert })).toMatchObject({
    status: 422,
    body: {
      code: "INVALID_PAYLOAD",
      message: expect.stringMatching(/^alert\.recovered\.payload\.apiKey is hid/),
    },
  });
  expect((await dure.listSearches())[0]?.alert?.recovered?.type).toBe("page");
});

test("who may not see payloads changes a rule without losing the one it has", async () => {
  payloads = false;
  const payload = { team: "mail" };
  await dure.saveSearch("late", { query: "type:*", alert: { over: 1, enqueue: { type: "page", payload } } });
  const { alert } = (await ask("GET", "searches")).body.searches[0];
  expect(alert).toEqual({ over: 1, enqueue: { type: "page" } });
  await ask("PUT", "searches/late", { query: "type:*", alert: { ...alert, over: 7 } });
  expect((await dure.listSearches())[0]?.alert).toEqual({ over: 7, enqueue: { type: "page", payload } });
  await ask("PUT", "searches/late", {
    query: "type:*",
    alert: { ...alert, enqueue: { type: "page", payload: {} } },
  });
  expect((await dure.listSearches())[0]?.alert?.enqueue).toEqual({ type: "page", payload: {} });
});

test("a list of no names is refused: of a variable that is not set nothing would be found", async () => {
  for (const parameter of ["status=", "type=", "queue=,"]) {
    for (const path of ["tasks", "tasks/count", "summary"]) {
      const { status, body } = await ask("GET", `${path}?${parameter}`);
      expect({ status, code: body.code }).toEqual({ status: 400, code: "INVALID_REQUEST" });
      expect(body.message).toContain("it names none; leave it out, or name one.");
    }
  }
});

test("a parameter that is given twice is refused, and not half of it answered", async () => {
  const twice = { status: 400, body: { code: "INVALID_REQUEST" } };
  expect(await ask("GET", "tasks?q=payload.order:1&q=payload.order:2")).toMatchObject(twice);
  expect(await ask("GET", "tasks/watch?q=a&q=b")).toMatchObject(twice);
});

test("places in payloads are offered to those who may see them", async () => {
  const textsOf = async () => {
    const { items } = (await ask("GET", "query/complete?text=payload.o&position=9")).body;
    return items.map(({ text }: { text: string }) => text);
  };
  expect(await textsOf()).toEqual(["payload.order:"]);
  payloads = false;
  expect(await textsOf()).toEqual([]);
});
