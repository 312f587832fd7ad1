/** The API over a world in memory, with the built dashboard: enough of it to test every view and action. */

import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { extname, join } from "node:path";
import { setTimeout } from "node:timers/promises";
import type { TaskDocument } from "../../../web/contract.ts";
import type { World } from "./fixture-data.ts";

const contentTypes: { [ending: string]: string } = {
  ".js": "text/javascript",
  ".css": "text/css",
  ".svg": "image/svg+xml",
  ".html": "text/html; charset=utf-8",
};

const policy =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'self'; form-action 'self'; frame-ancestors 'none'";

export interface FixtureServer {
  /** The dashboard's address, with its base path and a slash at its end. */
  url: string;
  world: World;
  /** Every request of the API so far: `POST tasks/1/retry`. */
  requests: string[];
  /** When set, the API answers 401. */
  locked: boolean;
  /** How long a change takes. */
  slowMs: number;
  addTask(task: Partial<TaskDocument>): void;
  close(): Promise<void>;
}

export async function startFixtureServer({
  world,
  files,
  basePath = "/ops/dure/",
  withPolicy = true,
}: {
  world: World;
  files: string;
  basePath?: string;
  withPolicy?: boolean;
}): Promise<FixtureServer> {
  const streams = new Set<ServerResponse>();
  const server = createServer((request, response) => {
    answer(request, response).catch((error) => {
      response.writeHead(500).end(String(error));
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  const fixture: FixtureServer = {
    url: `http://127.0.0.1:${port}${basePath}`,
    world,
    requests: [],
    locked: false,
    slowMs: 0,
    addTask(task) {
      const at = new Date().toISOString();
      const like = world.tasks.find(({ status }) => status === "PENDING") ?? world.tasks[0]!;
      world.tasks.unshift({
        ...like,
        id: `new-${world.tasks.length}`,
        createdAt: at,
        updatedAt: at,
        ...task,
      });
      tellChange();
    },
    close: async () => {
      for (const stream of streams) stream.end();
      server.close();
      await once(server, "close");
    },
  };
  const tellChange = () => {
    for (const stream of streams) stream.write("event: changed\ndata: {}\n\n");
  };

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url!, fixture.url);
    if (withPolicy) response.setHeader("content-security-policy", policy);
    if (!url.pathname.startsWith(basePath)) return void response.writeHead(404).end();
    const path = url.pathname.slice(basePath.length);
    if (path.startsWith("api/")) return answerApi(path.slice(4), url, request, response);
    const isFile = path.startsWith("assets/") || path === "icon.svg";
    const body = await readFile(join(files, isFile ? path : "index.html"), "utf8");
    response.setHeader("content-type", contentTypes[isFile ? extname(path) : ".html"]!);
    response.end(isFile ? body : body.replace('<base href="/" />', `<base href="${basePath}" />`));
  }

  async function answerApi(path: string, url: URL, request: IncomingMessage, response: ServerResponse) {
    fixture.requests.push(`${request.method} ${path}`);
    if (fixture.locked)
      return send(response, 401, { code: "TOKEN_REQUIRED", message: "No token.", details: {} });
    if (path === "events") {
      streams.add(response);
      response.on("close", () => streams.delete(response));
      response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-store" });
      response.write(": hello\n\n");
      return;
    }
    if (request.method !== "GET" && fixture.slowMs > 0) await setTimeout(fixture.slowMs);
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const body = chunks.length > 0 ? JSON.parse(Buffer.concat(chunks).toString()) : {};
    const reply = route(world, `${request.method} ${path}`, url.searchParams, body);
    send(response, reply.status ?? 200, reply.body);
    if (request.method !== "GET") tellChange();
  }

  return fixture;
}

function send(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { "content-type": "application/json" });
  response.end(JSON.stringify(body));
}

interface Reply {
  status?: number;
  body: unknown;
}

function route(world: World, call: string, query: URLSearchParams, body: any): Reply {
  const [, id, action] = /^\w+ tasks\/([^/]+)(?:\/([\w-]+))?$/.exec(call) ?? [];
  switch (call) {
    case "GET tasks":
      return listTasks(world, query);
    case "GET stats":
      return { body: statsOf(world) };
    case "GET workers":
      return { body: { workers: world.workers } };
    case "GET definitions":
      return { body: { definitions: world.definitions } };
    case "GET errors":
      return { body: { errors: errorsOf(world) } };
    case "GET summary":
      return { body: { groups: summaryOf(world, query) } };
    case "GET query/complete":
      return { body: complete(query) };
    case "POST tasks":
      return enqueue(world, body);
  }
  return id ? actOn(world, call.split(" ")[0]!, decodeURIComponent(id), action, body) : notFound(call);
}

function notFound(what: string): Reply {
  return { status: 404, body: { code: "TASK_NOT_FOUND", message: `There is no ${what}.`, details: {} } };
}

function listTasks(world: World, query: URLSearchParams): Reply {
  const q = query.get("q") ?? "";
  if (q.includes("statsu:")) {
    const message = `Unknown field "statsu" at column ${q.indexOf("statsu:") + 1}. Did you mean "status"?`;
    return {
      status: 400,
      body: { code: "INVALID_QUERY", message, details: { column: q.indexOf("statsu:") + 1 } },
    };
  }
  // The cursor is the last task seen, so that tasks which leave the search move no page.
  const last = query.get("cursor");
  const after = last === null ? 0 : world.tasks.findIndex(({ id }) => id === last) + 1;
  const found = world.tasks.slice(after).filter((task) => fits(task, query));
  const tasks = found.slice(0, Number(query.get("limit") ?? 50));
  const next = tasks.length < found.length ? tasks.at(-1)?.id : undefined;
  return { body: { tasks, nextCursor: next, complete: true } };
}

function fits(task: TaskDocument, query: URLSearchParams): boolean {
  const [status, type, q] = [query.get("status"), query.get("type"), query.get("q")];
  if (status && task.status !== status) return false;
  if (type && task.type !== type) return false;
  return !q || JSON.stringify(task).toLowerCase().includes(q.toLowerCase());
}

function statsOf(world: World) {
  const counts = new Map<string, any>();
  for (const { type, queue, status } of world.tasks) {
    const key = JSON.stringify([type, queue, status]);
    const row = counts.get(key) ?? { type, queue, status, count: 0 };
    row.count += 1;
    counts.set(key, row);
  }
  return {
    byType: [...counts.values()],
    workers: { alive: 2, dead: 1, stopped: 1 },
    oldestDueMs: 754_000,
    sizeBytes: 48_234_496,
  };
}

function errorsOf(world: World) {
  const groups = new Map<string, any>();
  for (const { status, error, type, completedAt, createdAt, id } of world.tasks) {
    if (status !== "FAILED" || !error) continue;
    const fingerprint = error.replace(/\d+/g, "#");
    const at = completedAt ?? createdAt;
    const group = groups.get(fingerprint) ?? {
      fingerprint,
      message: fingerprint,
      count: 0,
      types: [],
      firstAt: at,
      lastAt: at,
      exampleId: id,
    };
    group.count += 1;
    if (!group.types.includes(type)) group.types.push(type);
    group.firstAt = group.firstAt < at ? group.firstAt : at;
    groups.set(fingerprint, group);
  }
  return [...groups.values()];
}

function summaryOf(world: World, query: URLSearchParams) {
  const by = query.get("by")!;
  const without = new URLSearchParams(query);
  without.delete("status");
  const counts = new Map<string, any>();
  for (const task of world.tasks) {
    if (!fits(task, without)) continue;
    const hour = `${(task.completedAt ?? task.createdAt).slice(0, 13)}:00:00.000Z`;
    const group = by === "status" ? { status: task.status } : { hour, status: task.status };
    const key = JSON.stringify(group);
    const row = counts.get(key) ?? { ...group, count: 0 };
    row.count += 1;
    counts.set(key, row);
  }
  return [...counts.values()];
}

function complete(query: URLSearchParams) {
  const before = (query.get("text") ?? "").slice(0, Number(query.get("position")));
  const word = /[^\s]*$/.exec(before)![0];
  const fields = ["status:", "type:", "created:", "error:", "queue:", "tag:", "attempts:", "duration:"];
  const values = ["status:failed", "status:pending", "status:running", "status:completed"];
  const items = [...(word.includes(":") ? values : fields)].filter(
    (text) => text.startsWith(word) && text !== word,
  );
  return {
    from: before.length - word.length,
    to: before.length,
    items: items.map((text) => ({ text, detail: text.endsWith(":") ? "field" : "status" })),
  };
}

function enqueue(world: World, { type, payload }: { type: string; payload: any }): Reply {
  const at = new Date().toISOString();
  if (payload?.refuse)
    return { status: 400, body: { code: "INVALID_PAYLOAD", message: "refuse must be absent.", details: {} } };
  const task: TaskDocument = {
    id: `made-${world.tasks.length}`,
    type,
    payload,
    status: "PENDING",
    createdAt: at,
    updatedAt: at,
    maxAttempts: 5,
    attempts: 0,
  };
  world.tasks.unshift(task);
  return { body: { task } };
}

const following: { [action: string]: TaskDocument["status"] } = { retry: "PENDING", cancel: "CANCELLED" };

function actOn(world: World, method: string, id: string, action: string | undefined, body: any): Reply {
  const task = world.tasks.find((one) => one.id === id);
  if (!task) return notFound(`task ${id}`);
  if (method === "GET") return { body: { task, attempts: world.attempts.get(id) ?? [] } };
  if (method === "DELETE") world.tasks.splice(world.tasks.indexOf(task), 1);
  if (method === "PATCH") Object.assign(task, body);
  if (action === "run-again") return enqueue(world, { type: task.type, payload: task.payload });
  if (action) Object.assign(task, { status: following[action], updatedAt: new Date().toISOString() });
  return { body: { task } };
}
