/** Tasks as they are given to a store. */
import type { BackoffPolicy } from "../backoff.ts";
import type { EncodedValue } from "../values/value.ts";

/** A task about to be stored: every default filled in, every value encoded. */
export interface NewTask {
  id: string;
  type: string;
  queue: string;
  priority: number;
  /** Milliseconds since 1970. */
  createdAt: number;
  dueAt: number;
  maxAttempts: number;
  payload: EncodedValue;
  /** Only when it is the task's own; a reader gets the definition's otherwise. */
  description: string | undefined;
  tags: readonly string[] | undefined;
  idempotencyKey: string | undefined;
  /** Whether the task may start again after its worker died. */
  rerunAfterCrash: boolean;
  /** What this task sets differently from its definition. */
  settings: TaskSettings | undefined;
  /** Whether the caller chose the id; generated ids sort by time, chosen ones need not. */
  ownId: boolean;
  /** How many tasks may be PENDING in its queue, this one included; undefined for any number. */
  queueDepthMax?: number;
  /** Of the definition's attributes, those the payload has. */
  attributes?: Attributes;
}

/** Why a store refuses new tasks. */
export type EnqueueRefusal = "id-taken" | "idempotency-conflict" | "queue-full";

/** By name; a Date counts as its milliseconds, and lists hold at most 20 values. Text of at most 1,000 characters. */
export type Attributes = Readonly<Record<string, AttributeKey | readonly AttributeKey[]>>;
export type AttributeKey = string | number | boolean;

/** Per-task overrides, kept as JSON beside the task and given back with the claim. */
export interface TaskSettings {
  timeoutMs?: number | null;
  backoff?: BackoffPolicy;
  /** How many tasks of its chain came before it, when a handler enqueued it; see origin.ts. */
  depth?: number;
  /** Its definition declares attributes, and whoever enqueued it had not the code that takes them: its worker does. */
  lacksAttributes?: true;
}

/** All tasks of a call, those that come in parts included. */
export async function gathered(
  given: readonly NewTask[] | AsyncIterable<readonly NewTask[]>,
): Promise<readonly NewTask[]> {
  if (Array.isArray(given)) return given;
  const tasks: NewTask[] = [];
  for await (const part of given as AsyncIterable<readonly NewTask[]>)
    for (const task of part) tasks.push(task);
  return tasks;
}
