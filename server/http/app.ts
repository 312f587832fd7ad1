/** Joins routes, guards, access and pages into one request handler, which mounts under any path. */
import { Hono } from "hono";
import { bodyLimit } from "hono/body-limit";
import { z } from "zod";
import type { Dure } from "../dure.ts";
import { byOf, recordIn } from "../tasks/core/audit.ts";
import type { AskedBy } from "../tasks/core/port/store-audit.ts";
import { parseJson } from "../tasks/core/values/json-text.ts";
import { addressOf, askedBy, requestIdHeader, requestIdOf, setAddress } from "./asked-by.ts";
import { type Access, type Caller, Gate, type Role } from "./auth.ts";
import { Documents, type Redact, redactByName } from "./documents.ts";
import { EnqueueLimit, usualEnqueuesPerMinute } from "./enqueue-limit.ts";
import { describeError, errorAnswer, HttpError } from "./errors.ts";
import { Events } from "./events.ts";
import { checkHost, checkIsOpened, checkOrigin, securityHeaders } from "./guards.ts";
import { openApi } from "./open-api.ts";
import { Pages } from "./pages.ts";
import { givenIn, parsed } from "./parsed.ts";
import { checkAsksWhatIsShown, refusal } from "./payload-right.ts";
import type { Call, Route } from "./route.ts";
import { actionRoutes } from "./routes/actions.ts";
import { attentionRoutes } from "./routes/attention.ts";
import { auditRoutes } from "./routes/audit.ts";
import { errorRoutes } from "./routes/errors.ts";
import { historyRoutes } from "./routes/history.ts";
import { overviewRoutes } from "./routes/overview.ts";
import { pauseRoutes } from "./routes/pauses.ts";
import { searchRoutes } from "./routes/searches.ts";
import { taskRoutes } from "./routes/tasks.ts";
import { ageTakenBy, type Bytes, forgetAnswers, sharedAnswer, sharedBytes } from "./shared-answers.ts";
import { Watches } from "./watches.ts";

/** Every route, as its own type: the client is typed by them. */
export const allRoutes = [
  ...taskRoutes,
  ...overviewRoutes,
  ...attentionRoutes,
  ...errorRoutes,
  ...historyRoutes,
  ...actionRoutes,
  ...searchRoutes,
  ...pauseRoutes,
  ...auditRoutes,
];
export const routes: readonly Route[] = allRoutes;

const bodyMax = 1024 * 1024;
/** How long one look at the database answers all who ask whether it is there. */
const readyMs = 1_000;
/** A token in a body is in no log of addresses. */
/** Of routes that take none. */
const noQuery = z.object({});
const logInBody = z.strictObject({ token: z.string().min(1).max(1_000) });

/** One change that somebody asked for, whether or not it was made. */
export interface AuditEntry {
  at: Date;
  role: Role;
  /** The name that `authorize` gave them. */
  name?: string;
  method: string;
  path: string;
  status: number;
  /** As in the audit log. */
  requestId: string;
  /** Of an action on a search: what, by which query, as which task. */
  details?: Record<string, unknown>;
}

export interface HttpOptions {
  /** Where it is mounted, such as '/ops/dure'. Default '/'. */
  basePath?: string;
  /**
   * Names that this server is called by; `localhost:8080` with that port alone, `tasks.example` with any. 'any' leaves that to
   * whatever stands before it. Default: that for a mounted handler; of `listen` where it listens.
   */
  hosts?: readonly string[] | "any";
  /** Which values are shown as [redacted], by their keys; false shows all. Default: names that mostly hold secrets. */
  redact?: Redact | false;
  /** How many tasks each caller may enqueue in a minute; beyond it they are answered 429. Default 60,000; false for any number. */
  enqueuesPerMinute?: number | false;
  /** Called after each change that was asked for, made or refused; what was made is in the audit log as well. */
  onAudit?: (entry: AuditEntry) => void;
  /**
   * Whether the audit log has a record of each task that is enqueued by the API. Default true; false where programs do so all
   * day long. What is enqueued in the dashboard, and what is run again, is always in it.
   */
  auditEnqueues?: boolean;
  /** Told of faults of the server; clients are not. Default: standard error. */
  onError?: (message: string) => void;
}

export type HttpHandler = (request: Request) => Promise<Response>;

/** Every error is an answer. */
export function createApp(dure: Dure, access: Access, options: HttpOptions = {}): HttpHandler {
  const { basePath = "/", redact = redactByName, hosts, onAudit, onError = console.error } = options;
  const { enqueuesPerMinute = usualEnqueuesPerMinute, auditEnqueues = true } = options;
  const base = `/${basePath.replace(/^\/+|\/+$/g, "")}`.replace(/\/?$/, "/");
  const documents = new Documents(redact);
  const gate = new Gate(access);
  sites += 1;
  const site: Site = {
    number: sites,
    dure,
    base,
    gate,
    documents,
    limit: new EnqueueLimit(enqueuesPerMinute || Number.POSITIVE_INFINITY),
    events: new Events(dure, gate),
    watches: new Watches(dure, documents, gate),
    pages: new Pages(undefined, base),
    onAudit: onAudit ?? (() => undefined),
    auditEnqueues,
    answer: (error) => {
      const { status, body } = errorAnswer(error);
      if (status >= 500 && !(error instanceof HttpError)) onError(describeError(error));
      const { retryAfterMs } = body.details as { retryAfterMs?: number };
      const again = retryAfterMs && { "retry-after": String(Math.ceil(retryAfterMs / 1_000)) };
      return Response.json(body, { status, headers: { ...securityHeaders, ...again } });
    },
    tellUnrecorded: once((error) =>
      onError(`Log-ins and log-outs cannot be recorded in the audit log: ${describeError(error)}`),
    ),
  };
  const app = new Hono().basePath(base.slice(0, -1));
  guard(app, site, hosts);
  addApi(app, site);
  addPages(app, site);
  app.onError((error) => site.answer(error));
  app.notFound(() => site.answer(new HttpError(404, "NOT_FOUND", "There is no such address.")));
  return async (request) => app.fetch(request);
}

/** A replica would say the same at each log-in. */
function once(tell: (error: unknown) => void): (error: unknown) => void {
  let isTold = false;
  return (error) => {
    if (!isTold) tell(error);
    isTold = true;
  };
}

/** Each handler redacts by its own rule, so none gives another's answers. */
let sites = 0;

/** What all that is answered has need of. */
interface Site {
  number: number;
  dure: Dure;
  /** Begins and ends with a slash. */
  base: string;
  gate: Gate;
  documents: Documents;
  limit: EnqueueLimit;
  events: Events;
  watches: Watches;
  pages: Pages;
  onAudit: (entry: AuditEntry) => void;
  auditEnqueues: boolean;
  answer: (error: unknown) => Response;
  /** Why sessions are not in the audit log. */
  tellUnrecorded: (error: unknown) => void;
}

function guard(app: Hono, { answer }: Site, hosts: HttpOptions["hosts"]): void {
  app.use(async (context, next) => {
    checkHost(context.req.raw, hosts === undefined || hosts === "any" ? null : hosts);
    await next();
    if (whole.has(context.res)) return;
    for (const [name, value] of Object.entries(securityHeaders)) context.res.headers.set(name, value);
    if (!context.res.headers.has("cache-control")) context.res.headers.set("cache-control", "no-store");
  });
  const tooLarge = () => answer(new HttpError(413, "BODY_TOO_LARGE", "The body is larger than 1 MiB."));
  const limited = bodyLimit({ maxSize: bodyMax, onError: tooLarge });
  // Of a question nobody reads a body, and looking for one costs more than the rest of the request.
  app.use(async (context, next) => {
    if (context.req.method === "GET") return next();
    const address = addressOf(context.req.raw);
    return limited(context, () => {
      setAddress(context.req.raw, address);
      return next();
    });
  });
}

/** Answers that carry every header already: to look at those of a response is what costs, at hundreds a second. */
const whole = new WeakSet<Response>();
const answerHeaders = {
  ...securityHeaders,
  "cache-control": "no-store",
  "content-type": "application/json",
};

function wholeAnswer({ bytes, status, requestId }: Answered): Response {
  const headers = requestId ? { ...answerHeaders, [requestIdHeader]: requestId } : answerHeaders;
  const response = new Response(bytes, { status, headers });
  whole.add(response);
  return response;
}

function addApi(app: Hono, site: Site): void {
  const { dure, gate, events, watches } = site;
  app.get("/healthz", (context) => context.json({ ok: true }));
  app.get("/readyz", async (context) => {
    // Anybody may ask, so all of them together cost the database one small read a second.
    await sharedAnswer(dure, "ready", readyMs, () => dure.listPauses());
    return context.json({ ok: true });
  });
  // Before what takes any word there for an id.
  app.get("/api/tasks/watch", async (context) => {
    const request = context.req.raw;
    const caller = await gate.admit(request, "viewer");
    return watches.open(request, caller, gate.whose(request, caller));
  });
  for (const route of routes) {
    app.on(route.method, `/api/${route.path}`, async (context) => {
      const params = context.req.param() as Record<string, string>;
      return wholeAnswer(await run(site, route, context.req.raw, params));
    });
  }
  app.get("/api/openapi.json", async (context) => {
    await gate.admit(context.req.raw, "viewer");
    return context.json(openApi(routes));
  });
  app.post("/api/session", async (context) => {
    const request = context.req.raw;
    checkOrigin(request);
    const { token } = parsed(logInBody, await bodyOf(request), "body");
    const cookie = await logIn(site, request, token);
    if (cookie === undefined) throw new HttpError(404, "NOT_FOUND", "Nobody logs in here by a token.");
    return context.json({ begun: true }, 200, { "set-cookie": cookie });
  });
  app.delete("/api/session", async (context) => {
    const request = context.req.raw;
    checkOrigin(request);
    const caller = await gate.admit(request, "viewer");
    const hadSession = gate.hasSession(request);
    const cookie = gate.logout(request);
    await Promise.all([events.letGo(), watches.letGo()]);
    if (hadSession) await recordSession(site, askedBy(request, caller, requestIdOf(request)), "log-out");
    return context.json({ ended: true }, 200, { "set-cookie": cookie });
  });
  app.get("/api/events", async (context) => {
    const request = context.req.raw;
    const caller = await gate.admit(request, "viewer");
    return events.open(request, gate.whose(request, caller));
  });
  app.all("/api/*", () => {
    throw new HttpError(
      404,
      "NOT_FOUND",
      "There is no such address in the API; /api/openapi.json lists them.",
    );
  });
}

/** The bytes of an answer, and of a change the id that it goes by. */
interface Answered {
  bytes: Bytes;
  status: 200 | 202;
  requestId?: string;
}

async function run(
  site: Site,
  route: Route,
  request: Request,
  params: Record<string, string>,
): Promise<Answered> {
  const { dure, gate, onAudit } = site;
  const isChange = route.method !== "GET";
  if (isChange) checkOrigin(request);
  const caller = await gate.admit(request, route.role);
  const { role, name } = caller;
  const requestId = isChange ? requestIdOf(request) : "";
  let status: number = 500;
  let details: AuditEntry["details"];
  try {
    const body = isChange && route.body ? parsed(route.body, await bodyOf(request), "body") : undefined;
    const query = parsed(route.query ?? noQuery, givenIn(request.url), "query");
    const audit = (more: object) => {
      details = { ...details, ...more };
    };
    const by = isChange ? askersOf(site, request, caller, requestId) : noAskers;
    const call = { ...rightsOf(site, caller, request), ...by, dure, params, query, body, audit };
    if (!call.seesPayloads && route.needsPayloads) throw refusal();
    await checkAsksWhatIsShown(dure, call, body ?? query);
    if (!isChange && !route.isOwn) return { bytes: await shared(site, route, request, call), status: 200 };
    const value = await route.run(call);
    const answered = route.statusOf?.(value) ?? 200;
    status = answered;
    return { bytes: bytesOf(value), status: answered, requestId };
  } catch (error) {
    ({ status } = errorAnswer(error));
    throw error;
  } finally {
    if (isChange) {
      forgetAnswers(dure);
      const path = new URL(request.url).pathname;
      const who = { role, ...(name !== undefined && { name }) };
      const entry = { at: new Date(), ...who, method: route.method, path, status, requestId };
      onAudit({ ...entry, ...(details && { details }) });
    }
  }
}

/** Questions change nothing. */
const noAskers = { by: {}, enqueuedBy: undefined };

function askersOf({ auditEnqueues }: Site, request: Request, caller: Caller, requestId: string) {
  const by = askedBy(request, caller, requestId);
  return { by, enqueuedBy: auditEnqueues || by.via === "dashboard" ? by : undefined };
}

function isRefusedVisitor(error: unknown, accepted = ""): boolean {
  return error instanceof HttpError && error.status === 401 && accepted.includes("text/html");
}

/** The cookie of a new session; undefined where there are none. @throws HttpError 401, 429 */
async function logIn(site: Site, request: Request, secret: string): Promise<string | undefined> {
  const begun = site.gate.login(request, secret);
  if (!begun) return undefined;
  const by = askedBy(request, begun.caller, requestIdOf(request));
  await recordSession(site, { ...by, via: "dashboard" }, "log-in");
  return begun.cookie;
}

/** A session begins and ends without its record, too: a database that takes no writes is looked at all the same. */
async function recordSession(site: Site, by: AskedBy, action: "log-in" | "log-out"): Promise<void> {
  const { instance } = site.dure;
  try {
    await recordIn(instance, byOf(instance, by), { action, kind: "session", target: "dashboard" });
  } catch (error) {
    site.tellUnrecorded(error);
  }
}

/** What a route is told of its caller, and what it may do for them. */
function rightsOf({ gate, documents, limit }: Site, { role, name, payloads }: Caller, request: Request) {
  const caller = name ?? role;
  const seesPayloads = payloads !== false;
  return {
    role,
    caller,
    seesPayloads,
    documents: documents.shownTo(seesPayloads),
    canLogOut: gate.hasSession(request),
    need: (needed: Role) => gate.check(role, needed),
    charge: (tasks: number) => limit.take(caller, tasks),
  };
}

/** Those who may see the same and ask the same share one answer, when they say that they take one of a moment ago. */
async function shared(site: Site, route: Route, request: Request, call: Call): Promise<Bytes> {
  const ask = async () => bytesOf(await route.run(call));
  const ageMs = ageTakenBy(request);
  if (ageMs === 0) return ask();
  const asked = [site.number, call.role, call.seesPayloads, route.path, call.params, call.query];
  return sharedBytes(site.dure, JSON.stringify(asked), ageMs, ask);
}

function bytesOf(value: unknown): Bytes {
  return Buffer.from(JSON.stringify(value));
}

function addPages(app: Hono, site: Site): void {
  const { base, pages } = site;
  app.get("*", async (context) => {
    const token = context.req.query("token");
    // Whoever only looks whether an address is there (HEAD) uses up no link.
    if (token !== undefined && context.req.method === "GET") {
      checkIsOpened(context.req.raw);
      const cookie = await logIn(site, context.req.raw, token).catch((error) => {
        // Whoever opens a link again is either still logged in, or asked for another by the page.
        if (!isRefusedVisitor(error, context.req.header("accept"))) throw error;
        return undefined;
      });
      const headers = { location: withoutToken(context.req.url), ...(cookie && { "set-cookie": cookie }) };
      return new Response(null, { status: 303, headers });
    }
    const encodings = context.req.header("accept-encoding");
    const page = pages.answer(decoded(context.req.path.slice(base.length)), encodings);
    if (page) return page;
    throw new HttpError(404, "NOT_FOUND", "There is no such page.");
  });
}

/** @throws HttpError 404 for what is no encoded text */
function decoded(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    throw new HttpError(404, "NOT_FOUND", "There is no such page.");
  }
}

/** The rest of the address, below this host. */
function withoutToken(address: string): string {
  const { pathname, searchParams } = new URL(address);
  searchParams.delete("token");
  // A path of two slashes would be another host's address.
  return `${pathname.replace(/^\/+/, "/")}${searchParams.size > 0 ? `?${searchParams}` : ""}`;
}

async function bodyOf(request: Request): Promise<unknown> {
  const text = await request.text();
  if (text === "" && Number(request.headers.get("content-length")) > 0) {
    throw new HttpError(
      400,
      "INVALID_REQUEST",
      "The body was read before it came here, and is lost. Mount this handler before whatever reads bodies, such as express.json().",
    );
  }
  try {
    return text === "" ? {} : parseJson(text);
  } catch (error) {
    throw new HttpError(400, "NOT_JSON", `The body cannot be read as JSON: ${(error as Error).message}.`);
  }
}
