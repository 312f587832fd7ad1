/** One request and its answer, by nothing but `fetch`. */
import { DureClientError, errorOf, parse } from "./error.ts";
import { revive } from "./revive.ts";

export interface ClientOptions {
  /** Where the server is, with the path that it is mounted under: `http://127.0.0.1:3340` or `https://shop.test/ops/dure`. */
  url: string | URL;
  /** What `dure dashboard` was given or printed; left out where the server tells callers by other means, such as a cookie. */
  token?: string;
  /** Used instead of the global one: to add headers, to try again, to test. */
  fetch?: typeof globalThis.fetch;
}

export interface Input {
  params?: Readonly<Record<string, string>>;
  query?: Readonly<Record<string, unknown>>;
  body?: unknown;
  signal?: AbortSignal | undefined;
}

export class Connection {
  readonly #base: URL;
  readonly #token: string | undefined;
  readonly #fetch: typeof globalThis.fetch;

  constructor({ url, token, fetch }: ClientOptions) {
    this.#base = new URL(String(url).replace(/\/?$/, "/"));
    this.#token = token;
    // As a bare function: a browser's fetch refuses another `this`.
    this.#fetch = fetch ?? ((input, init) => globalThis.fetch(input, init));
  }

  /** @param name such as `GET /tasks/:id` */
  async call(name: string, { params = {}, query = {}, body, signal }: Input = {}): Promise<unknown> {
    const [method, path] = name.split(" ") as [string, string];
    const headers: Record<string, string> = method === "GET" ? {} : { "content-type": "application/json" };
    const response = await this.send(filledIn(path, params), query, {
      method,
      headers,
      ...(method !== "GET" && { body: JSON.stringify(body ?? {}) }),
      ...(signal && { signal }),
    });
    if (!response.ok) throw await errorOf(response);
    const answer = parse(await response.text());
    if (typeof answer === "object" && answer !== null) return revive(answer);
    throw new DureClientError("NOT_DURE", "The answer is no JSON. Is the url that of a Dure server?", {
      status: response.status,
    });
  }

  /** @throws DureClientError NETWORK; the signal's reason when it aborts */
  async send(path: string, query: Readonly<Record<string, unknown>>, init: RequestInit): Promise<Response> {
    const url = new URL(`api${path}`, this.#base);
    for (const [key, value] of Object.entries(query)) {
      if (value !== undefined) url.searchParams.set(key, textOf(value));
    }
    const headers = {
      ...(init.headers as Record<string, string>),
      ...(this.#token !== undefined && { authorization: `Bearer ${this.#token}` }),
    };
    try {
      return await this.#fetch(url, { ...init, headers });
    } catch (cause) {
      if (init.signal?.aborted) throw init.signal.reason;
      throw new DureClientError("NETWORK", `There was no answer from ${url.origin}: ${String(cause)}`, {
        cause,
      });
    }
  }
}

function filledIn(path: string, params: Readonly<Record<string, string>>): string {
  return path.replace(/:(\w+)/g, (_, name: string) => {
    const value = params[name];
    if (typeof value === "string" && value !== "" && value !== "." && value !== "..")
      return encodeURIComponent(value);
    throw new DureClientError("INVALID_ID", `${path} needs ${name}, as text that is not empty.`);
  });
}

function textOf(value: unknown): string {
  if (value instanceof Date) return value.toISOString();
  return Array.isArray(value) ? value.join(",") : String(value);
}
