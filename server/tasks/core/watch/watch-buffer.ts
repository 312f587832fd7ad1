/**
 * What a watcher has been given and has not looked at yet: of each task the latest state, page by page, so that the cursor of
 * what was looked at is known. It takes no more than so many tasks; then it says that it is full, and what is left out is
 * read later from where it ends.
 */

import type { Task } from "../task.ts";
import type { ChangePage } from "./change-source.ts";

/** A changed task, and where to go on after it. */
export interface WatchedChange {
  task: Task;
  cursor(): string;
}

/** Those of a page that are left, and where to go on after all of it. */
export interface WatchedPage {
  changes: WatchedChange[];
  cursor: string;
}

export class WatchBuffer {
  readonly #sizeMax: number;
  #pages: { changes: Map<string, WatchedChange>; cursor: string }[] = [];
  #size = 0;

  constructor(sizeMax: number) {
    this.#sizeMax = sizeMax;
  }

  /** False when it is full; then nothing of the page was taken. */
  add({ changes, cursor, cursorAfter }: ChangePage): boolean {
    if (this.#size + changes.length > this.#sizeMax && this.#size > 0) return false;
    for (const { id } of changes) this.#forget(id);
    const latest = new Map(
      changes.map((task, index) => [task.id, { task, cursor: () => cursorAfter(index) }]),
    );
    this.#size += latest.size;
    const last = this.#pages.at(-1);
    if (last && last.changes.size === 0) this.#pages.pop();
    this.#pages.push({ changes: latest, cursor });
    return true;
  }

  /** The oldest page that is left. */
  next(): WatchedPage | undefined {
    const page = this.#pages.shift();
    if (!page) return undefined;
    this.#size -= page.changes.size;
    return { changes: [...page.changes.values()], cursor: page.cursor };
  }

  #forget(id: string): void {
    for (const { changes } of this.#pages) if (changes.delete(id)) this.#size -= 1;
  }
}
