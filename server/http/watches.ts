/** `GET /api/tasks/watch`: what changes in a search, by server-sent events. Written as fast as it is read, and no faster. */
import type { Dure } from "../dure.ts";
import type { TaskChange } from "../tasks/core/watch/watch.ts";
import type { Caller, Gate } from "./auth.ts";
import type { Documents } from "./documents.ts";
import { givenIn, parsed } from "./parsed.ts";
import { checkAsksWhatIsShown } from "./payload-right.ts";
import { searchOf, watchQuery } from "./routes/tasks.ts";
import { StreamPlaces } from "./stream-places.ts";

/** Keeps proxies from closing a stream on which nothing happens; whoever may not read any more is let go of then. */
const usualHeartbeatMs = 15_000;

export class Watches {
  readonly #dure: Dure;
  readonly #documents: Documents;
  readonly #gate: Pick<Gate, "isStillAdmitted">;
  readonly #heartbeatMs: number;
  /** Each ends when its caller may not read any more. */
  readonly #checks = new Set<() => Promise<void>>();
  readonly #places = new StreamPlaces();

  constructor(
    dure: Dure,
    documents: Documents,
    gate: Pick<Gate, "isStillAdmitted">,
    heartbeatMs = usualHeartbeatMs,
  ) {
    this.#dure = dure;
    this.#documents = documents;
    this.#gate = gate;
    this.#heartbeatMs = heartbeatMs;
  }

  /** Ends the streams of those who may not read any more. */
  async letGo(): Promise<void> {
    for (const check of [...this.#checks]) await check();
  }

  /**
   * The header `Last-Event-ID` goes on where an earlier stream ended, as browsers send it by themselves; so does `since`.
   * @param whose the caller's, where one can be told from another
   * @throws HttpError 400, 429, 503 when too many are open; DureError INVALID_QUERY, INVALID_CURSOR
   */
  async open(request: Request, caller: Caller = { role: "viewer" }, whose?: string): Promise<Response> {
    const leave = this.#places.take(whose);
    try {
      const body = await this.#streamOf(request, caller, leave);
      return new Response(body, {
        headers: {
          "content-type": "text/event-stream",
          "cache-control": "no-store",
          "x-accel-buffering": "no",
        },
      });
    } catch (error) {
      leave();
      throw error;
    }
  }

  async #streamOf(request: Request, caller: Caller, leave: () => void): Promise<ReadableStream<Uint8Array>> {
    const { since: asked, ...filters } = parsed(watchQuery, givenIn(request.url), "query");
    const seesPayloads = caller.payloads !== false;
    const documents = this.#documents.shownTo(seesPayloads);
    await checkAsksWhatIsShown(this.#dure, { seesPayloads, documents }, filters);
    const since = request.headers.get("last-event-id") || asked;
    // What cannot be watched is an error of the request, not of the stream.
    await this.#dure.searchTaskPage({ ...searchOf(filters), updatedSince: since ?? "now", limit: 1 });
    const denied = new AbortController();
    const begun = Promise.withResolvers<void>();
    const changes = this.#dure.watchTasks({
      ...searchOf(filters),
      ...(since !== undefined && { since }),
      signal: AbortSignal.any([request.signal, denied.signal]),
      onBegin: begun.resolve,
    });
    // Whoever has the answer is told of all that happens from then on.
    const first = changes.next();
    await Promise.race([begun.promise, first]);
    const check = async () => {
      if (!(await this.#gate.isStillAdmitted(request, seesPayloads))) denied.abort();
    };
    return this.#written({ first, changes }, documents, check, leave);
  }

  #written(
    { first, changes }: Begun,
    documents: Documents,
    check: () => Promise<void>,
    leave: () => void,
  ): ReadableStream<Uint8Array> {
    const encoder = new TextEncoder();
    let heartbeat: NodeJS.Timeout | undefined;
    let next: Begun["first"] | undefined = first;
    const end = () => {
      leave();
      clearInterval(heartbeat);
      this.#checks.delete(check);
    };
    return new ReadableStream<Uint8Array>({
      start: (controller) => {
        controller.enqueue(encoder.encode("retry: 2000\n: hello\n\n"));
        this.#checks.add(check);
        heartbeat = setInterval(() => {
          void check();
          if ((controller.desiredSize ?? 0) > 0) controller.enqueue(encoder.encode(": still here\n\n"));
        }, this.#heartbeatMs).unref();
      },
      pull: async (controller) => {
        const { done, value } = await (next ?? changes.next()).catch((error) => {
          end();
          throw error;
        });
        next = undefined;
        if (!done) return controller.enqueue(encoder.encode(eventOf(value, documents)));
        end();
        controller.close();
      },
      cancel: async () => {
        end();
        await changes.return?.();
      },
    });
  }
}

/** A watch, and its first change, which is waited for already. */
interface Begun {
  first: Promise<IteratorResult<TaskChange, undefined>>;
  changes: AsyncIterator<TaskChange, undefined>;
}

function eventOf({ change, task, cursor, isDeleted }: TaskChange, documents: Documents): string {
  const data = { change, task: documents.task(task), ...(isDeleted && { isDeleted }) };
  return `id: ${cursor}\nevent: ${change}\ndata: ${JSON.stringify(data)}\n\n`;
}
