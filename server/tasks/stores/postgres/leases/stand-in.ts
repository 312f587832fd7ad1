/**
 * Beats on the pool, for as long as the thread that renews a lease does not: while it starts, which on a busy machine may take
 * longer than a short lease lasts, and while one that died is replaced. What they answer is nobody's: the thread's beats tell it.
 */
export class StandIn {
  readonly #everyMs: number;
  readonly #beat: () => Promise<unknown>;
  #timer: NodeJS.Timeout | undefined;
  #beating: Promise<unknown> | undefined;

  constructor(everyMs: number, beat: () => Promise<unknown>) {
    this.#everyMs = everyMs;
    this.#beat = beat;
  }

  begin(): void {
    this.#timer ??= setInterval(() => this.#beatOnce(), this.#everyMs).unref();
  }

  /** Resolves when no beat is under way any more. */
  async end(): Promise<void> {
    clearInterval(this.#timer);
    this.#timer = undefined;
    await this.#beating;
  }

  /** One that fails is simply missing, and the next one comes. */
  #beatOnce(): void {
    this.#beating ??= this.#beat()
      .catch(() => undefined)
      .finally(() => {
        this.#beating = undefined;
      });
  }
}
