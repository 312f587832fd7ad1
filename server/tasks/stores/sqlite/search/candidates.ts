/** What a walk looks at, one by one. */
import type { Task } from "../../../core/task.ts";
import type { Row } from "../rows.ts";
import type { Key } from "./search-key.ts";

export interface Candidate {
  key: Key;
  /** Below zero in its key: the definition's entry. */
  entry?: Task;
  /** Neither this nor an entry: a place, or a task that cannot meet the conditions. */
  row?: Row;
}

/** What is put in order waits without its row. */
export interface Gathered extends Pick<Candidate, "key" | "entry"> {
  at: [value: number, id: string];
}

export interface Counted {
  /** Of those that were seen. */
  met: number;
  seen: number;
  isWhole: boolean;
  unindexed: number;
  /** How many there are to look at, when that is not all that pass the plain filters. */
  total?: number;
}
