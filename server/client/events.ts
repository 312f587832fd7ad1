/** Server-sent events over `fetch`, which may carry a token: read as they come, taken up again where they broke off. */
import type { Connection } from "./connection.ts";
import { DureClientError, errorOf } from "./error.ts";

export interface ServerEvent {
  event: string;
  /** Where to go on from; empty where the server gave none. */
  id: string;
  data: string;
}

export interface EventOptions {
  /** Go on after the event with this id. */
  after?: string | undefined;
  signal?: AbortSignal | undefined;
}

const waitMsMin = 1_000;
const waitMsMax = 30_000;

/**
 * Ends when the signal aborts, with no error, or when the reader leaves. A connection that breaks is made anew, with waits that grow.
 * @throws DureClientError when the server refuses, other than for being busy
 */
export async function* events(
  connection: Connection,
  path: string,
  query: Readonly<Record<string, unknown>>,
  { after, signal }: EventOptions,
): AsyncGenerator<ServerEvent, void, undefined> {
  let lastId = after ?? "";
  let waitMs = waitMsMin;
  while (!signal?.aborted) {
    const leaving = new AbortController();
    const ends = signal ? AbortSignal.any([signal, leaving.signal]) : leaving.signal;
    try {
      for await (const event of read(await open(connection, path, query, lastId, ends))) {
        if (event.id !== "") lastId = event.id;
        waitMs = waitMsMin;
        if (event.data !== "") yield event;
      }
    } catch (error) {
      if (signal?.aborted) return;
      if (isFinal(error)) throw error;
    } finally {
      leaving.abort();
    }
    await pause(waitMs, signal);
    waitMs = Math.min(waitMsMax, waitMs * 2);
  }
}

async function open(
  connection: Connection,
  path: string,
  query: Readonly<Record<string, unknown>>,
  lastId: string,
  signal: AbortSignal,
): Promise<ReadableStream<Uint8Array>> {
  const headers = { accept: "text/event-stream", ...(lastId !== "" && { "last-event-id": lastId }) };
  const response = await connection.send(path, query, { headers, signal });
  if (response.ok && response.body) return response.body as ReadableStream<Uint8Array>;
  throw await errorOf(response);
}

/** What asking again will not make better. */
function isFinal(error: unknown): boolean {
  return (
    error instanceof DureClientError && error.status >= 400 && error.status < 500 && error.status !== 429
  );
}

async function* read(body: ReadableStream<Uint8Array>): AsyncGenerator<ServerEvent> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  const parser = new EventParser();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    yield* parser.take(decoder.decode(value, { stream: true }));
  }
}

/** Cuts a stream of text into events, wherever its pieces end. */
export class EventParser {
  #rest = "";
  #event = "message";
  #id = "";
  #data: string[] = [];

  *take(text: string): Generator<ServerEvent> {
    // A CR at the end may be half of a line's end.
    const given = this.#rest + text;
    const cut = given.endsWith("\r") ? given.length - 1 : given.length;
    const lines = given.slice(0, cut).split(/\r\n|\n|\r/);
    this.#rest = lines.pop()! + given.slice(cut);
    for (const line of lines) {
      if (line !== "") this.#field(line);
      else if (this.#data.length > 0 || this.#id !== "") yield this.#end();
    }
  }

  #field(line: string): void {
    const [, name, value = ""] = /^([^:]*)(?:: ?(.*))?$/s.exec(line)!;
    if (name === "data") this.#data.push(value);
    else if (name === "event") this.#event = value;
    else if (name === "id" && !value.includes("\u0000")) this.#id = value;
  }

  #end(): ServerEvent {
    const event = { event: this.#event, id: this.#id, data: this.#data.join("\n") };
    this.#event = "message";
    this.#id = "";
    this.#data = [];
    return event;
  }
}

function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    signal?.addEventListener("abort", end);
    if (signal?.aborted) end();
  });
}
