/** Where watchers get changes from: one reader of the store, however many there are. The work is in runtime/change-reader.ts. */
import type { Task } from "../task.ts";

/** Changes that were read together. */
export interface ChangePage {
  changes: readonly Task[];
  /** Where to go on after all of them. */
  cursor: string;
  /** Where to go on after the change of this index and all before it. */
  cursorAfter(index: number): string;
}

export interface Follower {
  /** Called with every page from the moment of joining on, until it leaves. Must not throw. */
  take(page: ChangePage): void;
  /** No more will come: the store has failed for long, or (undefined) the instance was closed. */
  end(error?: unknown): void;
}

export interface ChangeSource {
  /**
   * Reads a page from the cursor on, or from now. When that was all, the follower has joined: it is given every later
   * change. Those of the page may come again.
   * @throws DureError INVALID_CURSOR, INSTANCE_CLOSED, DATABASE_…
   */
  join(follower: Follower, since?: string): Promise<ChangePage & { joined: boolean }>;
  leave(follower: Follower): void;
}
