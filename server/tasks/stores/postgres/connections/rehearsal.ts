/**
 * Searches are rehearsed. A connection plans each text when it comes first, in 1 to 6 ms, a new one in several times as long, since it
 * has to read the catalogs: more than most pages take, and most of what the slowest take. So a process that asks many has the usual
 * ones planned ahead, on a connection that nobody waits for and that reads come back to from then on (kept-connections.ts).
 * One text at a time, with a rest behind each; given up where the pool may need the connection; and no process stays alive for it.
 * It costs the server 0.25 s of a processor and 70 MB for as long as the connection is kept, so it is one of each process.
 */
import type { Statement } from "../statement.ts";
import type { Planning } from "./planning.ts";

/** A process that asks fewer in so long, in milliseconds, is likely to end soon, or asks the same ones time and again. */
const searchesMin = 10;
const withinMs = 60_000;

/** A statement with values for which it has next to nothing to read. */
export interface Rehearsed {
  readonly statement: Statement;
  readonly values: readonly unknown[];
  /** What holds in its transaction. */
  readonly planning: Planning;
}

export interface Stage {
  /** Whether it is of use, and there is no connection on which it was done. */
  isWanted(): boolean;
  /** Gives a connection to ask them on, if there is one to spare. @param work answers whether all were asked */
  open(
    work: (ask: (one: Rehearsed) => Promise<void>, goesOn: () => boolean) => Promise<boolean>,
  ): Promise<void>;
}

export class Rehearsal {
  readonly #stage: Stage;
  #searches = 0;
  #since = Number.NEGATIVE_INFINITY;
  #underWay: Promise<void> | undefined;

  constructor(stage: Stage) {
    this.#stage = stage;
  }

  /** A search is asked. @param usual what is rehearsed once there were some */
  asked(usual: () => Iterable<Rehearsed>): void {
    if (this.#underWay || !this.#stage.isWanted()) return;
    const now = performance.now();
    if (now - this.#since > withinMs) {
      this.#since = now;
      this.#searches = 0;
    }
    this.#searches += 1;
    if (this.#searches < searchesMin) return;
    this.#searches = 0;
    this.#underWay = this.#rehearse(usual())
      // Nobody waits for it; the next one may go better.
      .catch(() => undefined)
      .finally(() => {
        this.#underWay = undefined;
      });
  }

  /** Ends when none is under way. */
  async over(): Promise<void> {
    await this.#underWay;
  }

  #rehearse(usual: Iterable<Rehearsed>): Promise<void> {
    return this.#stage.open(async (ask, goesOn) => {
      for (const one of usual) {
        if (!goesOn()) return false;
        const beganAt = performance.now();
        await ask(one);
        await rest(performance.now() - beganAt);
      }
      return true;
    });
  }
}

/** As long as it took, so that others have every second moment of a processor. */
function rest(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms).unref();
  });
}
