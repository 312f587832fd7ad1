/** What is indexed behind the writes: attributes that a definition has gained, and texts. */
import type { Attempt } from "./attempt.ts";
import type { Attributes } from "./store-new-task.ts";
import type { Task } from "./task.ts";

export interface UnfilledTask {
  /** The store's own handle; it comes back unread. */
  ref: unknown;
  task: Task;
  /** Names of attributes. */
  attributes: readonly string[];
}

export interface FilledTask {
  ref: unknown;
  attributes: Attributes;
}

export interface UnindexedTask {
  /** The store's own handle; it comes back unread. */
  ref: unknown;
  task: Task;
  /** Oldest first, with errors and logs. */
  attempts: readonly Attempt[];
}

export interface IndexedText {
  ref: unknown;
  /** Empty for a task without any text. */
  text: string;
}
