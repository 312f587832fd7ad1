/** What every verb of the PostgreSQL store works with. */
import type { AttributeNames } from "./attribute-names.ts";
import type { Database } from "./database.ts";
import type { Floors } from "./floors.ts";
import type { Lanes } from "./lanes.ts";
import type { Lookout } from "./look.ts";

export interface Context {
  readonly database: Database;
  readonly lanes: Lanes;
  readonly attributes: AttributeNames;
  readonly floors: Floors;
  readonly lookout: Lookout;
  /** The instant for statements; null for the database's own clock. Tests give theirs. */
  now(): number | null;
  /** Tasks became claimable: wakes this process's worker at once and others by a notification, soon. */
  tasksAdded(): void;
  /** Tasks ended, or were asked to: wakes those who wait for that. */
  tasksChanged(): void;
}
