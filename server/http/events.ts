/** Live changes by server-sent events: a hint that something changed, never what. One listener, however many streams. */
import type { Dure } from "../dure.ts";
import { HttpError } from "./errors.ts";

const streamsMax = 50;
/** Hints are at least this far apart. */
const hintMs = 500;
/** Keeps proxies from closing a stream on which nothing happens. */
const heartbeatMs = 15_000;

export class Events {
  readonly #dure: Dure;
  readonly #streams = new Set<(text: string) => void>();
  #stopListening: (() => void) | undefined;
  #timer: NodeJS.Timeout | undefined;
  #heartbeat: NodeJS.Timeout | undefined;
  #last = 0;

  constructor(dure: Dure) {
    this.#dure = dure;
  }

  /** @throws HttpError 503 when too many are open */
  async open(request: Request): Promise<Response> {
    if (this.#streams.size >= streamsMax) {
      throw new HttpError(503, "TOO_MANY_STREAMS", `${streamsMax} live connections are open; close one.`);
    }
    const encoder = new TextEncoder();
    let send: (text: string) => void;
    const body = new ReadableStream<Uint8Array>({
      start: (controller) => {
        send = (text) => {
          // A reader that does not read is left behind; it asks anew when it comes back.
          if ((controller.desiredSize ?? 0) > -1_000) controller.enqueue(encoder.encode(text));
        };
        send(`retry: 2000\nid: ${this.#last}\n: hello\n\n`);
        this.#streams.add(send);
        request.signal.addEventListener("abort", () => {
          this.#remove(send);
          try {
            controller.close();
          } catch {
            // It was closed by its reader.
          }
        });
      },
      cancel: () => this.#remove(send),
    });
    await this.#listen();
    // What changed while it was away, nobody knows any more.
    if (request.headers.get("last-event-id") !== null) this.#hint();
    return new Response(body, {
      headers: {
        "content-type": "text/event-stream",
        "cache-control": "no-store",
        "x-accel-buffering": "no",
      },
    });
  }

  async #listen(): Promise<void> {
    if (this.#stopListening) return;
    this.#stopListening = () => undefined;
    const store = await this.#dure.instance.store();
    this.#stopListening = store.onChange(() => {
      this.#timer ??= setTimeout(() => this.#hint(), hintMs).unref();
    });
    this.#heartbeat = setInterval(() => this.#tell(": still here\n\n"), heartbeatMs).unref();
    if (this.#streams.size === 0) this.#stop();
  }

  #hint(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#last += 1;
    this.#tell(`id: ${this.#last}\nevent: changed\ndata: {}\n\n`);
  }

  #tell(text: string): void {
    for (const send of this.#streams) send(text);
  }

  #remove(send: (text: string) => void): void {
    this.#streams.delete(send);
    if (this.#streams.size === 0) this.#stop();
  }

  #stop(): void {
    this.#stopListening?.();
    this.#stopListening = undefined;
    clearInterval(this.#heartbeat);
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}
