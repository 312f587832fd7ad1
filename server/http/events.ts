/** Live changes by server-sent events: a hint that something changed, never what. One listener, however many streams. */
import type { Dure } from "../dure.ts";
import type { Gate } from "./auth.ts";
import { forgetShown } from "./shared-answers.ts";
import { StreamPlaces } from "./stream-places.ts";

/** From a change to its hint. */
const hintMs = 200;
/** Hints are at least this far apart, and farther where many listen: all of them together are told no more often than this. */
const hintsApartMs = 500;
const toldPerSecond = 25;
/** Keeps proxies from closing a stream on which nothing happens; whoever may not read any more is let go of then. */
const usualHeartbeatMs = 15_000;

interface Stream {
  send(bytes: Uint8Array): void;
  end(): void;
  /** Gives its place back. */
  leave(): void;
  request: Request;
}

export class Events {
  readonly #dure: Dure;
  readonly #gate: Pick<Gate, "isStillAdmitted">;
  readonly #heartbeatMs: number;
  readonly #places = new StreamPlaces();
  readonly #streams = new Set<Stream>();
  #listening: Promise<void> | undefined;
  #stopListening: (() => void) | undefined;
  #timer: NodeJS.Timeout | undefined;
  #heartbeat: NodeJS.Timeout | undefined;
  #last = 0;
  #hintedAt = Number.NEGATIVE_INFINITY;

  constructor(dure: Dure, gate: Pick<Gate, "isStillAdmitted">, heartbeatMs = usualHeartbeatMs) {
    this.#dure = dure;
    this.#gate = gate;
    this.#heartbeatMs = heartbeatMs;
  }

  /**
   * @param caller whose it is, where one can be told from another
   * @throws HttpError 429, 503 when too many are open; DureError DATABASE_UNAVAILABLE
   */
  async open(request: Request, caller?: string): Promise<Response> {
    const body = this.#streamTo(request, this.#places.take(caller));
    try {
      await this.#listen();
    } catch (error) {
      await body.cancel();
      throw error;
    }
    return new Response(body, {
      headers: {
        "content-type": "text/event-stream",
        "cache-control": "no-store",
        "x-accel-buffering": "no",
      },
    });
  }

  #streamTo(request: Request, leave: () => void): ReadableStream<Uint8Array> {
    let stream: Stream;
    return new ReadableStream<Uint8Array>({
      start: (controller) => {
        stream = {
          request,
          leave,
          send: (bytes) => {
            // A reader that does not read is left behind; it asks anew when it comes back.
            if ((controller.desiredSize ?? 0) > -1_000) controller.enqueue(bytes);
          },
          end: () => {
            this.#remove(stream);
            try {
              controller.close();
            } catch {
              // It was closed by its reader.
            }
          },
        };
        stream.send(Buffer.from(`retry: 2000\nid: ${this.#last}\n: hello\n\n`));
        // What changed while it was away, nobody knows any more.
        if (request.headers.get("last-event-id") !== null) stream.send(Buffer.from(this.#changed()));
        this.#streams.add(stream);
        request.signal.addEventListener("abort", stream.end);
      },
      cancel: () => this.#remove(stream),
    });
  }

  /** Ends the streams of those who may not read any more. */
  async letGo(): Promise<void> {
    for (const stream of [...this.#streams]) {
      if (!(await this.#gate.isStillAdmitted(stream.request))) stream.end();
    }
  }

  /** Once for all that are opened meanwhile; anew for those after a failure. */
  #listen(): Promise<void> {
    this.#listening ??= this.#beginListening().catch((error) => {
      this.#listening = undefined;
      throw error;
    });
    return this.#listening;
  }

  async #beginListening(): Promise<void> {
    const store = await this.#dure.instance.store();
    this.#stopListening = store.onChange((news) => {
      if (news === "soon") return;
      this.#timer ??= setTimeout(() => this.#hint(), this.#untilHintMs()).unref();
    });
    this.#heartbeat = setInterval(() => void this.#beat(), this.#heartbeatMs).unref();
    if (this.#streams.size === 0) this.#stop();
  }

  async #beat(): Promise<void> {
    await this.letGo();
    this.#tell(": still here\n\n");
  }

  #untilHintMs(): number {
    const apartMs = Math.max(hintsApartMs, (this.#streams.size * 1_000) / toldPerSecond);
    return Math.max(hintMs, this.#hintedAt + apartMs - performance.now());
  }

  #hint(): void {
    this.#timer = undefined;
    this.#hintedAt = performance.now();
    this.#tell(this.#changed());
  }

  /** Whoever asks because of it is told what has become. */
  #changed(): string {
    this.#last += 1;
    forgetShown(this.#dure);
    return `id: ${this.#last}\nevent: changed\ndata: {}\n\n`;
  }

  #tell(text: string): void {
    const bytes = Buffer.from(text);
    for (const { send } of this.#streams) send(bytes);
  }

  #remove(stream: Stream): void {
    if (!this.#streams.delete(stream)) return;
    stream.leave();
    if (this.#streams.size === 0) this.#stop();
  }

  /** While it begins to listen nothing is there to be stopped: it then looks whether anybody is left. */
  #stop(): void {
    if (!this.#stopListening) return;
    this.#stopListening();
    this.#stopListening = undefined;
    this.#listening = undefined;
    clearInterval(this.#heartbeat);
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}
