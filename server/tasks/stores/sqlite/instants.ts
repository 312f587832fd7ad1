/**
 * The instants that changes are written with. They are the callers', but never before one that was committed earlier, by
 * this process or another: a request that waited for the write lock would otherwise leave a change where a follower of
 * changes has already been. A clock that was set back is followed, and the step is written down for the followers.
 */

import { changeSql } from "./change-statements.ts";
import type { Connection } from "./connection.ts";

/** Further behind than this the clock was set back; a request does not wait that long for its transaction. */
const behindMsMax = 60_000;
const stepsMax = 1_000;
/** Before every instant that a task can have. */
export const beforeAll = -62_135_596_800_000;

export class Instants {
  readonly #connection: Connection;
  /** Grows when another connection commits. */
  #dataVersion: number | undefined;
  #latest = beforeAll;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  /** The latest that was given or committed. */
  get latest(): number {
    return this.#latest;
  }

  /** Call when a write transaction has begun. */
  begin(): void {
    const [dataVersion] = this.#connection.prepare("PRAGMA data_version").get() as unknown as [number];
    if (dataVersion === this.#dataVersion) return;
    const [committed] = this.#connection.prepare(changeSql.latestChange).get() as unknown as [number];
    // What this connection committed last is in it.
    this.#latest = committed;
    this.#dataVersion = dataVersion;
  }

  /** The instant of a change whose caller's clock says `now`. */
  of(now: number): number {
    if (now < this.#latest - behindMsMax) {
      this.#addStep(now);
      this.#latest = now;
      this.#connection.prepare(changeSql.setChangesBack).run(now);
    }
    this.#latest = Math.max(this.#latest, now);
    return this.#latest;
  }

  /** The steps are kept few; the oldest stands for those before it. */
  #addStep(at: number): void {
    const { lastInsertRowid } = this.#connection.prepare(changeSql.insertClockStep).run(at);
    const dropped = Number(lastInsertRowid) - stepsMax;
    this.#connection.prepare(changeSql.joinClockSteps).run(dropped);
    this.#connection.prepare(changeSql.dropClockStep).run(dropped);
  }

  /** After a rollback. */
  forget(): void {
    this.#dataVersion = undefined;
  }
}
