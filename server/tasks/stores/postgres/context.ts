/** What every verb of the PostgreSQL store works with. */
import type { NewTask } from "../../core/store.ts";
import type { AttributeNames } from "./attributes/attribute-names.ts";
import type { Database } from "./connections/database.ts";
import type { Searching } from "./connections/giving-way.ts";
import type { Lull } from "./connections/lull.ts";
import type { Floors } from "./floors.ts";
import type { Lanes } from "./lanes.ts";
import type { Lookout } from "./look.ts";
import type { Behind } from "./statement.ts";

export interface Context {
  readonly database: Database;
  readonly lanes: Lanes;
  readonly attributes: AttributeNames;
  /** For statements that may wait until no task waits. */
  readonly lull: Lull;
  /** For the reads of searches. */
  readonly searching: Searching;
  readonly floors: Floors;
  readonly lookout: Lookout;
  /** What was last known of the counts by the minute: see minute-fill.ts. */
  readonly minutes: {
    areKept: boolean;
    /** Whether the latest counts by them were one question, as nearly all are. */
    isOneQuestion: boolean;
  };
  /** The instant for statements; null for the database's own clock. Tests give theirs. */
  now(): number | null;
  /** What tells others of tasks right behind the statement that stores them; undefined when `tasksAdded` is to do so. */
  tellBehind(tasks: readonly NewTask[]): Behind | undefined;
  /** Tasks became claimable: wakes this process's worker at once and others, unless they were told, by a notification, soon. */
  tasksAdded(options?: { wereTold: boolean }): void;
  /** Tasks ended, or were asked to: wakes those who wait for that. */
  tasksChanged(): void;
  /** Tasks were deleted: the counts changed, and nobody needs to be told. */
  tasksDeleted(): void;
  /** So many attempts came to their ends by one write, and were added to the history. */
  attemptsEnded(attempts: number): void;
}
