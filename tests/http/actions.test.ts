/** Actions on a whole search over HTTP: how many first, then a task; who may, and what the audit says. */
import { afterEach, beforeEach, expect, test } from "vitest";
import { createDure, type Dure } from "../../server/dure.ts";
import { type AuditEntry, createHttpHandler, type HttpHandler, type Role } from "../../server/http.ts";

const silent = { info: () => undefined, warn: () => undefined, error: () => undefined };
let dure: Dure;
let handler: HttpHandler;
const audited: AuditEntry[] = [];

beforeEach(async () => {
  audited.length = 0;
  dure = createDure({ database: ":memory:", logger: silent });
  dure.defineTask("send-receipt", async ({ payload }) => {
    if (payload.order % 2 === 0) throw new Error("connect ETIMEDOUT");
  });
  await dure.start();
  for (let order = 1; order <= 6; order++) await dure.enqueueTask("send-receipt", { order });
  await expect.poll(() => dure.countTasks({ status: ["COMPLETED", "FAILED"] })).toBe(6);
  handler = createHttpHandler(dure, {
    authorize: (request) => (request.headers.get("x-role") ?? "operator") as Role,
    onAudit: (entry) => audited.push(entry),
  });
});
afterEach(() => dure.close());

async function ask(method: string, path: string, body?: unknown, role: Role = "operator") {
  const request = new Request(`http://127.0.0.1${path}`, {
    method,
    headers: { "x-role": role, "content-type": "application/json" },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  const response = await handler(request);
  return { status: response.status, body: (await response.json()) as any };
}

test("a dry run counts and shows some, and changes nothing", async () => {
  const { status, body } = await ask("POST", "/api/actions", {
    q: "error:etimedout",
    action: "retry",
    dryRun: true,
  });
  expect(status).toBe(200);
  expect(body).toMatchObject({ count: 3, sample: [{ status: "FAILED" }, {}, {}] });
  expect(await dure.countTasks({})).toBe(6);
  const none = await ask("POST", "/api/actions", { status: "failed", action: "cancel", dryRun: true });
  expect(none.body).toMatchObject({ count: 0, hint: expect.stringContaining("3 tasks fit") });
});

test("starts a task, which is asked for its progress and its result", async () => {
  const asked = {
    q: "error:etimedout",
    status: "failed",
    type: ["send-receipt"],
    action: "retry",
    rate: 1_000,
  };
  const started = await ask("POST", "/api/actions", asked);
  expect(started.status).toBe(202);
  const { id } = started.body.task;
  await dure.waitForTask(id, { timeout: "10s" });
  const { body } = await ask("GET", `/api/actions/${id}`);
  expect(body.task).toMatchObject({
    status: "COMPLETED",
    payload: { action: "retry", by: "operator", rate: 1_000 },
    result: { matched: 3, changed: 3, skipped: 0 },
  });
  expect(audited).toMatchObject([
    {
      role: "operator",
      path: "/api/actions",
      status: 202,
      details: { action: "retry", q: "error:etimedout", task: id },
    },
  ]);
  const order = (await dure.searchTasks({ type: "send-receipt", limit: 1, definitions: false }))[0]!;
  expect(await ask("GET", `/api/actions/${order.id}`)).toMatchObject({
    status: 404,
    body: { code: "TASK_NOT_FOUND" },
  });
});

test("edits what waits, and is cancelled as any task", async () => {
  await dure.stop();
  await dure.enqueueTask("send-receipt", { order: 7 });
  const body = { action: "edit", q: "type:*", edit: { priority: 9 } };
  const { id } = (await ask("POST", "/api/actions", body)).body.task;
  expect(await ask("POST", `/api/tasks/${id}/cancel`, {})).toMatchObject({ status: 200 });
  await dure.start();
  expect((await dure.waitForTask(id)).status).toBe("CANCELLED");
  expect(await dure.countTasks({ priority: 9 })).toBe(0);
});

test("deleting is the admin's, also by a task that somebody else started", async () => {
  const body = { action: "delete", status: "completed" };
  expect(await ask("POST", "/api/actions", body)).toMatchObject({ status: 403, body: { code: "FORBIDDEN" } });
  expect(await ask("POST", "/api/actions", { ...body, dryRun: true })).toMatchObject({ status: 403 });
  expect(await ask("POST", "/api/actions", body, "viewer")).toMatchObject({ status: 403 });
  expect(await dure.countTasks({ status: "COMPLETED" })).toBe(3);
  await dure.stop();
  const { id } = (await ask("POST", "/api/actions", body, "admin")).body.task;
  await ask("POST", `/api/tasks/${id}/cancel`, {});
  expect(await ask("POST", `/api/tasks/${id}/retry`, {})).toMatchObject({ status: 403 });
  expect(await ask("POST", `/api/tasks/${id}/run-again`, {})).toMatchObject({ status: 400 });
  const again = { type: "dure.act-on-tasks", payload: { action: "delete", query: "", before: new Date() } };
  expect(await ask("POST", "/api/tasks", again)).toMatchObject({
    status: 400,
    body: { code: "INVALID_OPTION" },
  });
  expect(await ask("POST", `/api/tasks/${id}/retry`, {}, "admin")).toMatchObject({ status: 200 });
  await dure.start();
  expect((await dure.waitForTask(id)).result).toMatchObject({ changed: 3 });
  expect(audited.map(({ role, status }) => `${role} ${status}`)).toEqual([
    ...["operator 403", "operator 403", "admin 202", "operator 200", "operator 403"],
    ...["operator 400", "operator 400", "admin 200"],
  ]);
});

test("what cannot be asked is refused", async () => {
  const code = async (body: unknown) => (await ask("POST", "/api/actions", body)).body.code;
  expect(await code({ action: "explode" })).toBe("INVALID_REQUEST");
  expect(await code({ action: "retry", every: true })).toBe("INVALID_REQUEST");
  expect(await code({ action: "retry", rate: 0 })).toBe("INVALID_REQUEST");
  expect(await code({ action: "edit", q: "type:*" })).toBe("INVALID_OPTION");
  for (const edit of [{ priority: 5_000 }, {}]) {
    expect(await code({ action: "edit", q: "type:*", edit })).toBe("INVALID_OPTION");
    expect(await code({ action: "edit", q: "type:*", edit, dryRun: true })).toBe("INVALID_OPTION");
  }
  for (const [q, dryRun] of [undefined, " "].flatMap((given) => [false, true].map((dry) => [given, dry]))) {
    const { body } = await ask("POST", "/api/actions", { action: "cancel", q, dryRun });
    expect(body).toMatchObject({ code: "INVALID_OPTION", message: expect.stringContaining("type:*") });
  }
  expect(await code({ action: "retry", q: "" })).toBe("INVALID_OPTION");
  expect(await code({ action: "retry", q: "statsu:x" })).toBe("INVALID_QUERY");
});
