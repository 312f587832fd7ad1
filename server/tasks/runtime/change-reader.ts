/**
 * The one reader of a store's changes. Those who follow share what it reads: it looks soon after a hint of the store, at
 * most four times a second and less often where a look takes long, and every few seconds anyway, which is the truth.
 * Without followers it rests. Whoever comes late or was slow reads what it has missed through here too, one at a time.
 */

import type { Clock } from "../core/clock.ts";
import type { Changes, TaskStore } from "../core/store.ts";
import type { ChangePage, ChangeSource, Follower } from "../core/watch/change-source.ts";
import { closedError } from "./lazy-store.ts";

const pageSize = 500;
const gapMs = 250;
const pollMs = 3_000;
/** Between looks there is at least this many times what the last one took. */
const restFactor = 4;
/** A store that fails is asked again for this long. */
const troubleMsMax = 60_000;

export class ChangeReader implements ChangeSource {
  readonly #clock: Clock;
  readonly #store: () => Promise<TaskStore>;
  readonly #followers = new Set<Follower>();
  /** Where the shared reading is; whoever has joined has read at least as far. */
  #cursor = "";
  #turn: Promise<unknown> = Promise.resolve();
  #isReading = false;
  #wake: (() => void) | undefined;
  #isHinted = false;
  #stopListening: (() => void) | undefined;
  #isClosed = false;

  constructor(clock: Clock, store: () => Promise<TaskStore>) {
    this.#clock = clock;
    this.#store = store;
  }

  join(follower: Follower, since?: string): Promise<ChangePage & { joined: boolean }> {
    return this.#inTurn(async (store) => {
      const request = { limit: pageSize, ...(since !== undefined && { since }) };
      const { more, ...page } = await store.readChanges(request);
      if (this.#isClosed) throw closedError();
      if (!more) this.#add(store, follower, page.cursor);
      return { ...page, joined: !more };
    });
  }

  leave(follower: Follower): void {
    if (!this.#followers.delete(follower) || this.#followers.size > 0) return;
    this.#stopListening?.();
    this.#stopListening = undefined;
    this.#wake?.();
  }

  /** Every follower is told that it is over. */
  close(): void {
    this.#isClosed = true;
    this.#endAll();
  }

  #add(store: TaskStore, follower: Follower, cursor: string): void {
    if (this.#followers.size === 0) this.#cursor = cursor;
    this.#followers.add(follower);
    this.#stopListening ??= store.onChange((news) => {
      if (news === "soon") return;
      this.#isHinted = true;
      this.#wake?.();
    });
    if (!this.#isReading) void this.#readOn();
  }

  async #readOn(): Promise<void> {
    this.#isReading = true;
    let troubleSince: number | undefined;
    for (let restMs = gapMs; ; ) {
      await this.#rest(restMs);
      if (this.#followers.size === 0) break;
      const began = this.#clock.monotonic();
      try {
        const more = await this.#look();
        troubleSince = undefined;
        restMs = more ? 0 : Math.max(gapMs, restFactor * (this.#clock.monotonic() - began));
      } catch (error) {
        troubleSince ??= began;
        restMs = 1_000;
        if (began - troubleSince > troubleMsMax) this.#endAll(error);
      }
    }
    this.#isReading = false;
  }

  /** One page for all; answers whether to look on at once. */
  #look(): Promise<boolean> {
    return this.#inTurn(async (store) => {
      if (this.#followers.size === 0) return false;
      this.#isHinted = false;
      const { more, ...page }: Changes = await store.readChanges({ since: this.#cursor, limit: pageSize });
      this.#cursor = page.cursor;
      for (const follower of [...this.#followers]) follower.take(page);
      return more;
    });
  }

  /** The pause between two looks, then until there is a hint or it is time. */
  async #rest(ms: number): Promise<void> {
    await this.#pause(ms, () => this.#followers.size === 0);
    await this.#pause(
      Math.max(0, pollMs - ms),
      () => this.#isHinted || ms === 0 || this.#followers.size === 0,
    );
  }

  #pause(ms: number, isOver: () => boolean): Promise<void> {
    if (ms <= 0 || isOver()) return Promise.resolve();
    return new Promise((resolve) => {
      const end = () => {
        cancelTimer();
        this.#wake = undefined;
        resolve();
      };
      const cancelTimer = this.#clock.after(ms, end);
      this.#wake = () => {
        if (isOver()) end();
      };
    });
  }

  #inTurn<Value>(work: (store: TaskStore) => Promise<Value>): Promise<Value> {
    const done = this.#turn.then(async () => {
      if (this.#isClosed) throw closedError();
      return work(await this.#store());
    });
    this.#turn = done.catch(() => undefined);
    return done;
  }

  #endAll(error?: unknown): void {
    const followers = [...this.#followers];
    for (const follower of followers) this.leave(follower);
    for (const follower of followers) follower.end(error);
  }
}
