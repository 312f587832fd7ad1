/** `dure/client`: the HTTP API as typed functions, for whatever has `fetch`: browsers, Deno, Bun, Node. Imports nothing. */
import type { CallAnswer, CallArguments, CallBody, CallName, CallQuery } from "./client/calls.ts";
import { type ClientOptions, Connection, type Input } from "./client/connection.ts";
import { events } from "./client/events.ts";
import { revive } from "./client/revive.ts";

export type {
  CallAnswer,
  CallArguments,
  CallBody,
  CallInput,
  CallName,
  CallQuery,
  Calls,
} from "./client/calls.ts";
export type { ClientOptions } from "./client/connection.ts";
export { DureClientError } from "./client/error.ts";

/** Of every call. */
export interface RequestOptions {
  /** Ends the request; the call rejects with the signal's reason. */
  signal?: AbortSignal;
}

type Item<Name extends CallName, Key extends keyof CallAnswer<Name>> = CallAnswer<Name>[Key];

/** A task as the client gives it: the API's, with its instants as Dates. */
export type ClientTask = Item<"GET /tasks/:id", "task">;
export type ClientAttempt = Item<"GET /tasks/:id", "attempts">[number];
export type ClientDefinition = Item<"GET /definitions", "definitions">[number];
export type ClientWorker = Item<"GET /workers", "workers">[number];
export type ClientPause = Item<"GET /pauses", "pauses">[number];

/** What to pause or resume: a type, or a queue. */
export type PauseTarget = { type: string; queue?: undefined } | { type?: undefined; queue: string };

/** A query under a name, with its alert and what that has found. */
export type ClientSavedSearch = Item<"GET /searches", "searches">[number];

/** The filters of a search, and where to begin. */
export type WatchTasksOptions = NonNullable<CallQuery<"GET /tasks/count">> & {
  since?: string | undefined;
} & RequestOptions;

/** What became of a task of a watched search. */
export interface ClientTaskChange {
  /** 'left' also when it was deleted. */
  change: "entered" | "changed" | "left";
  task: ClientTask;
  isDeleted?: true;
  /** Pass as `since` to go on after this one. */
  cursor: string;
}

type Settings = Omit<CallBody<"POST /tasks">, "type" | "payload">;

/**
 * A client of one server. Nothing is asked before a method is called.
 * Methods reject with DureClientError: the server's code and message, or `NETWORK` when there was no answer.
 */
export function createClient(options: ClientOptions): DureClient {
  return new DureClient(new Connection(options));
}

export class DureClient {
  readonly #connection: Connection;

  /** @internal */
  constructor(connection: Connection) {
    this.#connection = connection;
  }

  /** Any route, by its method and path: `client.call("GET /tasks/:id", { params: { id } })`. */
  call<Name extends CallName>(name: Name, ...[input]: CallArguments<Name>): Promise<CallAnswer<Name>> {
    return this.#connection.call(name, input as Input) as Promise<CallAnswer<Name>>;
  }

  /** A page of tasks; `nextCursor` leads to the next one. */
  searchTasks(
    query: CallQuery<"GET /tasks"> = {},
    options?: RequestOptions,
  ): Promise<CallAnswer<"GET /tasks">> {
    return this.call("GET /tasks", { query, ...options });
  }

  /** All tasks that fit, page by page as they are read. */
  async *eachTask(
    query: CallQuery<"GET /tasks"> = {},
    options?: RequestOptions,
  ): AsyncGenerator<ClientTask, void, undefined> {
    let cursor: string | undefined;
    do {
      const page = await this.searchTasks({ limit: 200, ...query, ...(cursor && { cursor }) }, options);
      yield* page.tasks;
      cursor = page.nextCursor;
    } while (cursor !== undefined);
  }

  /** How many fit: `{ count, exact, errorMax }`; where it would take longer than a second, an estimate, off by at most `errorMax`. */
  countTasks(
    query: CallQuery<"GET /tasks/count"> = {},
    options?: RequestOptions,
  ): Promise<CallAnswer<"GET /tasks/count">> {
    return this.call("GET /tasks/count", { query, ...options });
  }

  /** Which way a search is served, and what would make it cheaper; reads no task. */
  explainSearch(
    query: CallQuery<"GET /tasks/explain"> = {},
    options?: RequestOptions,
  ): Promise<CallAnswer<"GET /tasks/explain">> {
    return this.call("GET /tasks/explain", { query, ...options });
  }

  /** How many tasks there are by status, type, queue and time. */
  summarizeTasks(
    query: CallQuery<"GET /summary"> = {},
    options?: RequestOptions,
  ): Promise<CallAnswer<"GET /summary">> {
    return this.call("GET /summary", { query, ...options });
  }

  /** A task with its attempts. Rejects with TASK_NOT_FOUND. */
  getTask(id: string, options?: RequestOptions): Promise<CallAnswer<"GET /tasks/:id">> {
    return this.call("GET /tasks/:id", { params: { id }, ...options });
  }

  /** Why a task is where it is, and what happens to it next. */
  explainTask(id: string, options?: RequestOptions): Promise<CallAnswer<"GET /tasks/:id/explain">> {
    return this.call("GET /tasks/:id/explain", { params: { id }, ...options });
  }

  /** Rejects with TASK_NOT_DEFINED, INVALID_PAYLOAD, IDEMPOTENCY_CONFLICT and others of `enqueue`. Needs the role operator. */
  async enqueueTask(
    type: string,
    payload: unknown,
    { signal, ...settings }: Settings & RequestOptions = {},
  ): Promise<ClientTask> {
    return (await this.call("POST /tasks", { body: { type, payload, ...settings }, signal })).task;
  }

  /** At most 1,000, each by itself; in the order given. Where one is refused, `details.stored` has the ids of those that are stored. */
  async enqueueTasks(
    tasks: CallBody<"POST /tasks/batch">["tasks"],
    options?: RequestOptions,
  ): Promise<ClientTask[]> {
    return (await this.call("POST /tasks/batch", { body: { tasks }, ...options })).tasks;
  }

  /** As `cancelTask` of the server: `requested` when its handler was asked to stop. Rejects with STATUS_CONFLICT once it has ended. */
  cancelTask(
    id: string,
    { signal, ...body }: CallBody<"POST /tasks/:id/cancel"> & RequestOptions = {},
  ): Promise<CallAnswer<"POST /tasks/:id/cancel">> {
    return this.call("POST /tasks/:id/cancel", { params: { id }, body, signal });
  }

  /** A FAILED or CANCELLED task is PENDING again, with all its attempts. Rejects with STATUS_CONFLICT for any other. */
  async retryTask(
    id: string,
    { signal, ...body }: CallBody<"POST /tasks/:id/retry"> & RequestOptions = {},
  ): Promise<ClientTask> {
    return (await this.call("POST /tasks/:id/retry", { params: { id }, body, signal })).task;
  }

  /** Enqueues a new task like this one, with the same payload or another. */
  async runTaskAgain(
    id: string,
    { signal, ...body }: CallBody<"POST /tasks/:id/run-again"> & RequestOptions = {},
  ): Promise<ClientTask> {
    return (await this.call("POST /tasks/:id/run-again", { params: { id }, body, signal })).task;
  }

  /** Priority or due time of a PENDING task. Rejects with STATUS_CONFLICT for any other. */
  async editTask(
    id: string,
    { signal, ...body }: CallBody<"PATCH /tasks/:id"> & RequestOptions,
  ): Promise<ClientTask> {
    return (await this.call("PATCH /tasks/:id", { params: { id }, body, signal })).task;
  }

  /** With its attempts. Rejects with STATUS_CONFLICT until it has ended. Needs the role admin. */
  async deleteTask(
    id: string,
    { signal, ...query }: CallQuery<"DELETE /tasks/:id"> & RequestOptions = {},
  ): Promise<void> {
    await this.call("DELETE /tasks/:id", { params: { id }, query, signal });
  }

  /** How many tasks an action on a search would change, and the first of them. */
  async previewAction(
    action: Omit<CallBody<"POST /actions">, "dryRun">,
    options?: RequestOptions,
  ): Promise<{ count: number; sample: ClientTask[] }> {
    const body = { ...action, dryRun: true };
    return (await this.call("POST /actions", { body, ...options })) as {
      count: number;
      sample: ClientTask[];
    };
  }

  /** Cancels, retries, deletes or edits all that fits, as a task: `getAction` says how far it is, `cancelTask` ends it. */
  async startAction(
    action: Omit<CallBody<"POST /actions">, "dryRun">,
    options?: RequestOptions,
  ): Promise<ClientTask> {
    const body = { ...action, dryRun: false };
    return ((await this.call("POST /actions", { body, ...options })) as { task: ClientTask }).task;
  }

  /** The task that does an action: its progress, and its result once it has ended. */
  async getAction(id: string, options?: RequestOptions): Promise<ClientTask> {
    return (await this.call("GET /actions/:id", { params: { id }, ...options })).task;
  }

  /** Types first, then queues, each by name. */
  async listPauses(options?: RequestOptions): Promise<ClientPause[]> {
    return (await this.call("GET /pauses", options)).pauses;
  }

  /** Tasks of the type or queue wait from the answer on; what runs goes on. */
  async pause(
    target: PauseTarget,
    { signal, ...body }: CallBody<"PUT /pauses/:kind/:name"> & RequestOptions = {},
  ): Promise<ClientPause> {
    return (await this.call("PUT /pauses/:kind/:name", { params: pauseParams(target), body, signal })).pause;
  }

  /** Answers whether it was paused. */
  async resume(target: PauseTarget, options?: RequestOptions): Promise<boolean> {
    const params = pauseParams(target);
    return (await this.call("DELETE /pauses/:kind/:name", { params, ...options })).resumed;
  }

  /** By name. */
  async listSearches(options?: RequestOptions): Promise<ClientSavedSearch[]> {
    return (await this.call("GET /searches", options)).searches;
  }

  /** Keeps a query under a name; what is left out stays as it was, and null takes it away. */
  async saveSearch(
    name: string,
    { signal, ...body }: CallBody<"PUT /searches/:name"> & RequestOptions,
  ): Promise<ClientSavedSearch> {
    return (await this.call("PUT /searches/:name", { params: { name }, body, signal })).search;
  }

  /** Rejects with SEARCH_NOT_FOUND. */
  async deleteSearch(name: string, options?: RequestOptions): Promise<void> {
    await this.call("DELETE /searches/:name", { params: { name }, ...options });
  }

  /** By id. */
  async listDefinitions(options?: RequestOptions): Promise<ClientDefinition[]> {
    return (await this.call("GET /definitions", options)).definitions;
  }

  /** Those that are alive first, then the latest start; at most 1,000. */
  async listWorkers(options?: RequestOptions): Promise<ClientWorker[]> {
    return (await this.call("GET /workers", options)).workers;
  }

  /** The role by which this client is known. */
  session(options?: RequestOptions): Promise<CallAnswer<"GET /session">> {
    return this.call("GET /session", options);
  }

  /** Exact counts by type, queue and status; sizes in bytes, ages in milliseconds. */
  stats(options?: RequestOptions): Promise<CallAnswer<"GET /stats">> {
    return this.call("GET /stats", options);
  }

  /** What `dure doctor` prints. */
  async checkHealth(options?: RequestOptions): Promise<Item<"GET /health", "findings">> {
    return (await this.call("GET /health", options)).findings;
  }

  /** What ended when, and how long it waited and ran; also of tasks that are gone. */
  async readHistory(
    query: CallQuery<"GET /history"> = {},
    options?: RequestOptions,
  ): Promise<Item<"GET /history", "buckets">> {
    return (await this.call("GET /history", { query, ...options })).buckets;
  }

  /** The audit log, newest first. */
  readAudit(
    query: CallQuery<"GET /audit"> = {},
    options?: RequestOptions,
  ): Promise<CallAnswer<"GET /audit">> {
    return this.call("GET /audit", { query, ...options });
  }

  /** What needs attention, worst first, each with the search behind it. */
  async listAttention(options?: RequestOptions): Promise<Item<"GET /attention", "attention">> {
    return (await this.call("GET /attention", options)).attention;
  }

  /** Failed tasks by errors that say the same. */
  async listErrors(options?: RequestOptions): Promise<Item<"GET /errors", "errors">> {
    return (await this.call("GET /errors", options)).errors;
  }

  /** What may stand at a place of a query that is being written. */
  completeQuery(
    text: string,
    position: number,
    options?: RequestOptions,
  ): Promise<CallAnswer<"GET /query/complete">> {
    return this.call("GET /query/complete", { query: { text, position }, ...options });
  }

  /**
   * What changes in a search, as it changes; goes on through broken connections, where it was. Ends when the signal aborts
   * or the loop is left. With `since`, the `cursor` of an earlier change, it begins after that one, else with now. After a
   * broken connection, or with `since`, some changes just before may come again.
   */
  async *watchTasks({
    signal,
    since,
    ...query
  }: WatchTasksOptions = {}): AsyncGenerator<ClientTaskChange, void, undefined> {
    const told = events(this.#connection, "/tasks/watch", query, { after: since, signal });
    for await (const { id, data } of told) {
      yield { ...(revive(JSON.parse(data)) as Omit<ClientTaskChange, "cursor">), cursor: id };
    }
  }

  /**
   * Yields once whenever something has changed, at most twice a second; goes on through broken connections. Ends when
   * the signal aborts or the loop is left.
   */
  async *watchHints({ signal }: RequestOptions = {}): AsyncGenerator<void, void, undefined> {
    for await (const { event } of events(this.#connection, "/events", {}, { signal })) {
      if (event === "changed") yield;
    }
  }
}

function pauseParams({ type, queue }: PauseTarget): { kind: string; name: string } {
  return type === undefined ? { kind: "queue", name: queue } : { kind: "type", name: type };
}
