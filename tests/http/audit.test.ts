/** The audit log over HTTP (S23): which route leaves which record, of whom, and who may read them. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterAll, beforeEach, describe, expect, test } from "vitest";
import { createDure, type Dure } from "../../server/dure.ts";
import {
  type AuditEntry,
  type Caller,
  createHttpHandler,
  type HttpHandler,
  listen,
} from "../../server/http.ts";
import { logInAndOut } from "../support/log-in-out.ts";

const silent = { info: () => undefined, warn: () => undefined, error: () => undefined };
const told: AuditEntry[] = [];
const dure: Dure = createDure({ database: ":memory:", logger: silent });
dure.defineTask("send-receipt", async () => "sent");
let caller: Caller;
const options = { authorize: () => caller, onAudit: (entry: AuditEntry) => told.push(entry) };
const handler = createHttpHandler(dure, options);

const seen = new Set<string>();
beforeEach(async () => {
  told.length = 0;
  for (const { id } of (await dure.readAudit({ limit: 1_000 })).records) seen.add(id);
  caller = { role: "admin", name: "anna", address: "203.0.113.7" };
});
afterAll(() => dure.close());

async function ask(
  method: string,
  path: string,
  body?: unknown,
  headers = {},
  by: HttpHandler = handler,
): Promise<Response> {
  const init = {
    method,
    headers: { "content-type": "application/json", ...headers },
    ...(method !== "GET" && { body: JSON.stringify(body ?? {}) }),
  };
  return by(new Request(`http://localhost/api/${path}`, init));
}

/** What this test has left, oldest first. */
const records = async () => (await dure.readAudit()).records.filter(({ id }) => !seen.has(id)).reverse();
const said = async () => (await records()).map(({ action, kind, target }) => `${action} ${kind} ${target}`);

const enqueue = (id: string, settings = {}) =>
  dure.enqueueTask("send-receipt", { order: 1, token: "hush" }, { id, delay: "1h", ...settings });

describe("each change leaves its record:", () => {
  test("of a task", async () => {
    await enqueue("a");
    await ask("PATCH", "tasks/a", { priority: 5 });
    await ask("POST", "tasks/a/cancel");
    await ask("POST", "tasks/a/retry");
    await ask("POST", "tasks/a/cancel");
    await ask("POST", "tasks/a/cancel");
    await ask("DELETE", "tasks/a");
    expect(await said()).toEqual([
      ...["edit task a", "cancel task a", "retry task a", "cancel task a", "delete task a"],
    ]);
    expect((await records())[0]).toMatchObject({
      ...{ who: "anna", via: "http", address: "203.0.113.7", type: "send-receipt" },
      ...{ before: { status: "PENDING", priority: 0 }, after: { priority: 5 } },
    });
    expect(told.map(({ status }) => status)).toEqual([200, 200, 200, 200, 409, 200]);
  });

  test("of tasks that are enqueued, and run again, without their payloads", async () => {
    const task = { type: "send-receipt", payload: { order: 2, token: "hush" }, delay: "1h" };
    await ask("POST", "tasks", { ...task, id: "b" });
    await ask("POST", "tasks", { ...task, id: "b" });
    await ask("POST", "tasks/batch", {
      tasks: [
        { ...task, id: "c" },
        { ...task, id: "d" },
      ],
    });
    const again = await ask("POST", "tasks/b/run-again", { payload: { order: 3 }, delay: "1h" });
    const { id } = ((await again.json()) as { task: { id: string } }).task;
    expect((await said()).sort()).toEqual([
      ...["enqueue task b", "enqueue task c", "enqueue task d", `run-again task ${id}`],
    ]);
    const record = (await records()).find(({ action }) => action === "run-again");
    expect(record?.after).toEqual({ from: "b", payloadEdited: true });
    expect(JSON.stringify(await records())).not.toMatch(/hush|order/);
  });

  test("of an action on a search, when it begins and when it ends", async () => {
    await enqueue("e", { tags: ["vip"] });
    await enqueue("f", { tags: ["vip"] });
    await ask("POST", "actions", { action: "cancel", q: "tag:vip", dryRun: true });
    const started = await ask("POST", "actions", { action: "cancel", q: "tag:vip" });
    const { id } = ((await started.json()) as { task: { id: string } }).task;
    await dure.start();
    await dure.waitForTask(id);
    await dure.stop();
    const left = await records();
    expect(left.map(({ action, target, who, via }) => [action, target, who, via])).toEqual([
      ["start-action", id, "anna", "http"],
      ["end-action", id, "anna", "worker"],
    ]);
    expect(left[0]!.after).toMatchObject({ action: "cancel", of: "tag:vip", matched: 2 });
    expect(left[1]!.after).toEqual({ action: "cancel", matched: 2, changed: 2, skipped: 0, aborted: false });
    // Each of its tasks leads to it, also for those who may not see by which query.
    caller = { role: "operator", name: "ben", payloads: false };
    const answer = (await (await ask("GET", "audit?target=e&limit=1")).json()) as any;
    expect(answer.records[0]).toMatchObject({ action: "start-action", target: id, who: "anna" });
    expect(JSON.stringify(answer)).not.toContain("vip");
  });

  test("of pauses and saved searches", async () => {
    await ask("PUT", "pauses/queue/mail", { reason: "down" });
    await ask("DELETE", "pauses/queue/mail");
    await ask("PUT", "searches/late", { query: "status:pending" });
    await ask("DELETE", "searches/late");
    expect(await said()).toEqual([
      ...["pause queue mail", "resume queue mail", "save-search search late", "delete-search search late"],
    ]);
  });

  test("a refused one leaves none", async () => {
    await enqueue("g");
    caller = { role: "viewer", name: "ben" };
    expect((await ask("POST", "tasks/g/cancel")).status).toBe(403);
    caller = { role: "operator", name: "ben" };
    expect((await ask("DELETE", "tasks/g")).status).toBe(403);
    expect((await ask("POST", "tasks/none/cancel")).status).toBe(404);
    expect((await ask("POST", "tasks/g/cancel", { by: "somebody else" })).status).toBe(400);
    expect(await said()).toEqual([]);
  });
});

test("the dashboard says that it is one, and who has no name is known by their role", async () => {
  caller = { role: "operator" };
  await ask("PUT", "pauses/queue/mail", {}, { "x-dure-via": "dashboard" });
  const [record] = await records();
  expect(record).toMatchObject({ who: "operator", via: "dashboard" });
  expect(record).not.toHaveProperty("address");
  await ask("DELETE", "pauses/queue/mail");
});

test("what a server without types answers of a caller is no fault of the client's", async () => {
  for (const facts of [{ address: null, name: null }, { name: 42 }]) {
    caller = { role: "admin", ...facts } as unknown as Caller;
    expect((await ask("PUT", "pauses/queue/mail", { reason: JSON.stringify(facts) })).status).toBe(200);
  }
  expect((await records()).map(({ who }) => who)).toEqual(["admin", "42"]);
  await dure.resume({ queue: "mail" });
});

test("the id of the request is its own, or a new one, and the same for all who are told of it", async () => {
  const given = await ask("PUT", "pauses/queue/mail", {}, { "x-request-id": "req-17" });
  const made = await ask("DELETE", "pauses/queue/mail", {}, { "x-request-id": "two words" });
  const ids = (await records()).map(({ requestId }) => requestId);
  expect(ids).toEqual(["req-17", expect.stringMatching(/^[0-9a-f-]{36}$/)]);
  expect([given, made].map(({ headers }) => headers.get("x-request-id"))).toEqual(ids);
  expect(told.map(({ requestId }) => requestId)).toEqual(ids);
});

test("what programs enqueue is left out where that is said; what is run again is not", async () => {
  const quiet = createHttpHandler(dure, { ...options, auditEnqueues: false });
  const task = { type: "send-receipt", payload: {}, delay: "1h" };
  await ask("POST", "tasks", { ...task, id: "p" }, {}, quiet);
  await ask("POST", "tasks", { ...task, id: "q" }, { "x-dure-via": "dashboard" }, quiet);
  await ask("POST", "tasks/p/run-again", { delay: "1h" }, {}, quiet);
  expect((await records()).map(({ action, via }) => `${action} ${via}`)).toEqual([
    ...["enqueue dashboard", "run-again http"],
  ]);
});

describe("reading", () => {
  const read = async (query: string) => (await (await ask("GET", `audit?${query}`)).json()) as any;

  test("newest first, by filters and pages", async () => {
    await enqueue("h");
    for (const name of ["anna", "ben"]) {
      caller = { role: "admin", name };
      await ask("POST", "tasks/h/cancel");
      await ask("POST", "tasks/h/retry");
    }
    const first = await read("target=h&limit=3");
    const next = await read(`target=h&limit=3&cursor=${first.nextCursor}`);
    const names = ({ records }: any) => records.map(({ who, action }: any) => `${who} ${action}`);
    expect([...names(first), "…", ...names(next)]).toEqual([
      ...["ben retry", "ben cancel", "anna retry", "…", "anna cancel"],
    ]);
    expect(next.nextCursor).toBeUndefined();
    expect(names(await read("target=h&who=ben&action=cancel,edit"))).toEqual(["ben cancel"]);
    expect(names(await read("target=h&action=retry"))).toEqual(["ben retry", "anna retry"]);
    expect(names(await read("target=h&to=2020-01-01T00:00:00Z"))).toEqual([]);
  });

  test("goes on where a page has looked at as much as it may", async () => {
    const store = await dure.instance.store();
    const one = { kind: "task", target: "many", via: "cli" } as const;
    await store.writeAudit(
      Array.from({ length: 20_001 }, (_, index) => ({
        ...{ ...one, id: `many-${index}`, action: index === 0 ? "edit" : "cancel" },
        at: new Date(Date.UTC(2020, 0, 1) + index),
      })),
    );
    const first = await read("target=many&action=edit");
    expect(first).toMatchObject({ records: [], complete: false, searchedBackTo: "2020-01-01T00:00:00.001Z" });
    const rest = await read(`target=many&action=edit&cursor=${first.nextCursor}`);
    expect(rest).toMatchObject({ records: [{ id: "many-0" }], complete: true });
    await store.pruneAudit({ before: Date.UTC(2021, 0, 1), limit: 30_000 });
  });

  test.each([
    ["action=none", "INVALID_REQUEST"],
    ["limit=1000", "INVALID_REQUEST"],
    ["via=telephone", "INVALID_REQUEST"],
    ["cursor=eyJ9", "INVALID_CURSOR"],
  ])("%s is refused", async (query, code) => {
    expect(await read(query)).toMatchObject({ code });
  });

  test("viewers may not", async () => {
    caller = { role: "viewer" };
    expect((await ask("GET", "audit")).status).toBe(403);
  });

  test("secrets are taken out, and nobody's name is markup or two lines", async () => {
    caller = { role: "admin", name: "<b>eve</b>\r\n2026 root" };
    await ask("PUT", "pauses/queue/mail", { reason: "see postgres://app:hunter2@db" });
    const text = JSON.stringify((await read("limit=1")).records);
    expect(text).not.toContain("hunter2");
    expect(JSON.parse(text)[0]).toMatchObject({
      who: "<b>eve</b>\ufffd\ufffd2026 root",
      after: { reason: "see postgres://app:[redacted]@db" },
    });
    await ask("DELETE", "pauses/queue/mail");
  });
});

test("a task that was changed by an action of code leads to it", async () => {
  await enqueue("lone", { tags: ["lone"] });
  await dure.actOnTasks({ query: "tag:lone" }, "cancel", { by: "kim" });
  const { records } = await dure.readAudit({ target: "lone" });
  expect(records[0]).toMatchObject({ action: "start-action", kind: "tasks", target: "tag:lone", who: "kim" });
});

test("who may not see payloads is not told by which query somebody acted", async () => {
  const query = "payload.ssn:123";
  await dure.actOnTasks({ query }, "cancel", { by: "anna" });
  const read = async () =>
    (await ask("GET", `audit?limit=1&target=${encodeURIComponent(query)}`)).json() as Promise<any>;
  expect((await read()).records).toHaveLength(1);
  caller = { role: "operator", name: "ben", payloads: false };
  expect(await read()).toEqual({ records: [], complete: true });
});

test("a server of Dure's own tells the address, and who logs in and out", async () => {
  const token = "a token of some length";
  const server = await listen(dure, { port: 0, token });
  const base = `http://127.0.0.1:${server.port}`;
  const login = await fetch(`${base}/?token=${encodeURIComponent(token)}`, { redirect: "manual" });
  await fetch(`${base}/?token=wrong`, { redirect: "manual" });
  const cookie = login.headers.get("set-cookie")!.split(";")[0]!;
  const headers = { cookie, "content-type": "application/json", origin: base };
  await fetch(`${base}/api/pauses/queue/mail`, { method: "PUT", headers, body: "{}" });
  await fetch(`${base}/api/session`, { method: "DELETE", headers });
  await server.close();
  expect((await records()).map(({ action, who, via, address }) => [action, who, via, address])).toEqual([
    ["log-in", "admin", "dashboard", "127.0.0.1"],
    ["pause", "admin", "http", "127.0.0.1"],
    ["log-out", "admin", "http", "127.0.0.1"],
  ]);
  await dure.resume({ queue: "mail" });
});

test("a session begins and ends where its record cannot be stored, and the server's own are told once", async () => {
  const folder = mkdtempSync(join(tmpdir(), "dure-audit-"));
  const file = join(folder, "tasks.db");
  const refusing = createDure({ database: file, logger: silent });
  await refusing.countTasks();
  const other = new DatabaseSync(file, { timeout: 10_000 });
  other.exec("CREATE TRIGGER none BEFORE INSERT ON audit BEGIN SELECT raise(ABORT, 'no more room'); END");
  other.close();
  const errors = await logInAndOut(refusing);
  expect(errors).toEqual([expect.stringMatching(/^Log-ins and log-outs cannot be recorded.*no more room/s)]);
  await refusing.close();
  rmSync(folder, { recursive: true });
});
