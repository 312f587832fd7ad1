/** The client against a real server over a socket: every route by a method of its own, errors, events. */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { EventParser } from "../../server/client/events.ts";
import { createClient, DureClientError } from "../../server/client.ts";
import { createDure, type Dure } from "../../server/dure.ts";
import { routes } from "../../server/http/app.ts";
import { openApi } from "../../server/http/open-api.ts";
import { type Listening, listen } from "../../server/http.ts";

const token = "a-token-for-tests-only";
const silent = { info: () => undefined, warn: () => undefined, error: () => undefined };
let dure: Dure;
let server: Listening;
/** What the client asked for, as `GET /tasks/:id`. */
const asked = new Set<string>();

beforeAll(async () => {
  dure = createDure({ database: ":memory:", logger: silent });
  dure.defineTask("send-receipt", async (task, context) => {
    context.log.info("sending", { sentAt: "2026-01-01T00:00:00Z" });
    if (task.payload.order % 2 === 0) throw new Error("connect ETIMEDOUT");
    return { sentAt: "2026-01-01T00:00:00Z" };
  });
  await dure.start();
  for (let order = 1; order <= 6; order++) {
    const { id } = await dure.enqueueTask("send-receipt", { order }, { id: `order-${order}` });
    await dure.waitForTask(id);
  }
  server = await listen(dure, { port: 0, token });
});
afterAll(async () => {
  await server.close();
  await dure.close();
});

const patterns = routes.map(({ method, path }) => ({
  name: `${method} /${path}`,
  method,
  test: new RegExp(`/api/${path.replace(/:\w+/g, "[^/]+")}$`),
  isOpen: path.includes(":"),
}));

function nameOf(method: string, path: string): string | undefined {
  const found = patterns.filter((route) => route.method === method && route.test.test(path));
  return (found.find(({ isOpen }) => !isOpen) ?? found[0])?.name;
}

const watched: typeof fetch = (input, init) => {
  const name = nameOf(init?.method ?? "GET", new URL(String(input)).pathname);
  if (name) asked.add(name);
  return fetch(input, init);
};
const client = () => createClient({ url: `http://127.0.0.1:${server.port}`, token, fetch: watched });

async function refusalOf(promise: Promise<unknown>): Promise<DureClientError> {
  const error = await promise.then(
    () => undefined,
    (thrown) => thrown,
  );
  expect(error).toBeInstanceOf(DureClientError);
  return error;
}

describe("reading", () => {
  test("a page, the pages after it, and a count", async () => {
    const page = await client().searchTasks({ status: ["FAILED"], sort: "id", order: "asc", limit: 2 });
    expect(page.tasks.map(({ id }) => id)).toEqual(["order-2", "order-4"]);
    expect(page.tasks[0]!.createdAt).toBeInstanceOf(Date);
    const next = await client().searchTasks({
      ...{ status: ["FAILED"], sort: "id", order: "asc", limit: 2 },
      cursor: page.nextCursor,
    });
    expect(next.tasks.map(({ id }) => id)).toEqual(["order-6"]);
    const all = [];
    for await (const { id } of client().eachTask({ sort: "id", order: "asc", limit: 2 })) all.push(id);
    expect(all).toEqual(["order-1", "order-2", "order-3", "order-4", "order-5", "order-6"]);
    const since = { from: new Date(0), to: new Date(), q: 'error:"connect ETIMEDOUT"' };
    expect(await client().countTasks(since)).toEqual({ count: 3, exact: true, errorMax: 0 });
  });

  test("how a search is served", async () => {
    const { source, tested, hints } = await client().explainSearch({
      q: "payload.order:>1",
      sort: "updatedAt",
    });
    expect({ source, tested }).toEqual({ source: "walk", tested: ["payload.order:>1"] });
    expect(hints[0]).toContain("Declare an attribute");
  });

  test("one task; instants are Dates, what is the user's own is as it was", async () => {
    const { task, attempts } = await client().getTask("order-1");
    expect(task).toMatchObject({
      id: "order-1",
      status: "COMPLETED",
      result: { sentAt: "2026-01-01T00:00:00Z" },
    });
    expect(task.completedAt).toEqual((await dure.getTaskById("order-1"))!.completedAt);
    expect(attempts[0]!.logs[0]).toMatchObject({
      at: expect.any(Date),
      fields: { sentAt: "2026-01-01T00:00:00Z" },
    });
    const { reasons } = await client().explainTask("order-2");
    expect(reasons[0]).toMatchObject({ code: "failed" });
  });

  test("definitions, workers, statistics, summaries, errors, health, completions", async () => {
    const [definition] = await client().listDefinitions();
    expect(definition).toMatchObject({ id: "send-receipt", createdAt: expect.any(Date) });
    expect((await client().listWorkers())[0]).toMatchObject({ state: "alive", startedAt: expect.any(Date) });
    expect((await client().stats()).workers.alive).toBe(1);
    expect(await client().session()).toEqual({ role: "admin", seesPayloads: true, canLogOut: false });
    const { groups } = await client().summarizeTasks({ by: ["day", "status"] });
    expect(groups[0]!.day).toBeInstanceOf(Date);
    const history = await client().readHistory({ bucket: "hour", from: new Date(Date.now() - 3_600_000) });
    expect(history.every(({ start }) => start instanceof Date)).toBe(true);
    expect(await client().listAttention()).toContainEqual(expect.objectContaining({ kind: "failing" }));
    const [error] = await client().listErrors();
    expect(error).toMatchObject({ count: 3, firstAt: expect.any(Date) });
    expect(Array.isArray(await client().checkHealth())).toBe(true);
    expect((await client().completeQuery("type:send", 9)).items[0]!.text).toBe("send-receipt");
  });
});

describe("changing", () => {
  test("a task from its beginning to its end", async () => {
    const task = await client().enqueueTask(
      "send-receipt",
      { order: 7 },
      { runAt: new Date("2040-01-01"), tags: ["x"] },
    );
    expect(task).toMatchObject({ status: "PENDING", dueAt: new Date("2040-01-01"), tags: ["x"] });
    const edited = await client().editTask(task.id, { priority: 3, expectedVersion: task.version! });
    expect(edited).toMatchObject({ priority: 3, version: 2 });
    expect(await client().cancelTask(task.id)).toMatchObject({
      requested: false,
      task: { status: "CANCELLED" },
    });
    expect(await client().retryTask(task.id)).toMatchObject({ status: "PENDING" });
    await dure.waitForTask(task.id);
    const again = await client().runTaskAgain(task.id, { payload: { order: 9 } });
    expect((await dure.waitForTask(again.id)).status).toBe("COMPLETED");
    await expect(client().deleteTask(task.id, { expectedVersion: 1 })).rejects.toMatchObject({
      code: "VERSION_CONFLICT",
      status: 409,
    });
    await client().deleteTask(task.id);
    expect(await dure.getTaskById(task.id)).toBeUndefined();
    const two = await client().enqueueTasks([
      { type: "send-receipt", payload: { order: 11 } },
      { type: "send-receipt", payload: { order: 13 } },
    ]);
    expect(two.map(({ payload }) => payload)).toEqual([{ order: 11 }, { order: 13 }]);
  });

  test("a saved search, which queries then use", async () => {
    const alert = {
      over: 100,
      for: "5m",
      enqueue: { type: "send-receipt", payload: { at: "2026-01-01T00:00:00Z" } },
    };
    const saved = await client().saveSearch("mail/late", { query: "type:send-receipt", alert });
    expect(saved).toMatchObject({ name: "mail/late", alert, createdAt: expect.any(Date) });
    expect(await client().listSearches()).toEqual([saved]);
    expect((await client().countTasks({ q: "@mail/late error:etimedout" })).count).toBe(3);
    expect((await client().completeQuery("@ma", 3)).items[0]!.text).toBe("@mail/late");
    await client().deleteSearch("mail/late");
    expect(await refusalOf(client().deleteSearch("mail/late"))).toMatchObject({
      ...{ code: "SEARCH_NOT_FOUND", status: 404 },
    });
  });

  test("a pause of a type, until it is resumed", async () => {
    const target = { type: "send-receipt" };
    const paused = await client().pause(target, { reason: "no mail server" });
    expect(paused).toEqual({ ...target, pausedAt: expect.any(Date), reason: "no mail server" });
    expect(await client().listPauses()).toEqual([paused]);
    expect(await client().resume(target)).toBe(true);
    expect(await client().resume({ queue: "reports" })).toBe(false);
    const { records, nextCursor } = await client().readAudit({ target: "send-receipt", limit: 1 });
    expect(records).toMatchObject([{ at: expect.any(Date), action: "resume", who: "admin", via: "http" }]);
    const rest = await client().readAudit({ target: "send-receipt", cursor: nextCursor });
    expect(rest.records.map(({ action, after }) => [action, after])).toEqual([
      ["pause", { reason: "no mail server" }],
    ]);
  });

  test("all that fits a search", async () => {
    const search = { action: "retry", q: "error:etimedout" } as const;
    const { count, sample } = await client().previewAction(search);
    expect({ count, first: sample[0]!.createdAt }).toEqual({ count: 3, first: expect.any(Date) });
    const { id } = await client().startAction(search);
    await dure.waitForTask(id);
    expect((await client().getAction(id)).result).toMatchObject({ changed: 3 });
  });
});

describe("what goes wrong", () => {
  test("the server's code, message and details", async () => {
    const missing = await refusalOf(client().getTask("order-77"));
    expect(missing).toMatchObject({ code: "TASK_NOT_FOUND", status: 404, details: { id: "order-77" } });
    expect(missing.message).toContain("order-7");
    expect(await refusalOf(client().searchTasks({ q: "statsu:failed" }))).toMatchObject({
      code: "INVALID_QUERY",
    });
    expect(await refusalOf(client().getTask(".."))).toMatchObject({ code: "INVALID_ID", status: 0 });
    const stranger = createClient({ url: `http://127.0.0.1:${server.port}`, token: "wrong" });
    expect(await refusalOf(stranger.stats())).toMatchObject({ code: "UNAUTHORIZED", status: 401 });
  });

  test("no answer, another's answer, an address too long, an aborted call", async () => {
    const nobody = createClient({ url: "http://127.0.0.1:1" });
    expect(await refusalOf(nobody.stats())).toMatchObject({ code: "NETWORK", status: 0 });
    const proxy = createServer((_request, response) => response.writeHead(502).end("<h1>Bad gateway</h1>"));
    const url = await urlOf(proxy);
    expect(await refusalOf(createClient({ url }).stats())).toMatchObject({ code: "NOT_DURE", status: 502 });
    proxy.close();
    const long = await refusalOf(client().searchTasks({ q: `"${"이미지".repeat(1_000)}"` }));
    expect(long).toMatchObject({
      code: "REQUEST_TOO_LONG",
      status: 431,
      message: expect.stringContaining("saveSearch"),
    });
    const reason = new Error("enough");
    await expect(client().stats({ signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  });
});

describe("events", () => {
  test("a hint when something changes, until the signal aborts", async () => {
    const stop = new AbortController();
    let hints = 0;
    const enqueue = setInterval(() => void dure.enqueueTask("send-receipt", { order: 15 }), 50);
    for await (const _ of client().watchHints({ signal: stop.signal })) {
      hints += 1;
      if (hints === 2) stop.abort();
    }
    clearInterval(enqueue);
    expect(hints).toBe(2);
  });

  test("what changes in a search, and on from an earlier change", async () => {
    const watch = client().watchTasks({ q: "payload.order:101" });
    const first = watch.next();
    const enqueue = setInterval(() => void dure.enqueueTask("send-receipt", { order: 101 }), 100);
    let { value } = await first;
    // One that was there before the watch began may change meanwhile.
    while (value!.change === "changed") ({ value } = await watch.next());
    clearInterval(enqueue);
    expect(value).toMatchObject({ change: "entered", task: { payload: { order: 101 } } });
    expect(value!.task.createdAt).toBeInstanceOf(Date);
    await watch.return();
    for await (const { change, task } of client().watchTasks({
      q: "payload.order:101",
      since: value!.cursor,
    })) {
      expect(task.payload).toEqual({ order: 101 });
      expect(change).not.toBe("left");
      if (task.status === "COMPLETED") break;
    }
    expect(await refusalOf(client().watchTasks({ q: "statsu:x" }).next())).toMatchObject({
      code: "INVALID_QUERY",
    });
  });

  test("go on after the last one when the connection breaks", async () => {
    const seen: (string | undefined)[] = [];
    const broken = createServer((request, response) => {
      seen.push(request.headers["last-event-id"] as string | undefined);
      response.writeHead(200, { "content-type": "text/event-stream" });
      response.end(`id: ${seen.length}\nevent: changed\ndata: {}\n\n`);
    });
    const url = await urlOf(broken);
    let hints = 0;
    for await (const _ of createClient({ url }).watchHints()) if (++hints === 2) break;
    broken.close();
    expect(seen).toEqual([undefined, "1"]);
  });

  test("a refusal ends them", async () => {
    const stranger = createClient({ url: `http://127.0.0.1:${server.port}`, token: "wrong" });
    expect(await refusalOf(stranger.watchHints().next())).toMatchObject({ code: "UNAUTHORIZED" });
  });

  test("are read wherever the pieces of their text end", () => {
    const text =
      "retry: 5\r\n: hello\r\nid: 7\r\nevent: changed\r\ndata: a\r\ndata:b\r\n\r\ndata: c\n\nid: 8\n\n";
    const expected = [
      { event: "changed", id: "7", data: "a\nb" },
      { event: "message", id: "", data: "c" },
      { event: "message", id: "8", data: "" },
    ];
    for (let size = 1; size <= text.length; size++) {
      const parser = new EventParser();
      const pieces = text.match(new RegExp(`[^]{1,${size}}`, "g"))!;
      expect(pieces.flatMap((piece) => [...parser.take(piece)])).toEqual(expected);
    }
  });
});

test("every route of the description was asked by a method of the client", async () => {
  const { paths } = openApi(routes) as { paths: Record<string, object> };
  const described = Object.entries(paths).flatMap(([path, methods]) =>
    Object.keys(methods).map(
      (method) => `${method.toUpperCase()} ${path.replace(/^\/api/, "").replace(/\{(\w+)\}/g, ":$1")}`,
    ),
  );
  // Streams, probes and the end of a browser's session are no calls.
  const calls = described.filter((name) => patterns.some((route) => route.name === name));
  expect(calls.filter((name) => !asked.has(name))).toEqual([]);
  expect(calls).toHaveLength(routes.length);
  expect(described.length).toBeGreaterThan(15);
  expect(await client().call("GET /tasks/:id", { params: { id: "order-1" } })).toMatchObject({
    task: { id: "order-1" },
  });
});

async function urlOf(served: Server): Promise<string> {
  await new Promise<void>((resolve) => served.listen(0, "127.0.0.1", resolve));
  return `http://127.0.0.1:${(served.address() as AddressInfo).port}`;
}
