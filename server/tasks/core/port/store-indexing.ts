/** What is indexed behind the writes: attributes that a definition has gained, and texts. */
import type { Task } from "../task.ts";
import type { AttemptInText, StoredJson, TaskInText } from "../values/searchable-text.ts";
import type { Attributes } from "./store-new-task.ts";

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
  task: TaskInText & Pick<Task, "id">;
  /** Of its payload and result, as they are stored: a text is made of that, with no need to read the values. */
  json: StoredJson;
  /** Oldest first. */
  attempts: readonly AttemptInText[];
}

export interface IndexedText {
  ref: unknown;
  /** Empty for a task without any text. */
  text: string;
}
