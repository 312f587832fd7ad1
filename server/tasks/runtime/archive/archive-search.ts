/**
 * Searches the archive: the same filters as for tasks in the store, each record tested by `meets`. It keeps no more than
 * the page, and leaves out the files whose names or bounds say that they hold nothing for it.
 */
import { sortValueOf } from "../../core/filters/meets.ts";
import { whyNothingFits } from "../../core/filters/why-nothing-fits.ts";
import { toPage } from "../../core/find.ts";
import { ulidTime } from "../../core/ids.ts";
import type { Instance } from "../../core/instance.ts";
import type { TaskPage, TaskSearchOptions } from "../../core/search.ts";
import type { ArchivedTask, Found, Place, StoreSearch } from "../../core/store.ts";
import type { Task } from "../../core/task.ts";
import { compareText } from "../../core/values/compare.ts";
import { dayEnd, mayHold } from "./archive-bounds.ts";
import { type ArchiveFile, listFiles, readRecords } from "./archive-reader.ts";
import {
  begin,
  checkFolder,
  newProgress,
  type Progress,
  readFile,
  readsForward,
  reportOf,
} from "./archive-reading.ts";

/** A page of archived tasks. `searchedBackTo`: all that ended then or later was looked at; absent while that is to come. */
export interface ArchivePage extends TaskPage {
  /** How many files were read, and how many there are. */
  files: { read: number; total: number };
  /** The names of the files that are damaged or cut short. What could be read of them was looked at. */
  damaged: string[];
}

/** @throws DureError INVALID_OPTION, INVALID_QUERY, INVALID_CURSOR */
export async function searchArchiveIn(
  instance: Instance,
  folder: string | undefined,
  options: TaskSearchOptions = {},
): Promise<ArchivePage> {
  const { files, reading, fingerprint, now } = await begin(instance, folder, options);
  const { search } = reading;
  const best = new Best(search);
  const progress = newProgress();
  const ordered = inOrder(files, search);
  for (const file of ordered) {
    if (!mayHold(file.bounds, search) || best.isBeyond(file)) continue;
    await readFile(file, reading, progress, now, (record, fits) => best.add(record.task, fits));
    if (progress.stoppedIn) break;
  }
  const { searchedBackTo: _at, ...page } = toPage(foundOf(best, progress, search), search, fingerprint);
  const isNone = page.tasks.length === 0 && page.complete;
  const why = isNone ? await whyNoneFits(instance, files, progress, search) : [];
  return {
    ...page,
    ...(why.length > 0 && { hint: why.join(" ") }),
    ...reportOf(files, progress, search, instance.clock.now()),
  };
}

/** The archive may have types that the database has never known: those of its files, and of what was read of them. */
async function whyNoneFits(
  instance: Instance,
  files: readonly ArchiveFile[],
  { types }: Progress,
  search: StoreSearch,
): Promise<string[]> {
  const archived = new Set([...types, ...files.flatMap(({ bounds }) => bounds.types ?? [])]);
  return whyNothingFits(instance, await instance.store(), search, { types: archived });
}

/** One archived task with its attempts, as it was last; undefined when the archive has none of that id. */
export async function readArchivedIn(
  folder: string | undefined,
  id: string,
): Promise<ArchivedTask | undefined> {
  for (const file of likeliestFirst(await listFiles(checkFolder(folder)), ulidTime(id))) {
    let found: ArchivedTask | undefined;
    for await (const record of readRecords(file.path, () => {})) {
      if (record.task.id === id && versionOf(record.task) >= versionOf(found?.task)) found = record;
    }
    if (found) return found;
  }
  return undefined;
}

/** An id that was given by the caller may tell another time: the files that seem too old are read last. */
function likeliestFirst(
  files: readonly ArchiveFile[],
  createdAt: number | undefined,
): readonly ArchiveFile[] {
  if (createdAt === undefined) return files;
  const isTooOld = ({ bounds }: ArchiveFile) => bounds.created[1] < createdAt;
  return [...files.filter((file) => !isTooOld(file)), ...files.filter(isTooOld)];
}

/** The newest file first; the oldest where what ended first is asked for first. */
function inOrder(files: readonly ArchiveFile[], search: StoreSearch): readonly ArchiveFile[] {
  return readsForward(search) ? files.toReversed() : files;
}

/**
 * What is known when time ran out. By the time of the end, what ended on the days that were read is settled, and a place
 * says where to go on; in another order these are the best of what was looked at.
 */
function foundOf(best: Best, { stoppedIn }: Progress, search: StoreSearch): Found {
  if (!stoppedIn) return { tasks: best.tasks };
  if (search.sortBy !== "completedAt") return { tasks: best.tasks.slice(0, search.limit), isPartial: true };
  const forward = readsForward(search);
  const edge = forward ? stoppedIn.day - 1 : dayEnd(stoppedIn.day);
  const isSettled = (task: Task) => {
    const endedAt = sortValueOf("completedAt", task)!;
    return forward ? endedAt <= edge : endedAt >= edge;
  };
  const stoppedAt: Place = { value: edge, id: forward ? "\u{10ffff}" : "" };
  return { tasks: best.tasks.filter(isSettled), stoppedAt };
}

function versionOf(task: Task | undefined): number {
  return task?.version ?? 0;
}

/** The first so many of a search in the order of reading, each task once and as it was last. */
class Best {
  readonly #search: StoreSearch;
  readonly #size: number;
  #kept = new Map<string, Task>();
  #cut: Task | undefined;

  constructor(search: StoreSearch) {
    this.#search = search;
    this.#size = search.offset + search.limit + 1;
  }

  add(task: Task, fits: boolean): void {
    const known = this.#kept.get(task.id);
    if (known && versionOf(known) > versionOf(task)) return;
    if (known) this.#kept.delete(task.id);
    const value = sortValueOf(this.#search.sortBy, task);
    if (!fits || value === undefined || !this.#isAfterCursor(task)) return;
    if (this.#cut && this.#compare(task, this.#cut) > 0) return;
    this.#kept.set(task.id, task);
    if (this.#kept.size >= this.#size * 2) this.#shrink();
  }

  /** Page and one more, without the offset. */
  get tasks(): Task[] {
    this.#shrink();
    return [...this.#kept.values()].slice(this.#search.offset);
  }

  /** Whether nothing in the file can come before what is kept, or after the cursor. */
  isBeyond({ bounds }: ArchiveFile): boolean {
    const range = this.#rangeOf(bounds);
    if (!range) return false;
    const [min, max] = range;
    const { after } = this.#search;
    const goesDown = this.#goesDown;
    if (
      after?.value !== undefined &&
      after.value !== null &&
      (goesDown ? min > after.value : max < after.value)
    )
      return true;
    if (this.#kept.size >= this.#size) this.#shrink();
    const worst = this.#cut && sortValueOf(this.#search.sortBy, this.#cut);
    if (worst === undefined || worst === null) return false;
    return goesDown ? max < worst : min > worst;
  }

  #rangeOf({ created, updated, completed }: ArchiveFile["bounds"]): readonly [number, number] | undefined {
    switch (this.#search.sortBy) {
      case "createdAt":
        return created;
      case "updatedAt":
        return updated;
      case "completedAt":
        return completed;
      default:
        return undefined;
    }
  }

  get #goesDown(): boolean {
    return this.#search.descending !== (this.#search.after?.backwards ?? false);
  }

  #shrink(): void {
    const sorted = [...this.#kept.values()].sort((a, b) => this.#compare(a, b)).slice(0, this.#size);
    this.#kept = new Map(sorted.map((task) => [task.id, task]));
    this.#cut = sorted.length === this.#size ? sorted.at(-1) : this.#cut;
  }

  #isAfterCursor(task: Task): boolean {
    const { after } = this.#search;
    return !after || this.#comparePlaces(this.#placeOf(task), after) > 0;
  }

  #compare(a: Task, b: Task): number {
    return this.#comparePlaces(this.#placeOf(a), this.#placeOf(b));
  }

  #placeOf(task: Task): Place {
    return { value: sortValueOf(this.#search.sortBy, task) ?? null, id: task.id };
  }

  #comparePlaces(a: Place, b: Place): number {
    const order = (a.value ?? 0) - (b.value ?? 0) || compareText(a.id, b.id);
    return this.#goesDown ? -order : order;
  }
}
