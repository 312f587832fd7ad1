/** Pauses over HTTP: who may, what is answered, and what the audit says. */
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
  dure.defineTask("mail/receipt", async () => undefined);
  handler = createHttpHandler(dure, {
    authorize: (request) => (request.headers.get("x-role") ?? "operator") as Role,
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

const receipts = "pauses/type/mail%2Freceipt";

test("a type and a queue are paused, listed and resumed", async () => {
  const paused = await ask("PUT", receipts, { reason: "no mail server" });
  expect(paused).toEqual({
    status: 200,
    body: { pause: { type: "mail/receipt", pausedAt: expect.any(String), reason: "no mail server" } },
  });
  const queue = (await ask("PUT", "pauses/queue/reports", {})).body.pause;
  expect(queue).toEqual({ queue: "reports", pausedAt: expect.any(String) });
  expect((await ask("GET", "pauses", undefined, "viewer")).body).toEqual({
    pauses: [paused.body.pause, queue],
  });
  expect((await ask("DELETE", receipts)).body).toEqual({ resumed: true });
  expect((await ask("DELETE", receipts)).body).toEqual({ resumed: false });
  expect((await ask("GET", "pauses")).body).toEqual({ pauses: [queue] });
});

test("a task that waits since its type is paused needs no attention; the oldest of the others does", async () => {
  const own = createDure({ database: ":memory:", logger: silent, worker: { queues: ["reports"] } });
  own.defineTask("mail/receipt", async () => undefined);
  own.defineTask("nightly-report", async () => undefined);
  await own.start();
  await own.pause({ type: "mail/receipt" });
  const ago = (minutes: number) => ({ runAt: new Date(Date.now() - minutes * 60_000) });
  await own.enqueueTask("mail/receipt", {}, ago(60));
  await own.enqueueTask("nightly-report", {}, ago(5));
  const asked = new Request("http://127.0.0.1/api/attention");
  const answer = await createHttpHandler(own, { authorize: () => "viewer" })(asked);
  const { attention: found } = (await answer.json()) as any;
  expect(found).toEqual([
    {
      kind: "oldest-due",
      ms: expect.any(Number),
      query: 'status:pending due:<+0s -type:"mail/receipt" sort:+due',
    },
  ]);
  expect(found[0].ms).toBeLessThan(30 * 60_000);
  await own.close();
});

test("a viewer sees them and changes none", async () => {
  expect((await ask("PUT", receipts, {}, "viewer")).status).toBe(403);
  await ask("PUT", receipts, {});
  expect((await ask("DELETE", receipts, undefined, "viewer")).status).toBe(403);
  expect(await dure.listPauses()).toHaveLength(1);
});

test.each([
  ["pauses/type/mial%2Freceipt", {}, 404, "TASK_NOT_DEFINED"],
  ["pauses/type/a%20b", {}, 400, "INVALID_OPTION"],
  ["pauses/worker/one", {}, 404, "NOT_FOUND"],
  [receipts, { why: "no mail" }, 400, "INVALID_REQUEST"],
  [receipts, { reason: "x".repeat(1_001) }, 400, "INVALID_REQUEST"],
])("PUT %s %j is refused", async (path, body, status, code) => {
  expect(await ask("PUT", path, body)).toMatchObject({ status, body: { code } });
  expect(await dure.listPauses()).toEqual([]);
});

test("the audit says who paused what, and why", async () => {
  await ask("PUT", receipts, { reason: "no mail server" });
  await ask("DELETE", receipts);
  expect(
    audited.map(({ role, method, path, status, details }) => ({ role, method, path, status, details })),
  ).toEqual([
    {
      ...{ role: "operator", method: "PUT", path: `/api/${receipts}`, status: 200 },
      details: { reason: "no mail server" },
    },
    { role: "operator", method: "DELETE", path: `/api/${receipts}`, status: 200, details: undefined },
  ]);
});
