/** The only fetch of the dashboard: addresses relative to `<base href>`, JSON in and out, errors as ApiError. */
import type { SearchAction } from "./acting.ts";
import type {
  AttemptDocument,
  Attention,
  AuditPage,
  Completion,
  DefinitionDocument,
  ErrorsAnswer,
  HistoryBucket,
  Json,
  PauseDocument,
  SavedSearchDocument,
  Session,
  Stats,
  SummaryGroup,
  TaskDetail,
  TaskDocument,
  TaskPage,
  WorkerDocument,
} from "./contract.ts";
import { orderInQuery } from "./order.ts";

/** An answer that says no: the server's `code`, `message` and `details`; status 0 when there was no answer. */
export class ApiError extends Error {
  override name = "ApiError";
  readonly status: number;
  readonly code: string;
  readonly details: { [key: string]: unknown };

  constructor(status: number, code: string, message: string, details: { [key: string]: unknown } = {}) {
    super(message);
    this.status = status;
    this.code = code;
    this.details = details;
  }
}

type Query = { [name: string]: string | number | boolean | undefined };

/** The search behind a list of tasks, as it stands in the address of the page. */
export interface TaskSearch {
  q?: string | undefined;
  status?: string | undefined;
  type?: string | undefined;
  sort?: string | undefined;
}

/**
 * Four attributes are asked for at once and one reader answers; a share of the newest tasks is better than an exact count
 * that one waits for.
 */
const facetBudget = "25ms";
/** What takes longer to be counted by status is told by a share of the newest tasks. */
const countBudget = "100ms";

interface Summary {
  groups: SummaryGroup[];
  total: { count: number };
  /** The groups are of so many of the newest tasks. */
  sampled?: number;
}

export interface StatusCounts {
  groups: readonly { status?: SummaryGroup["status"]; count: number }[];
  /** The counts are estimated from so many of the newest tasks; a status that is not among them may have some. */
  sampled: number | undefined;
}

/** Which records of the audit log are shown, as it stands in the address of the page. */
export interface AuditFilter {
  who?: string | undefined;
  action?: string | undefined;
  target?: string | undefined;
}

/** What is told of a new task beside its payload; what is left out is its definition's. */
export interface EnqueueSettings {
  delay?: string;
  runAt?: string;
  priority?: number;
  queue?: string;
  tags?: string[];
  idempotencyKey?: string;
  id?: string;
}

export const api = {
  tasks: (search: TaskSearch, page: { cursor?: string | undefined; limit: number }, signal?: AbortSignal) =>
    get<TaskPage>("tasks", { ...listQuery(search), ...page, definitions: false, attributes: true }, signal),
  count: (search: TaskSearch, signal?: AbortSignal) =>
    get<{ count: number; exact?: boolean }>("tasks/count", filterQuery(search), signal),
  task: async (id: string, signal?: AbortSignal): Promise<TaskDetail> =>
    taskDetail(await get<TaskDetail | FlatDetail>(`tasks/${encodeURIComponent(id)}`, {}, signal)),
  /** Why it is where it is, the most important reason first, in the server's words. */
  reasons: async (id: string, signal?: AbortSignal) => {
    const path = `tasks/${encodeURIComponent(id)}/explain`;
    const { reasons } = await get<{ reasons: { message: string }[] }>(path, {}, signal);
    return reasons.map(({ message }) => message);
  },
  enqueue: (body: { type: string; payload: Json } & EnqueueSettings) =>
    send<{ task: TaskDocument } | TaskDocument>("POST", "tasks", body).then(taskOf),
  // What is done to a task is done to the one that was looked at: one that has changed since is refused.
  retry: (task: TaskAtHand) => act(task, "retry", seen(task)),
  cancel: (task: TaskAtHand) => act(task, "cancel", seen(task)),
  runAgain: (task: TaskAtHand, body: { payload?: Json } & EnqueueSettings = {}) =>
    act(task, "run-again", body),
  delete: (task: TaskAtHand) =>
    send<unknown>("DELETE", `tasks/${encodeURIComponent(task.id)}`, undefined, undefined, seen(task)),
  previewAction: (action: SearchAction, search: TaskSearch, signal?: AbortSignal) =>
    send<{ count: number; sample: TaskDocument[]; unfilled?: number; hint?: string }>(
      "POST",
      "actions",
      actionBody(action, search, true),
      signal,
    ),
  startAction: async (action: SearchAction, search: TaskSearch) =>
    (await send<{ task: TaskDocument }>("POST", "actions", actionBody(action, search, false))).task,
  action: async (id: string, signal?: AbortSignal) =>
    (await get<{ task: TaskDocument }>(`actions/${encodeURIComponent(id)}`, {}, signal)).task,
  edit: (id: string, change: { priority?: number; dueAt?: string | null; expectedVersion?: number }) =>
    send<unknown>("PATCH", `tasks/${encodeURIComponent(id)}`, change),
  definitions: async (signal?: AbortSignal) =>
    (await get<{ definitions: DefinitionDocument[] }>("definitions", {}, signal)).definitions,
  workers: async (signal?: AbortSignal) =>
    (await get<{ workers: WorkerDocument[] }>("workers", {}, signal)).workers,
  session: (signal?: AbortSignal) => get<Session>("session", {}, signal),
  logIn: (token: string) => send<unknown>("POST", "session", { token }),
  logOut: () => send<unknown>("DELETE", "session"),
  stats: (signal?: AbortSignal) => get<Stats>("stats", {}, signal),
  history: async (from: number, bucket: string, type: string | undefined, signal?: AbortSignal) =>
    (
      await get<{ buckets: HistoryBucket[] }>(
        "history",
        { from: new Date(from).toISOString(), bucket, type },
        signal,
      )
    ).buckets,
  statusCounts: async (search: TaskSearch, signal?: AbortSignal): Promise<StatusCounts> => {
    const asked = { by: "status", budget: countBudget, ...filterQuery({ ...search, status: undefined }) };
    const { groups, total, sampled } = await get<Summary>("summary", asked, signal);
    const scale = sampled ? total.count / sampled : 1;
    return {
      sampled,
      groups: groups.map(({ status, count }) => ({ status, count: Math.round(count * scale) })),
    };
  },
  facet: (search: TaskSearch, by: string, signal?: AbortSignal) =>
    get<Summary>("summary", { by, budget: facetBudget, ...filterQuery(search) }, signal),
  errors: (signal?: AbortSignal) => get<ErrorsAnswer>("errors", {}, signal),
  audit: (filter: AuditFilter, cursor: string | undefined, signal?: AbortSignal) =>
    get<AuditPage>(
      "audit",
      { who: filter.who, action: filter.action, target: filter.target, cursor },
      signal,
    ),
  /** Who asked for the last change of a task; null when nobody did. */
  lastChange: async (target: string, signal?: AbortSignal) =>
    (await get<AuditPage>("audit", { target, limit: 1 }, signal)).records[0] ?? null,
  attention: async (signal?: AbortSignal) =>
    (await get<{ attention: Attention[] }>("attention", {}, signal)).attention,
  pauses: async (signal?: AbortSignal) =>
    (await get<{ pauses: PauseDocument[] }>("pauses", {}, signal)).pauses,
  pause: async (kind: PauseKind, name: string) =>
    (await send<{ pause: PauseDocument }>("PUT", pausePath(kind, name), {})).pause,
  resume: (kind: PauseKind, name: string) => send<{ resumed: boolean }>("DELETE", pausePath(kind, name)),
  searches: async (signal?: AbortSignal) =>
    (await get<{ searches: SavedSearchDocument[] }>("searches", {}, signal)).searches,
  /** The alert stays where it is left out; null takes it away. */
  saveSearch: async (name: string, body: { query: string; alert?: SavedSearchDocument["alert"] | null }) =>
    (await send<{ search: SavedSearchDocument }>("PUT", `searches/${encodeURIComponent(name)}`, body)).search,
  deleteSearch: (name: string) => send<unknown>("DELETE", `searches/${encodeURIComponent(name)}`),
  complete: (text: string, position: number, signal?: AbortSignal) =>
    get<Completion>("query/complete", { text, position }, signal),
  eventsUrl: () => new URL("api/events", document.baseURI).href,
};

export type PauseKind = "type" | "queue";

function pausePath(kind: PauseKind, name: string): string {
  return `pauses/${kind}/${encodeURIComponent(name)}`;
}

type FlatDetail = TaskDocument & { attemptList?: AttemptDocument[] };

function taskDetail(answer: TaskDetail | FlatDetail): TaskDetail {
  return "task" in answer ? answer : { task: answer, attempts: answer.attemptList ?? [] };
}

function taskOf(answer: { task: TaskDocument } | TaskDocument): TaskDocument {
  return "task" in answer ? answer.task : answer;
}

/** A task as it was read; without a version, whatever it is by now. */
export type TaskAtHand = Pick<TaskDocument, "id" | "version">;

function seen({ version }: TaskAtHand): { expectedVersion?: number } {
  return version === undefined ? {} : { expectedVersion: version };
}

function act({ id }: TaskAtHand, action: string, body: object) {
  return send<{ task: TaskDocument } | TaskDocument>(
    "POST",
    `tasks/${encodeURIComponent(id)}/${action}`,
    body,
  ).then(taskOf);
}

function actionBody(action: SearchAction, search: TaskSearch, dryRun: boolean) {
  const given = Object.entries(filterQuery(search)).filter(([, value]) => value);
  // Every task is meant by that alone.
  return { action, dryRun, ...(given.length === 0 ? { q: "type:*" } : Object.fromEntries(given)) };
}

function filterQuery({ q, status, type }: TaskSearch): Query {
  return { q, status, type };
}

/** `sort` in the address is the field, with `-` before it for descending; the query knows its own order. */
function listQuery(search: TaskSearch): Query {
  const { q = "", sort } = search;
  if (!sort || orderInQuery(q) !== undefined) return filterQuery(search);
  return {
    ...filterQuery(search),
    sort: sort.replace(/^-/, ""),
    order: sort.startsWith("-") ? "desc" : "asc",
  };
}

/** Other dashboards' answers of a moment ago will do; a change and a hint of one make the server forget them. */
function get<Answer>(path: string, query: Query, signal?: AbortSignal): Promise<Answer> {
  return ask<Answer>(apiUrl(path, query), {
    headers: { "cache-control": "max-age=1" },
    signal: signal ?? null,
  });
}

function send<Answer>(
  method: string,
  path: string,
  body?: unknown,
  signal?: AbortSignal,
  query: Query = {},
): Promise<Answer> {
  return ask<Answer>(apiUrl(path, query), {
    method,
    headers: { "content-type": "application/json", "x-dure-via": "dashboard" },
    ...(body !== undefined && { body: JSON.stringify(body) }),
    signal: signal ?? null,
  });
}

function apiUrl(path: string, query: Query): URL {
  const url = new URL(`api/${path}`, document.baseURI);
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined && value !== "") url.searchParams.set(name, String(value));
  }
  return url;
}

async function ask<Answer>(url: URL, init: RequestInit): Promise<Answer> {
  const response = await fetch(url, { credentials: "same-origin", redirect: "error", ...init }).catch(
    (cause) => {
      if (cause instanceof DOMException && cause.name === "AbortError") throw cause;
      throw new ApiError(0, "NETWORK", String(cause));
    },
  );
  const text = await response.text();
  const answer: unknown = text === "" ? undefined : parse(text);
  if (response.ok) return answer as Answer;
  throw asError(response, answer);
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function asError(response: Response, answer: unknown): ApiError {
  const { code, message, details } = (answer ?? {}) as { code?: string; message?: string; details?: object };
  return new ApiError(
    response.status,
    code ?? "HTTP",
    message ?? `${response.status} ${response.statusText}`,
    { ...details },
  );
}
