/**
 * What the core needs of an instance, and the default instance that the specification's free functions work on.
 * The core makes no instance itself: dure.ts says how, by `provideDefaultInstance`.
 */

import type { Clock } from "./clock.ts";
import { DureError } from "./errors.ts";
import type { Ids } from "./ids.ts";
import type { Origin } from "./origin.ts";
import type { Registry } from "./registry.ts";
import type { TaskStore } from "./store.ts";
import type { Task } from "./task.ts";
import type { ChangeSource } from "./watch/change-source.ts";

export interface Instance {
  readonly registry: Registry;
  readonly clock: Clock;
  readonly ids: Ids;
  /** Limit of one payload or result, in bytes. */
  readonly valueSizeMax: number;
  /** How many tasks may wait in that queue; undefined for any number. */
  queueDepthMax(queue: string): number | undefined;
  /** The attempt whose handler calls, if one does; of any instance of the process. */
  origin(): Origin | undefined;
  /** The store, opened on first use, with every definition so far saved in it. */
  store(): Promise<TaskStore>;
  /** The store, which may still be opening; for verbs that need nothing of it but its name. */
  storeUnopened(): Promise<TaskStore>;
  /** What changes in the store, for watchers. */
  readonly changes: ChangeSource;
  /** Resolves with the task once it is COMPLETED, FAILED or CANCELLED. */
  waitForEnd(id: string, options: { timeoutMs?: number; signal?: AbortSignal }): Promise<Task>;
}

let provide: (() => Instance) | undefined;
let current: Instance | undefined;

/** Says how the default instance is made; it is made when first asked for. */
export function provideDefaultInstance(factory: () => Instance): void {
  provide = factory;
}

/** The instance that `defineTask`, `searchTasks` and the other free functions work on. */
export function defaultInstance(): Instance {
  if (!current) {
    if (!provide) {
      throw new DureError(
        "INSTANCE_CLOSED",
        `There is no default instance. Import from "dure" instead of a file inside it.`,
      );
    }
    current = provide();
  }
  return current;
}

/** Whether the free functions have defined anything. */
export function definedByDefault(): boolean {
  return current !== undefined && current.registry.all().length > 0;
}

/** Puts another instance in the default one's place, or none, so that the next use makes a new one. For tests. */
export function setDefaultInstance(instance: Instance | undefined): void {
  current = instance;
}
