/** Reads the files of an archive for a search, each record tested, within its budget. */
import { extractAttributes } from "../../core/attributes.ts";
import { DureError } from "../../core/errors.ts";
import { meets } from "../../core/filters/meets.ts";
import { readSearch } from "../../core/find.ts";
import { asGiven } from "../../core/given.ts";
import type { Instance } from "../../core/instance.ts";
import { savedQueriesFor } from "../../core/saved-searches.ts";
import type { TaskSearchOptions } from "../../core/search.ts";
import type { ArchivedTask, Attributes, StoreSearch } from "../../core/store.ts";
import { searchableText } from "../../core/values/searchable-text.ts";
import { dayEnd } from "./archive-bounds.ts";
import { type ArchiveFile, listFiles, readRecords } from "./archive-reader.ts";

const defaultBudget = "10s";

export interface Reading {
  search: StoreSearch;
  /** The instant of the monotonic clock at which to stop. */
  until: number;
  attributesOf(record: ArchivedTask): Attributes | undefined;
}

export interface Progress {
  read: number;
  /** Of the tasks that were read. */
  types: Set<string>;
  damaged: Set<string>;
  /** The file in which the time ran out. */
  stoppedIn: ArchiveFile | undefined;
}

export async function begin(instance: Instance, folder: string | undefined, options: TaskSearchOptions) {
  const { budget = defaultBudget, updatedSince, ...others } = asGiven(options);
  if (updatedSince !== undefined) {
    throw new DureError(
      "INVALID_OPTION",
      "searchArchive(options): updatedSince is for tasks in the database; nothing changes in the archive.",
    );
  }
  const checked = checkFolder(folder);
  const saved = await savedQueriesFor(instance, others.query);
  const { search, fingerprint } = readSearch(instance, { ...others, budget }, saved);
  if (search.sortBy === "relevance")
    throw new DureError("INVALID_OPTION", "searchArchive(options): the archive has no order by relevance.");
  const now = () => instance.clock.monotonic();
  const until = now() + (search.budgetMs ?? Number.POSITIVE_INFINITY);
  const reading: Reading = { search, until, attributesOf: (record) => attributesOf(instance, record) };
  return { files: await listFiles(checked), reading, fingerprint, now };
}

export function checkFolder(folder: string | undefined): string {
  if (folder !== undefined) return folder;
  throw new DureError(
    "INVALID_OPTION",
    "This instance knows no archive. Give createDure the folder: retention: { archiveTo: 'archive' }.",
  );
}

/** As they were archived; of records without, what the definition of this process takes from payload and result. */
function attributesOf(instance: Instance, { task, attributes }: ArchivedTask): Attributes | undefined {
  if (attributes) return attributes;
  const declared = instance.registry.get(task.type)?.attributes;
  if (!declared || declared.length === 0) return undefined;
  try {
    return {
      ...extractAttributes(task.type, declared, "payload", task.payload),
      ...(task.status === "COMPLETED" && extractAttributes(task.type, declared, "result", task.result)),
    };
  } catch {
    return undefined;
  }
}

export async function readFile(
  file: ArchiveFile,
  { search, until, attributesOf: attributesIn }: Reading,
  progress: Progress,
  now: () => number,
  visit: (record: ArchivedTask, fits: boolean) => void,
): Promise<void> {
  progress.read += 1;
  for await (const record of readRecords(file.path, () => progress.damaged.add(file.name))) {
    if (now() >= until) {
      progress.stoppedIn = file;
      return;
    }
    progress.types.add(record.task.type);
    visit(record, fits(record, search, attributesIn));
  }
}

function fits(record: ArchivedTask, search: StoreSearch, attributesIn: Reading["attributesOf"]): boolean {
  const { task, attempts } = record;
  const { id, types, statuses, queues, created, updated, where } = search;
  if (id !== undefined && task.id !== id) return false;
  if (types && !types.includes(task.type)) return false;
  if (statuses && !statuses.includes(task.status)) return false;
  if (queues && !queues.includes(task.queue ?? "default")) return false;
  if (!isIn(task.createdAt, created) || !isIn(task.updatedAt, updated)) return false;
  if (!where) return true;
  const attributes = attributesIn(record);
  const text = () => searchableText(task, attempts);
  return meets(where, { task, text, ...(attributes && { attributes }) });
}

function isIn(instant: Date, { start, end }: { start?: number; end?: number } = {}): boolean {
  const at = instant.getTime();
  return (start === undefined || at >= start) && (end === undefined || at < end);
}

export function newProgress(): Progress {
  return { read: 0, types: new Set(), damaged: new Set(), stoppedIn: undefined };
}

export function readsForward({ sortBy, descending, after }: StoreSearch): boolean {
  return isByEnd(sortBy) && descending === (after?.backwards ?? false);
}

function isByEnd(sortBy: StoreSearch["sortBy"]): boolean {
  return sortBy === "completedAt" || sortBy === "updatedAt";
}

export function reportOf(
  files: readonly ArchiveFile[],
  progress: Progress,
  search: StoreSearch,
  now: number,
) {
  const { read, damaged, stoppedIn } = progress;
  const cameTo = stoppedIn && (readsForward(search) ? stoppedIn.day : dayEnd(stoppedIn.day));
  return {
    files: { read, total: files.length },
    damaged: [...damaged].sort(),
    // Of the file of today nothing is settled: its day ends at a midnight to come.
    ...(cameTo !== undefined && cameTo <= now && { searchedBackTo: new Date(cameTo) }),
    ...(stoppedIn && {
      hint: "The archive is read file by file. Narrow the search by type, status or a range of time, or give it a longer budget.",
    }),
  };
}
