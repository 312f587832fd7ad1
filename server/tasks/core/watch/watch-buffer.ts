/**
 * What a watcher has been given and has not looked at yet: of each task the latest state, page by page, so that the cursor of
 * what was looked at is known. It takes no more than so many tasks; then it says that it is full, and what is left out is
 * read later from where it ends.
 */

import type { Task } from "../task.ts";
import type { ChangePage } from "./change-source.ts";

export class WatchBuffer {
  readonly #sizeMax: number;
  #pages: { tasks: Map<string, Task>; cursor: string }[] = [];
  #size = 0;

  constructor(sizeMax: number) {
    this.#sizeMax = sizeMax;
  }

  /** False when it is full; then nothing of the page was taken. */
  add({ changes, cursor }: ChangePage): boolean {
    if (this.#size + changes.length > this.#sizeMax && this.#size > 0) return false;
    for (const { id } of changes) this.#forget(id);
    const tasks = new Map(changes.map((task) => [task.id, task]));
    this.#size += tasks.size;
    const last = this.#pages.at(-1);
    if (last && last.tasks.size === 0) this.#pages.pop();
    this.#pages.push({ tasks, cursor });
    return true;
  }

  /** The oldest page that is left, and where to go on after it. */
  next(): { tasks: Task[]; cursor: string } | undefined {
    const page = this.#pages.shift();
    if (!page) return undefined;
    this.#size -= page.tasks.size;
    return { tasks: [...page.tasks.values()], cursor: page.cursor };
  }

  #forget(id: string): void {
    for (const { tasks } of this.#pages) if (tasks.delete(id)) this.#size -= 1;
  }
}
