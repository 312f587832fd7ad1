/**
 * What a file of the archive can hold: from its name the day its tasks ended, and from the small file beside it,
 * `tasks-2026-11-23.ndjson.gz.bounds`, the ranges of its instants, its types, statuses and queues. That one counts only
 * for a file of the length it says; an archive without any is read whole.
 */
import { readFile, rename, rm, writeFile } from "node:fs/promises";
import type { ArchivedTask, StoreSearch } from "../../core/store.ts";

const dayMs = 86_400_000;
/** Clocks that went back may put a change this much later than the end that the name of a file tells. */
const slackMs = dayMs;
const namesMax = 1_000;
const namePattern = /^tasks-(\d{4}-\d{2}-\d{2})\.ndjson\.gz$/;

type Range = readonly [min: number, max: number];

/** Milliseconds since 1970, both ends included; null where there are too many names. */
export interface FileBounds {
  created: Range;
  updated: Range;
  completed: Range;
  types: readonly string[] | null;
  statuses: readonly string[] | null;
  queues: readonly string[] | null;
}

interface Sidecar extends FileBounds {
  /** How long the file is that it speaks of, in bytes. */
  size: number;
}

/** The start of the day that a file's name says; undefined for the name of another file. */
export function dayOfName(name: string): number | undefined {
  const day = Date.parse(namePattern.exec(name)?.[1] ?? "");
  return Number.isNaN(day) ? undefined : day;
}

export function dayEnd(day: number): number {
  return day + dayMs;
}

/** What the name alone tells. */
export function boundsOfDay(day: number): FileBounds {
  const last = dayEnd(day) - 1;
  const late = last + slackMs;
  const anyNames = { types: null, statuses: null, queues: null };
  return {
    created: [Number.NEGATIVE_INFINITY, late],
    updated: [day - slackMs, late],
    completed: [day, last],
    ...anyNames,
  };
}

export function boundsOf(tasks: readonly ArchivedTask[]): FileBounds {
  const found = tasks.map(({ task }) => task);
  return {
    created: rangeOf(found.map(({ createdAt }) => createdAt.getTime())),
    updated: rangeOf(found.map(({ updatedAt }) => updatedAt.getTime())),
    completed: rangeOf(found.map(({ completedAt, updatedAt }) => (completedAt ?? updatedAt).getTime())),
    types: namesOf(found.map(({ type }) => type)),
    statuses: namesOf(found.map(({ status }) => status)),
    queues: namesOf(found.map(({ queue }) => queue ?? "default")),
  };
}

function rangeOf(values: readonly number[]): Range {
  return [values.reduce((a, b) => Math.min(a, b)), values.reduce((a, b) => Math.max(a, b))];
}

function namesOf(names: readonly string[]): readonly string[] | null {
  const distinct = [...new Set(names)].sort();
  return distinct.length > namesMax ? null : distinct;
}

function joined(a: FileBounds, b: FileBounds): FileBounds {
  const names = (one: readonly string[] | null, other: readonly string[] | null) =>
    one && other && namesOf([...one, ...other]);
  return {
    created: rangeOf([...a.created, ...b.created]),
    updated: rangeOf([...a.updated, ...b.updated]),
    completed: rangeOf([...a.completed, ...b.completed]),
    types: names(a.types, b.types),
    statuses: names(a.statuses, b.statuses),
    queues: names(a.queues, b.queues),
  };
}

/** Whether the file may hold a task that the filters let through. */
export function mayHold(bounds: FileBounds, search: StoreSearch): boolean {
  const { types, statuses, queues, created, updated } = search;
  return (
    overlaps(bounds.created, created) &&
    overlaps(bounds.updated, updated) &&
    shares(bounds.types, types) &&
    shares(bounds.statuses, statuses) &&
    shares(bounds.queues, queues)
  );
}

function overlaps([min, max]: Range, { start, end }: { start?: number; end?: number } = {}): boolean {
  return (start === undefined || max >= start) && (end === undefined || min < end);
}

function shares(held: readonly string[] | null, wanted: readonly string[] | undefined): boolean {
  return held === null || wanted === undefined || wanted.some((name) => held.includes(name));
}

/** The bounds of the file while it is `size` bytes long; undefined when nothing says them. */
export async function readBounds(path: string, size: number): Promise<FileBounds | undefined> {
  try {
    const sidecar = JSON.parse(await readFile(sidecarOf(path), "utf8")) as Sidecar;
    return sidecar.size === size && isRange(sidecar.created) && isRange(sidecar.updated)
      ? sidecar
      : undefined;
  } catch {
    return undefined;
  }
}

function isRange(value: unknown): boolean {
  return Array.isArray(value) && value.length === 2 && value.every(Number.isFinite);
}

let written = 0;

/**
 * After an append: the bounds now hold for what was there and what was added. Where what was there has none, or another
 * process wrote at the same moment, the file stays without. Never fails: without it searches are only slower.
 */
export async function extendBounds(
  path: string,
  sizes: { before: number; after: number; added: number },
  added: FileBounds,
): Promise<void> {
  if (sizes.before + sizes.added !== sizes.after) return;
  const known = sizes.before === 0 ? undefined : await readBounds(path, sizes.before);
  if (sizes.before > 0 && !known) return;
  const sidecar: Sidecar = { ...(known ? joined(known, added) : added), size: sizes.after };
  written += 1;
  const draft = `${sidecarOf(path)}.${process.pid}-${written}.tmp`;
  try {
    await writeFile(draft, `${JSON.stringify(sidecar)}\n`, { mode: 0o600 });
    await rename(draft, sidecarOf(path));
  } catch {
    await rm(draft, { force: true }).catch(() => {});
  }
}

function sidecarOf(path: string): string {
  return `${path}.bounds`;
}
