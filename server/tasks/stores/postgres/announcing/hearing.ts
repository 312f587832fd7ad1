/**
 * Whether notifications arrive on a connection that listens. Whatever is heard proves it for a while. When nothing was, a
 * check is notified, on another connection, since a pooler in transaction mode takes LISTEN and may even hand a session
 * what it notified itself. All who listen hear each other's checks, and each waits for a time of its own before it sends
 * one: so there are a few a minute, however many workers there are.
 */
export interface HearingParts {
  /** Has a check notified. */
  prove(): void;
  listening(works: boolean | undefined): void;
}

/** So long after something was heard a check is sent, and up to twice that. */
const quietMs = 10_000;
/** A check that is not heard within this has not arrived. */
const answerMs = 5_000;
/** Where two checks after another have not arrived, they are tried again after this: one may fall into a busy moment. */
const againMs = 60_000;

export class Hearing {
  readonly #parts: HearingParts;
  /** Undefined while it is not known, or nobody listens. */
  #works: boolean | undefined;
  #isListening = false;
  #checkAt = 0;
  /** Checks after another that did not arrive. */
  #misses = 0;
  /** When a check that was sent should have been heard. */
  #answerTimer: NodeJS.Timeout | undefined;

  constructor(parts: HearingParts) {
    this.#parts = parts;
  }

  /** A connection listens now. */
  begin(): void {
    this.#isListening = true;
    this.#misses = 0;
    this.#prove();
  }

  /** LISTEN was refused. */
  refused(): void {
    this.end();
    this.#tell(false);
  }

  /** The connection is gone. */
  end(): void {
    this.#isListening = false;
    clearTimeout(this.#answerTimer);
    this.#answerTimer = undefined;
    this.#tell(undefined);
  }

  heard(): void {
    clearTimeout(this.#answerTimer);
    this.#answerTimer = undefined;
    this.#misses = 0;
    this.#checkAt = performance.now() + quietMs * (1 + Math.random());
    this.#tell(true);
  }

  /** To be called every few seconds. */
  look(): void {
    if (this.#isListening && !this.#answerTimer && performance.now() >= this.#checkAt) this.#prove();
  }

  #prove(): void {
    clearTimeout(this.#answerTimer);
    this.#answerTimer = setTimeout(() => this.#missed(), answerMs).unref();
    this.#parts.prove();
  }

  #missed(): void {
    this.#answerTimer = undefined;
    this.#misses += 1;
    this.#checkAt = performance.now() + againMs;
    if (this.#misses === 1) this.#prove();
    this.#tell(false);
  }

  #tell(works: boolean | undefined): void {
    if (works === this.#works) return;
    this.#works = works;
    this.#parts.listening(works);
  }
}
