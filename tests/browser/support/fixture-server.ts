/** The API over a world in memory, with the built dashboard: enough of it to test every view and action. */

import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { extname, join } from "node:path";
import type { Attention, TaskDocument } from "../../../web/contract.ts";
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
  const actions = new Actions(world);
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
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const body = chunks.length > 0 ? JSON.parse(Buffer.concat(chunks).toString()) : {};
    const call = `${request.method} ${path}`;
    const reply = actions.answer(call, body) ?? route(world, call, url.searchParams, body);
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
    case "GET session":
      return { body: { role: "admin", seesPayloads: true, canLogOut: false } };
    case "GET audit":
      return { body: { records: [], complete: true } };
    case "GET stats":
      return { body: statsOf(world) };
    case "GET workers":
      return { body: { workers: world.workers } };
    case "GET definitions":
      return { body: { definitions: world.definitions } };
    case "GET errors":
      return { body: errorsOf(world) };
    case "GET attention":
      return { body: { attention: attentionIn(world) } };
    case "GET summary":
      return { body: { groups: summaryOf(world, query) } };
    case "GET history":
      return { body: { buckets: historyOf(world, query) } };
    case "GET query/complete":
      return { body: complete(query) };
    case "POST tasks":
      return enqueue(world, body);
    case "GET pauses":
      return { body: { pauses: world.pauses } };
    case "GET searches":
      return { body: { searches: world.searches } };
  }
  const [, kind, paused] = /^\w+ pauses\/(type|queue)\/(.+)$/.exec(call) ?? [];
  if (kind) return changePause(world, call.split(" ")[0]!, kind, decodeURIComponent(paused!));
  const [, name] = /^\w+ searches\/(.+)$/.exec(call) ?? [];
  if (name) return changeSearch(world, call.split(" ")[0]!, decodeURIComponent(name), body);
  return id ? actOn(world, call.split(" ")[0]!, decodeURIComponent(id), action, body) : notFound(call);
}

const actedOn: { [action: string]: readonly string[] } = {
  retry: ["FAILED", "CANCELLED"],
  cancel: ["PENDING", "RUNNING"],
  delete: ["COMPLETED", "FAILED", "CANCELLED"],
};
/** An action is this far at each look. */
const actionStep = 40;

/** Actions on a whole search: each look at one brings it on. */
class Actions {
  readonly #world: World;
  readonly #started = new Map<string, { task: TaskDocument; action: string; left: TaskDocument[] }>();

  constructor(world: World) {
    this.#world = world;
  }

  answer(call: string, body: any): Reply | undefined {
    if (call === "POST actions") return body.dryRun ? this.#preview(body) : this.#start(body);
    const [, method, kind, id = "", verb] = /^(\w+) (actions|tasks)\/([^/]+)(?:\/(\w+))?$/.exec(call) ?? [];
    const started = this.#started.get(id);
    if (!started) return undefined;
    if (verb === "cancel") started.task.status = "CANCELLED";
    else if (method === "GET") this.#goOn(id);
    return { body: { task: started.task, ...(kind === "tasks" && { requested: true, attempts: [] }) } };
  }

  #found({ action, q, status, type }: any): TaskDocument[] {
    const query = new URLSearchParams({ ...(q && { q }), ...(status && { status }), ...(type && { type }) });
    return this.#world.tasks.filter(
      (task) => actedOn[action]!.includes(task.status) && fits(task, query) && !task.isDefinition,
    );
  }

  #preview(body: any): Reply {
    const found = this.#found(body);
    return { body: { count: found.length, sample: found.slice(0, 10) } };
  }

  #start(body: any): Reply {
    const left = this.#found(body);
    const at = new Date().toISOString();
    const task: TaskDocument = {
      ...{ id: `action-${this.#started.size + 1}`, type: "dure.act-on-tasks", status: "PENDING" },
      ...{ createdAt: at, updatedAt: at, maxAttempts: 20, attempts: 0, payload: body },
      progress: { done: 0, total: left.length },
    };
    this.#started.set(task.id, { task, action: body.action, left });
    return { status: 202, body: { task } };
  }

  #goOn(id: string): void {
    const { task, action, left } = this.#started.get(id)!;
    if (task.status === "CANCELLED") return;
    for (const one of left.splice(0, actionStep)) {
      actOn(
        this.#world,
        action === "delete" ? "DELETE" : "POST",
        one.id,
        action === "delete" ? undefined : action,
        {},
      );
      task.progress!.done += 1;
    }
    task.status = left.length > 0 ? "RUNNING" : "COMPLETED";
  }
}

function changePause(world: World, method: string, kind: string, name: string): Reply {
  const others = world.pauses.filter((pause) => (kind === "type" ? pause.type : pause.queue) !== name);
  const resumed = others.length < world.pauses.length;
  world.pauses = others;
  if (method === "DELETE") return { body: { resumed } };
  const pause = { [kind]: name, pausedAt: new Date().toISOString() };
  world.pauses = [...others, pause];
  return { body: { pause } };
}

function changeSearch({ searches }: World, method: string, name: string, { query }: any): Reply {
  const place = searches.findIndex((search) => search.name === name);
  if (method === "DELETE") {
    searches.splice(place, 1);
    return { body: { deleted: name } };
  }
  if (name.includes(" "))
    return { status: 400, body: { code: "INVALID_ID", message: "Replace the space.", details: {} } };
  const at = new Date().toISOString();
  const search = { ...searches[place], name, query, createdAt: at, updatedAt: at };
  searches.splice(place < 0 ? 0 : place, place < 0 ? 0 : 1, search);
  return { body: { search } };
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
      query: `status:failed error:"${error.split(/\d/)[0]}"`,
      trend: Array.from({ length: 24 }, (_, step) => (step * 7) % 5),
    };
    group.count += 1;
    if (!group.types.includes(type)) group.types.push(type);
    group.firstAt = group.firstAt < at ? group.firstAt : at;
    groups.set(fingerprint, group);
  }
  const from = new Date(Date.now() - 24 * 3_600_000).toISOString();
  return { errors: [...groups.values()], trend: { from, to: new Date().toISOString(), steps: 24 } };
}

function attentionIn(world: World): Attention[] {
  const failed = world.tasks.filter(({ status }) => status === "FAILED").length;
  return [
    {
      kind: "failing",
      type: "send-receipt",
      count: failed,
      share: 0.1,
      query: "status:failed type:send-receipt",
    },
    { kind: "dead-workers", count: 1 },
  ];
}

function summaryOf(world: World, query: URLSearchParams) {
  const without = new URLSearchParams(query);
  without.delete("status");
  const counts = new Map<string, { status: string; count: number }>();
  for (const task of world.tasks) {
    if (!fits(task, without)) continue;
    const row = counts.get(task.status) ?? { status: task.status, count: 0 };
    row.count += 1;
    counts.set(task.status, row);
  }
  return [...counts.values()];
}

const bucketsMs: { [name: string]: number } = { minute: 60_000, hour: 3_600_000, day: 86_400_000 };

function historyOf(world: World, query: URLSearchParams) {
  const bucketMs = bucketsMs[query.get("bucket")!]!;
  const byStart = Map.groupBy(
    world.tasks.filter(({ completedAt, type }) => completedAt && (query.get("type") ?? type) === type),
    ({ completedAt }) => Math.floor(Date.parse(completedAt!) / bucketMs) * bucketMs,
  );
  return [...byStart]
    .filter(([start]) => start >= Date.parse(query.get("from")!))
    .sort(([a], [b]) => a - b)
    .map(([start, tasks]) => {
      const count = (wanted: string) => tasks.filter(({ status }) => status === wanted).length;
      const [completed, failed, cancelled] = [count("COMPLETED"), count("FAILED"), count("CANCELLED")];
      const times = (from: "createdAt" | "startedAt", to: "startedAt" | "completedAt") =>
        percentilesOf(
          tasks.flatMap((task) =>
            task[from] && task[to] ? [Date.parse(task[to]) - Date.parse(task[from])] : [],
          ),
        );
      return {
        ...{ start: new Date(start).toISOString(), completed, failed, cancelled, retried: 0 },
        throughput: (tasks.length * 1_000) / bucketMs,
        failureRate: failed / Math.max(1, completed + failed),
        waitMs: times("createdAt", "startedAt"),
        runMs: times("startedAt", "completedAt"),
      };
    });
}

function percentilesOf(durations: number[]) {
  const sorted = durations.toSorted((a, b) => a - b);
  const at = (share: number) => sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? 0;
  return { p50: at(0.5), p95: at(0.95), p99: at(0.99), max: at(1) };
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
  if (method === "GET" && action === "explain") {
    const message = "It is behind 812 other tasks of priority 0 or higher.";
    return { body: { task, reasons: [{ code: "behind", message, ahead: 812, aheadErrorMax: 0 }] } };
  }
  if (method === "GET") return { body: { task, attempts: world.attempts.get(id) ?? [] } };
  if (method === "DELETE") world.tasks.splice(world.tasks.indexOf(task), 1);
  if (method === "PATCH") Object.assign(task, body);
  if (action === "run-again")
    return enqueue(world, { type: task.type, payload: body.payload ?? task.payload });
  if (action) Object.assign(task, { status: following[action], updatedAt: new Date().toISOString() });
  return { body: { task } };
}
