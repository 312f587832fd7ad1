/** The definitions of one instance, by id. Refuses a second one with the same id. */

import type { StandardSchemaV1 } from "@standard-schema/spec";
import type { RegisteredAttribute } from "./attributes.ts";
import type { Backoff } from "./backoff.ts";
import { DureError } from "./errors.ts";
import type { TaskHandler } from "./task.ts";

/** A definition with its options checked, its defaults filled in and its durations in milliseconds. */
export interface RegisteredDefinition {
  readonly id: string;
  readonly handler: TaskHandler;
  readonly description: string | undefined;
  readonly maxAttempts: number;
  readonly backoff: Backoff | undefined;
  /** Null for no limit. */
  readonly timeoutMs: number | null;
  readonly abortGraceMs: number;
  readonly queue: string;
  readonly priority: number;
  readonly tags: readonly string[];
  readonly rerunAfterCrash: boolean;
  readonly schema: StandardSchemaV1 | undefined;
  readonly attributes: readonly RegisteredAttribute[];
  /** Whether it declares attributes that only another process can take. */
  readonly lacksAttributes?: boolean;
  /** `file:line:column` of the defineTask call, for messages. */
  readonly definedAt: string;
}

export class Registry {
  readonly #definitions = new Map<string, RegisteredDefinition>();
  readonly #builtIn = new Map<string, RegisteredDefinition>();
  readonly #listeners = new Set<(definition: RegisteredDefinition) => void>();

  /** @throws DureError TASK_ALREADY_DEFINED unless `replace` */
  add(definition: RegisteredDefinition, replace: boolean): void {
    const earlier = this.get(definition.id);
    if (earlier && (!replace || this.isBuiltIn(definition.id))) {
      throw new DureError(
        "TASK_ALREADY_DEFINED",
        `"${definition.id}" is already defined at ${earlier.definedAt}; the second definition is at ` +
          `${definition.definedAt}. Give one of them another id, or pass replace: true to the second.`,
        { details: { id: definition.id, first: earlier.definedAt, second: definition.definedAt } },
      );
    }
    this.#definitions.set(definition.id, definition);
    for (const listener of this.#listeners) listener(definition);
  }

  /** One that Dure brings itself: workers run its tasks, but it is neither stored nor listed with the user's. */
  addBuiltIn(definition: RegisteredDefinition): void {
    this.#builtIn.set(definition.id, definition);
  }

  isBuiltIn(id: string): boolean {
    return this.#builtIn.has(id);
  }

  /** Of the user's and of those built in. */
  get(id: string): RegisteredDefinition | undefined {
    return this.#definitions.get(id) ?? this.#builtIn.get(id);
  }

  /** The user's, in the order they were defined. */
  all(): RegisteredDefinition[] {
    return [...this.#definitions.values()];
  }

  /** The user's. */
  ids(): string[] {
    return [...this.#definitions.keys()];
  }

  /** The user's, then those built in. */
  allWithBuiltIn(): RegisteredDefinition[] {
    return [...this.#definitions.values(), ...this.#builtIn.values()];
  }

  /** What a worker claims: the types of all, and the queues it is limited to with those of the built-in ones. */
  claimed(queues: readonly string[] | undefined): { types: string[]; queues?: readonly string[] } {
    const types = [...this.#definitions.keys(), ...this.#builtIn.keys()];
    if (!queues) return { types };
    const own = [...this.#builtIn.values()].map(({ queue }) => queue);
    return { types, queues: own.length > 0 ? [...new Set([...queues, ...own])] : queues };
  }

  /** Called for every definition added from now on. */
  onAdd(listener: (definition: RegisteredDefinition) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}
