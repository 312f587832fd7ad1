/** Joins routes, guards, access and pages into one request handler, which mounts under any path. */
import { Hono } from "hono";
import { bodyLimit } from "hono/body-limit";
import type { z } from "zod";
import type { Dure } from "../dure.ts";
import { describeError } from "../tasks/runtime/loop.ts";
import { type Access, Gate, type Role } from "./auth.ts";
import { Documents, type Redact, redactByName } from "./documents.ts";
import { errorAnswer, HttpError } from "./errors.ts";
import { Events } from "./events.ts";
import { checkHost, checkOrigin, securityHeaders } from "./guards.ts";
import { openApi } from "./open-api.ts";
import { Pages } from "./pages.ts";
import type { Route } from "./route.ts";
import { overviewRoutes } from "./routes/overview.ts";
import { taskRoutes } from "./routes/tasks.ts";

export const routes: readonly Route[] = [...taskRoutes, ...overviewRoutes];

const bodyMax = 1024 * 1024;

/** One change that somebody asked for, whether or not it was made. */
export interface AuditEntry {
  at: Date;
  role: Role;
  method: string;
  path: string;
  status: number;
}

export interface HttpOptions {
  /** Where it is mounted, such as '/ops/dure'. Default '/'. */
  basePath?: string;
  /** Names that this server is called by, without a port; 'any' to leave that to whatever stands before it. Default: loopback. */
  hosts?: readonly string[] | "any";
  /** Which values are shown as [redacted], by their keys; false shows all. Default: names that mostly hold secrets. */
  redact?: Redact | false;
  onAudit?: (entry: AuditEntry) => void;
  /** Told of faults of the server; clients are not. Default: standard error. */
  onError?: (message: string) => void;
}

export type HttpHandler = (request: Request) => Promise<Response>;

/** @throws HttpError never: every error is an answer */
export function createApp(dure: Dure, access: Access, options: HttpOptions = {}): HttpHandler {
  const { basePath = "/", redact = redactByName, hosts, onAudit, onError = console.error } = options;
  const base = `/${basePath.replace(/^\/+|\/+$/g, "")}`.replace(/\/?$/, "/");
  const gate = new Gate(access);
  const documents = new Documents(redact || (() => false));
  const events = new Events(dure);
  const pages = new Pages(undefined, base);
  const app = new Hono().basePath(base.slice(0, -1));

  app.use(async (context, next) => {
    checkHost(context.req.raw, hosts === "any" ? null : hosts);
    await next();
    for (const [name, value] of Object.entries(securityHeaders)) context.res.headers.set(name, value);
    if (!context.res.headers.has("cache-control")) context.res.headers.set("cache-control", "no-store");
  });
  app.use(
    bodyLimit({
      maxSize: bodyMax,
      onError: () => answer(new HttpError(413, "BODY_TOO_LARGE", "The body is larger than 1 MiB.")),
    }),
  );
  app.get("/healthz", (context) => context.json({ ok: true }));
  app.get("/readyz", async (context) => {
    await dure.instance.store();
    return context.json({ ok: true });
  });
  for (const route of routes) {
    app.on(route.method, `/api/${route.path}`, async (context) => {
      const request = context.req.raw;
      const isChange = route.method !== "GET";
      if (isChange) checkOrigin(request);
      const role = await gate.admit(request, route.role);
      let status = 500;
      try {
        const body = isChange && route.body ? parsed(route.body, await bodyOf(request), "body") : undefined;
        const query = route.query ? parsed(route.query, context.req.query(), "query") : {};
        const params = context.req.param() as Record<string, string>;
        const value = await route.run({ dure, documents, params, query, body });
        status = 200;
        return context.json(value as object);
      } catch (error) {
        ({ status } = errorAnswer(error));
        throw error;
      } finally {
        if (isChange)
          onAudit?.({ at: new Date(), role, method: route.method, path: `/api/${route.path}`, status });
      }
    });
  }
  app.get("/api/openapi.json", async (context) => {
    await gate.admit(context.req.raw, "viewer");
    return context.json(openApi(routes));
  });
  app.get("/api/events", async (context) => {
    await gate.admit(context.req.raw, "viewer");
    return events.open(context.req.raw);
  });
  app.all("/api/*", () => {
    throw new HttpError(
      404,
      "NOT_FOUND",
      "There is no such address in the API; /api/openapi.json lists them.",
    );
  });
  app.get("*", (context) => {
    const token = context.req.query("token");
    const path = context.req.path.slice(base.length);
    if (token !== undefined) {
      const cookie = gate.login(token);
      const headers = { location: context.req.path, ...(cookie && { "set-cookie": cookie }) };
      return new Response(null, { status: 303, headers });
    }
    const page = pages.answer(decodeURIComponent(path));
    if (page) return page;
    throw new HttpError(404, "NOT_FOUND", "There is no such page.");
  });
  app.onError((error) => answer(error));
  app.notFound(() => answer(new HttpError(404, "NOT_FOUND", "There is no such address.")));
  return async (request) => app.fetch(request);

  function answer(error: unknown): Response {
    const { status, body } = errorAnswer(error);
    if (status >= 500) onError(describeError(error));
    return Response.json(body, { status, headers: securityHeaders });
  }
}

async function bodyOf(request: Request): Promise<unknown> {
  const text = await request.text();
  try {
    return text === "" ? {} : JSON.parse(text);
  } catch {
    throw new HttpError(400, "NOT_JSON", "The body is no JSON.");
  }
}

function parsed(schema: z.ZodType, value: unknown, what: "body" | "query"): unknown {
  const found = schema.safeParse(value);
  if (found.success) return found.data;
  const problems = found.error.issues
    .slice(0, 10)
    .map(({ path, message }) => `${[what, ...path].join(".")}: ${message}`);
  throw new HttpError(400, "INVALID_REQUEST", problems.join("; "));
}
