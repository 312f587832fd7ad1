/**
 * What a claim brought is started so many in one turn of the event loop, so that timers and answers come between: five
 * hundred handlers, even if they do nothing, keep a server's other callers waiting for several milliseconds. One claim's tasks
 * after the other's; what ends meanwhile is settled together when the last has started.
 */
import type { Clock } from "../core/clock.ts";
import type { Settler } from "./settler.ts";

const portionMax = 250;

export class Starts {
  readonly #clock: Clock;
  readonly #settler: Settler;
  #underWay: Promise<void> | undefined;

  constructor(clock: Clock, settler: Settler) {
    this.#clock = clock;
    this.#settler = settler;
  }

  /** Whether some are left for a later turn. */
  get areUnderWay(): boolean {
    return this.#underWay !== undefined;
  }

  /** Resolves when none is left for a later turn. */
  async over(): Promise<void> {
    while (this.#underWay) await this.#underWay;
  }

  /** Those that go into this turn are started before it returns. Call it when those before are over. */
  async each<Value>(values: readonly Value[], start: (value: Value) => unknown): Promise<void> {
    if (values.length <= portionMax) {
      for (const value of values) start(value);
      return;
    }
    const send = this.#settler.gather();
    this.#underWay = this.#inPortions(values, start);
    try {
      await this.#underWay;
    } finally {
      this.#underWay = undefined;
      send();
    }
  }

  async #inPortions<Value>(values: readonly Value[], start: (value: Value) => unknown): Promise<void> {
    for (let at = 0; at < values.length; at += portionMax) {
      if (at > 0) await this.#clock.sleep(0);
      for (const value of values.slice(at, at + portionMax)) start(value);
    }
  }
}
