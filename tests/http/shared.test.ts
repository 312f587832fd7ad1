/** Many dashboards on one search cost one read of the store, and none is told less than it may know. */
import { afterAll, beforeAll, beforeEach, expect, type Mock, test, vi } from "vitest";
import { createDure, type Dure } from "../../server/dure.ts";
import { createHttpHandler, type HttpHandler, type Role } from "../../server/http.ts";
import { DureError } from "../../server/tasks/core/errors.ts";

const silent = { info: () => undefined, warn: () => undefined, error: () => undefined };
const list = "tasks?q=type:send-receipt&limit=100&attributes=true";
const views = [list, "tasks/count", "stats", "summary?by=status", "workers"];
/** As the page does: an answer of a moment ago will do. */
const asPage = { "cache-control": "max-age=1" };
let dure: Dure;
let handler: HttpHandler;
let reads: Mock<(read: string) => void>;

beforeAll(async () => {
  dure = createDure({ database: ":memory:", logger: silent });
  dure.defineTask("send-receipt", async () => undefined);
  await dure.enqueueTask("send-receipt", { order: 1, password: "hunter2" });
  handler = handlerFor("admin");
  const store = await dure.instance.store();
  reads = vi.fn();
  for (const read of ["searchTasks", "stats", "listWorkers", "summarizeTasks"] as const) {
    const original = (store as any)[read].bind(store);
    vi.spyOn(store as any, read).mockImplementation((...given: unknown[]) => {
      reads(read);
      return original(...given);
    });
  }
});

beforeEach(() => reads.mockClear());
afterAll(() => dure.close());

function handlerFor(role: Role, more: object = {}): HttpHandler {
  return createHttpHandler(dure, { authorize: () => role, ...more });
}

const ask = async (path: string, headers: Record<string, string> = asPage, by = handler) =>
  (await by(new Request(`http://localhost/api/${path}`, { headers }))).text();
const asked = (read: string) => reads.mock.calls.filter(([name]) => name === read).length;
const idsIn = (text: string) => JSON.parse(text).tasks.map(({ id }: { id: string }) => id);

test("fifty dashboards on one search cost one read, and so does every other view", async () => {
  await Promise.all(views.map((path) => ask(path)));
  const once = reads.mock.calls.length;
  reads.mockClear();
  await dure.enqueueTask("send-receipt", { order: 2 }, { id: "two" });
  await changeByApi();
  const answers = await Promise.all(
    Array.from({ length: 50 }, () => Promise.all(views.map((path) => ask(path)))),
  );
  expect(reads.mock.calls.length).toBe(once);
  expect(new Set(answers.map((shown) => shown.join())).size).toBe(1);
  expect(idsIn(answers[0]![0]!)).toContain("two");
});

test("whoever does not say that they take an older answer is read for anew", async () => {
  await ask(list);
  await dure.enqueueTask("send-receipt", { order: 3 }, { id: "three" });
  reads.mockClear();
  expect(idsIn(await ask(list, {}))).toContain("three");
  expect(idsIn(await ask(list, { "cache-control": "max-age=0" }))).toContain("three");
  expect(asked("searchTasks")).toBe(2);
});

test("what follows a hint of a change was read after it", async () => {
  const stop = new AbortController();
  const events = await handler(new Request("http://localhost/api/events", { signal: stop.signal }));
  const reader = events.body!.getReader();
  const heard = async () => new TextDecoder().decode((await reader.read()).value);
  expect(await heard()).toContain("hello");
  await dure.enqueueTask("send-receipt", { order: 4 }, { id: "four" });
  await ask(list);
  // Comes after the answer that others are given meanwhile, and before the hint.
  await dure.enqueueTask("send-receipt", { order: 5 }, { id: "five" });
  while (!(await heard()).includes("changed"));
  expect(idsIn(await ask(list))).toContain("five");
  stop.abort();
});

test("after a change by the API everybody is told what has become", async () => {
  await ask(list);
  await changeByApi("six");
  expect(idsIn(await ask(list))).toContain("six");
});

test("nobody is given the answer of those who may see more, or of another question", async () => {
  const open = handlerFor("admin", { redact: false });
  expect(await ask(list, asPage, open)).toContain("hunter2");
  expect(await ask(list)).not.toContain("hunter2");
  reads.mockClear();
  await ask(list, asPage, handlerFor("viewer"));
  await ask(`${list}&order=asc`);
  expect(asked("searchTasks")).toBe(2);
  const roles = { a: "viewer", b: "operator" } as const;
  const both = createHttpHandler(dure, {
    authorize: ({ headers }) => roles[headers.get("x-who") as "a" | "b"],
  });
  reads.mockClear();
  for (const who of ["a", "b"]) await ask(list, { ...asPage, "x-who": who }, both);
  expect(asked("searchTasks")).toBe(2);
  expect(JSON.parse(await ask("session", { ...asPage, "x-who": "b" }, both)).role).toBe("operator");
});

async function changeByApi(id = "by-api"): Promise<void> {
  const init = { method: "POST", headers: { "content-type": "application/json" } };
  const body = JSON.stringify({ type: "send-receipt", payload: {}, id });
  await handler(new Request("http://localhost/api/tasks", { ...init, body }));
}

test("a server whose database went away is not ready, and however many ask read it once a second", async () => {
  const probe = async () => (await handler(new Request("http://localhost/readyz"))).status;
  const store = await dure.instance.store();
  const pauses = vi.spyOn(store, "listPauses");
  pauses.mockRejectedValueOnce(new DureError("DATABASE_UNAVAILABLE", "connect ECONNREFUSED"));
  expect(await probe()).toBe(503);
  expect(await Promise.all(Array.from({ length: 50 }, probe))).toEqual(Array(50).fill(200));
  expect(pauses).toHaveBeenCalledTimes(2);
  pauses.mockRestore();
});
