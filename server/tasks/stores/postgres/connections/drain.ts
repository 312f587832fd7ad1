/** Whether this process settles thousands of tasks a second: then those who can wait a little give way to what tasks need. */

/** It is a drain while so many tasks end within so many milliseconds, and for as long after that. */
const drainedMin = 200;
const drainedMs = 100;

export class Drain {
  #settled = 0;
  #settledSince = Number.NEGATIVE_INFINITY;
  #lastsUntil = Number.NEGATIVE_INFINITY;

  /** So many tasks of this process end. */
  settling(tasks: number): void {
    const now = performance.now();
    if (now - this.#settledSince > drainedMs) {
      this.#settledSince = now;
      this.#settled = 0;
    }
    this.#settled += tasks;
    if (this.#settled >= drainedMin) this.#lastsUntil = now + drainedMs;
  }

  get isOn(): boolean {
    return performance.now() < this.#lastsUntil;
  }
}
