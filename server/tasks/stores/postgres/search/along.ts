/**
 * The tasks of candidates, read together with what finds these: one wait for the server in place of two. A statement notes what it has found in a
 * setting of the transaction, and the one that is sent right behind it reads the tasks of these.
 */
import type { Place } from "../../../core/store.ts";
import type { Snapshot } from "../connections/database.ts";
import type { Placed } from "./entries.ts";
import type { SubjectRow } from "./subjects.ts";

/** A candidate, with what is read of it to test it where that came along; null where no task of the search is there. */
export interface Candidate extends Place {
  row?: SubjectRow | null;
}

export interface Along {
  /** That the first candidates are read in. */
  session: Snapshot;
  /** Of more candidates at once the tasks are read when they are wanted. */
  most: number;
  /** Asks for the tasks of those that the statement before has noted. */
  rows(): Promise<SubjectRow[]>;
  /** Set where these are asked for and nothing else is likely to be. */
  isPage?: true;
  /** Of definitions without tasks, where they were asked for together with these. */
  entries?: Placed[];
}

/** A part of a statement (WITH … AS) that notes the `task_id` of another one. */
export function noting(found: string): string {
  return `noted AS MATERIALIZED (
        SELECT set_config('dure.candidates', coalesce(array_agg(task_id)::text, '{}'), true) AS ids FROM ${found})`;
}

/** Always holds: that part is left out unless it is asked for. */
export const areNoted = "(SELECT ids FROM noted) IS NOT NULL";

/** What was noted. */
export const notedIds = "current_setting('dure.candidates')::text[]";

/** @param ask sends its statement before it waits */
export async function withRows<Value>(
  along: Along | undefined,
  ask: () => Promise<Value>,
  placesOf: (value: Value) => readonly Candidate[],
): Promise<Value> {
  if (!along) return ask();
  const [value, rows] = await along.session.inOneGo(() => [ask(), along.rows()]);
  const byId = new Map(rows.map((row) => [row[2] as string, row]));
  for (const place of placesOf(value)) place.row = byId.get(place.id) ?? null;
  return value;
}
