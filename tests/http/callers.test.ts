/** Callers that `authorize` says more of: those who see no payloads, and each with a rate of their own. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { createDure, type Dure } from "../../server/dure.ts";
import { routes } from "../../server/http/app.ts";
import { EnqueueLimit } from "../../server/http/enqueue-limit.ts";
import type { HttpError } from "../../server/http/errors.ts";
import { type AuditEntry, type Caller, createHttpHandler, type HttpHandler } from "../../server/http.ts";

const silent = { info: () => undefined, warn: () => undefined, error: () => undefined };
const json = { "content-type": "application/json" };
const canary = "canary-5e1d";
const audited: AuditEntry[] = [];
let dure: Dure;
let handler: HttpHandler;
let caller: Caller;

beforeAll(async () => {
  dure = createDure({ database: ":memory:", logger: silent });
  dure.defineTask(
    "send-receipt",
    async ({ payload }, { log, progress }) => {
      log.info(`sending ${canary}`, { canary });
      progress(1, 2, canary);
      if (payload.fails) throw new Error(`no mailbox ${canary}`, { cause: new Error(canary) });
      return { canary };
    },
    { attributes: { order: () => canary } },
  );
  await dure.start();
  for (const id of ["sent", "failed"]) {
    const payload = { [canary]: canary, fails: id === "failed" };
    await dure.enqueueTask("send-receipt", payload, { id, idempotencyKey: `${id} ${canary}` });
    await dure.waitForTask(id).catch(() => undefined);
  }
  await dure.stop();
  const enqueue = { type: "send-receipt", payload: { canary } };
  await dure.saveSearch("many", { query: "status:failed", alert: { over: 9, enqueue, recovered: enqueue } });
  handler = createHttpHandler(dure, {
    authorize: () => caller,
    enqueuesPerMinute: 100,
    onAudit: (entry) => audited.push(entry),
  });
});

afterAll(() => dure.close());

function ask(method: string, path: string, body?: unknown): Promise<Response> {
  const init = { method, ...(method !== "GET" && { headers: json, body: JSON.stringify(body ?? {}) }) };
  return handler(new Request(`http://localhost/api/${path}`, init));
}
const get = async (path: string) => (await (await ask("GET", path)).json()) as any;

test("who sees no payloads is shown none, nor results, attributes, errors and logs, by any route", async () => {
  caller = { role: "viewer", payloads: false };
  const parts: Record<string, string> = { ":kind": "type", ":name": "send-receipt" };
  for (const { method, path } of routes) {
    if (method !== "GET") continue;
    for (const id of ["sent", "failed"]) {
      const asked = path.replace(/:\w+/g, (part) => parts[part] ?? id);
      expect([
        path,
        await (await ask("GET", `${asked}?attributes=true&text=status:&position=7`)).text(),
      ]).not.toEqual([path, expect.stringContaining(canary)]);
    }
  }
  expect(await get("session")).toMatchObject({ role: "viewer", seesPayloads: false });
  const { task, attempts } = await get("tasks/failed");
  expect(task).toMatchObject({ status: "FAILED", error: "[hidden]" });
  expect(attempts[0]).toMatchObject({ error: { name: "Error", message: "[hidden]" }, logs: [] });
  expect((await get("tasks/failed/explain")).reasons[0].message).toContain("[hidden]");
});

test.each([
  `tasks?q=${canary}`,
  `tasks?q=error:${canary}`,
  `tasks?q=${encodeURIComponent(`status:failed OR NOT payload.${canary}:1`)}`,
  "tasks/count?q=has:result",
  `tasks/explain?q=order:${canary}`,
  "summary?by=attribute.order",
  `summary?q=payload.${canary}:*`,
  `tasks/watch?q=order:${canary}`,
  "errors",
])("nor told of them by a question: %s", async (path) => {
  caller = { role: "viewer", payloads: false };
  const refused = await ask("GET", path);
  expect([refused.status, ((await refused.json()) as any).code]).toEqual([403, "FORBIDDEN"]);
  caller = { role: "viewer" };
  const answered = await ask("GET", path);
  expect(answered.status).toBe(200);
  await answered.body?.cancel();
});

test("other questions are answered, and changes made", async () => {
  caller = { role: "operator", payloads: false };
  expect((await get("tasks?q=status:failed+type:send*")).tasks.map(({ id }: any) => id)).toEqual(["failed"]);
  expect((await get("query/complete?text=order:&position=6")).items).toEqual([]);
  const again = (await (await ask("POST", "tasks/sent/run-again", { delay: "1h" })).json()) as any;
  await dure.startAction({ query: `error:${canary}` }, "retry");
  await dure.actOnTasks({ query: `error:${canary} id:none` }, "retry");
  expect(JSON.stringify(await get("audit"))).not.toContain(canary);
  expect((await get("audit")).records).toHaveLength(5);
  expect(again.task.payload).toBeUndefined();
  expect((await dure.getTaskById(again.task.id))?.payload).toEqual({ [canary]: canary, fails: false });
});

test("who enqueues too much waits, and nobody else does", async () => {
  caller = { role: "operator", name: "anna" };
  const tasks = (count: number) =>
    Array.from({ length: count }, () => ({ type: "send-receipt", payload: {}, delay: "1h" }));
  expect((await ask("POST", "tasks/batch", { tasks: tasks(99) })).status).toBe(200);
  expect((await ask("POST", "tasks", tasks(1)[0])).status).toBe(200);
  const before = await dure.countTasks({ definitions: false });
  const refused = await ask("POST", "tasks/batch", { tasks: tasks(10) });
  expect(refused.status).toBe(429);
  expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(0);
  expect(await refused.json()).toMatchObject({
    code: "TOO_MANY_TASKS",
    details: { retryAfterMs: expect.any(Number) },
  });
  expect(await dure.countTasks({ definitions: false })).toBe(before);
  expect((await ask("POST", "tasks/sent/cancel")).status, "what enqueues nothing is answered").toBe(409);
  caller = { role: "operator", name: "ben" };
  expect((await ask("POST", "tasks", tasks(1)[0])).status).toBe(200);
  expect(audited.at(-1)).toMatchObject({ name: "ben", role: "operator", status: 200 });
});

test("a rate comes back as time passes, and is kept of those heard of last", () => {
  let now = 0;
  const limit = new EnqueueLimit(60, () => now);
  const refusalOf = (tasks: number): HttpError | undefined => {
    try {
      limit.take("anna", tasks);
      return undefined;
    } catch (error) {
      return error as HttpError;
    }
  };
  expect(refusalOf(60)).toBeUndefined();
  expect(refusalOf(2)?.details.retryAfterMs).toBe(2_000);
  now = 2_000;
  expect(refusalOf(2)).toBeUndefined();
  expect(refusalOf(1)).toBeDefined();
  expect(refusalOf(61)?.message).toContain("fewer at once");
  for (let n = 0; n < 10_000; n++) limit.take(`caller ${n}`, 1);
  expect(refusalOf(60)).toBeUndefined();
});

test("what is redacted is not spelt by questions either", async () => {
  caller = { role: "admin" };
  dure.defineTask("charge-card", async () => undefined, { attributes: { apiKey: ({ apiKey }) => apiKey } });
  await dure.enqueueTask(
    "charge-card",
    { user: { password: canary }, apiKey: canary },
    { id: "card", delay: "1h" },
  );
  await dure.saveSearch("guess", { query: "payload.user.password:c*" });
  const whole = `apiKey:"${canary}"`;
  const guesses = [
    ...["payload.user.password:c*", `payload.user.password:"${canary}"`, "NOT payload.user.password:c*"],
    ...["(status:failed OR payload.user.password:>b)", "@guess", "apiKey:c*", "apiKey:>b"],
  ];
  const paths = ["tasks", "tasks/count", "tasks/explain", "summary", "tasks/watch"];
  for (const query of guesses)
    for (const path of paths) {
      const { status } = await ask("GET", `${path}?q=${encodeURIComponent(query)}`);
      expect([path, query, status]).toEqual([path, query, 403]);
    }
  for (const query of guesses)
    expect((await ask("POST", "actions", { action: "cancel", q: query, dryRun: true })).status).toBe(403);
  expect((await get(`tasks?q=${encodeURIComponent(whole)}`)).tasks).toHaveLength(1);
  const headers = new Map([["Cookie", canary]]);
  await dure.enqueueTask("charge-card", { headers, place: "Seoul" }, { id: "headers", delay: "1h" });
  for (const [query, found] of [
    ["seoul", ["headers"]],
    ["cookie", ["headers"]],
    ["type:charge-card canary", []],
    ["payload.headers:c*", []],
    ["payload.headers:C*", ["headers"]],
    [`payload.headers.0.1:"${canary}"`, []],
  ] as const)
    expect([
      query,
      (await get(`tasks?q=${encodeURIComponent(query)}`)).tasks.map(({ id }: any) => id),
    ]).toEqual([query, found]);
  expect((await get("tasks?q=payload.order:1")).tasks).toEqual([]);
  const open = createHttpHandler(dure, { authorize: () => "viewer", redact: false });
  const answer = await open(new Request("http://localhost/api/tasks?q=payload.user.password:c*"));
  expect(((await answer.json()) as any).tasks).toHaveLength(1);
});

test("a page of large payloads is shorter than asked for, and the next goes on", async () => {
  caller = { role: "viewer" };
  for (let n = 0; n < 6; n++)
    await dure.enqueueTask(
      "charge-card",
      { large: "x".repeat(1_000_000) },
      { id: `large-${n}`, delay: "1h" },
    );
  const ids: string[] = [];
  const sizes: number[] = [];
  for (let cursor = ""; sizes.length < 5; ) {
    const page = await get(`tasks?q=id:large-*&limit=200${cursor}`);
    sizes.push(page.tasks.length);
    ids.push(...page.tasks.map(({ id }: any) => id));
    if (!page.nextCursor) break;
    cursor = `&cursor=${page.nextCursor}`;
  }
  expect([sizes, ids]).toEqual([[4, 2], [5, 4, 3, 2, 1, 0].map((n) => `large-${n}`)]);
});

test("whom authorize says nothing of may not call, and no role but the three may do anything", async () => {
  for (const [said, status] of [
    [undefined, 401],
    [null, 401],
    ["root", 403],
    ["constructor", 403],
    [{ role: "__proto__" }, 403],
    [{}, 403],
  ] as const) {
    caller = said as never;
    expect([said, (await ask("GET", "stats")).status]).toEqual([said, status]);
  }
});
