/**
 * A page that is being filled with what was found, in its order. Large values are read when it is full, by when tasks may have been deleted or
 * changed: those that do not fit any more leave room for further ones, since a page with fewer than were wanted is taken for the last.
 */
import { sortValueOf } from "../../../core/filters/meets.ts";
import type { Found, Place, StoreSearch } from "../../../core/store.ts";
import type { Task } from "../../../core/task.ts";
import type { CandidateReader } from "./candidate-reader.ts";

export class FullPage {
  readonly #search: StoreSearch;
  readonly #reader: CandidateReader;
  /** What each was found at: by now it may have another place. */
  readonly #values = new Map<string, number | null | undefined>();
  #tasks: Task[] = [];
  #bytes = 0;
  #isCut = false;

  constructor(search: StoreSearch, reader: CandidateReader) {
    this.#search = search;
    this.#reader = reader;
  }

  /** Whether no other is wanted: it is full, or this one did not fit. */
  async add(task: Task, value: number | null | undefined): Promise<boolean> {
    const size = this.#reader.sizes.of(task);
    const { limit, bytesMax = Number.POSITIVE_INFINITY } = this.#search;
    if (size > 0 && this.#bytes > 0 && this.#bytes + size > bytesMax) {
      await this.#read();
      this.#isCut = this.#tasks.length > 0;
      if (this.#isCut) return true;
    }
    this.#values.set(task.id, value);
    this.#bytes += size;
    if (this.#tasks.push(task) < limit) return false;
    await this.#read();
    return this.#tasks.length === limit;
  }

  /** Those that still fit, as they are now, and where they were found. */
  async found(how: Partial<Found> = {}): Promise<Found> {
    await this.#read();
    const tasks = this.#tasks;
    const values = tasks.map(({ id }): Place["value"] | undefined => this.#values.get(id));
    const { sortBy } = this.#search;
    const isTold = (task: Task, place: number) =>
      sortBy !== "relevance" && (sortValueOf(sortBy, task) ?? 0) === (values[place] ?? 0);
    const areTold = tasks.every(isTold);
    return { tasks, ...(!areTold && { values }), ...how, ...(this.#isCut && { isCut: true }) };
  }

  async #read(): Promise<void> {
    if (!this.#tasks.some((task) => this.#reader.sizes.areLeft(task))) return;
    this.#tasks = await this.#reader.whole(this.#tasks);
    this.#bytes = this.#tasks.reduce((sum, task) => sum + this.#reader.sizes.of(task), 0);
  }
}
