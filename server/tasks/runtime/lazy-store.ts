/** The store of an instance: opened on first use, with every definition saved in it before anyone is given it. */
import { DureError } from "../core/errors.ts";
import { payloadSchemaOf } from "../core/payload-schema.ts";
import type { RegisteredDefinition, Registry } from "../core/registry.ts";
import type { StoredDefinition, TaskStore } from "../core/store.ts";
import { committed } from "../core/written.ts";

export class LazyStore {
  readonly #make: () => TaskStore | Promise<TaskStore>;
  readonly #onOpen: (store: TaskStore) => void | Promise<void>;
  #unsaved: RegisteredDefinition[];
  #made: TaskStore | Promise<TaskStore> | undefined;
  #opened: Promise<TaskStore> | undefined;
  /** The open store with all definitions saved; undefined while there is something to do before. */
  #ready: Promise<TaskStore> | undefined;
  /** Why the open store was not taken. */
  #refusal: unknown;
  #closed = false;

  /** @param onOpen called once, with the open store, before anyone else has it; one that it throws at is closed */
  constructor(
    registry: Registry,
    make: () => TaskStore | Promise<TaskStore>,
    onOpen: (store: TaskStore) => void | Promise<void>,
  ) {
    this.#make = make;
    this.#onOpen = onOpen;
    this.#unsaved = registry.all();
    registry.onAdd((definition) => this.#add(definition));
  }

  /** @throws DureError INSTANCE_CLOSED, TASK_ID_TAKEN (a definition has the id of a task), DATABASE_…; the next call tries again */
  get(): Promise<TaskStore> {
    if (this.#closed) return Promise.reject(closedError());
    if (this.#ready) return this.#ready;
    const ready = this.#prepare();
    this.#ready = ready;
    ready.catch(() => {
      if (this.#ready === ready) this.#ready = undefined;
    });
    return ready;
  }

  /** The store, which opens meanwhile. @throws DureError INSTANCE_CLOSED */
  async unopened(): Promise<TaskStore> {
    if (this.#closed) throw closedError();
    // Whoever needs the open store next meets its trouble, if there is any.
    void this.get().catch(() => {});
    if (this.#refusal) throw this.#refusal;
    this.#made ??= this.#make();
    return this.#made;
  }

  /** Lets go of the store, if it was opened; a repeated call does nothing. */
  async close(): Promise<void> {
    this.#closed = true;
    const store = await this.#opened?.catch(() => undefined);
    await store?.close();
  }

  #add(definition: RegisteredDefinition): void {
    this.#unsaved.push(definition);
    this.#ready = undefined;
    if (!this.#opened || this.#unsaved.length > 1) return;
    // Those defined in one go are saved in one go. Whoever needs the store next meets its trouble, if there is any.
    queueMicrotask(() => void this.get().catch(() => {}));
  }

  async #prepare(): Promise<TaskStore> {
    const store = await this.#open();
    const saving = this.#unsaved;
    if (saving.length === 0) return store;
    this.#unsaved = [];
    try {
      committed(await store.saveDefinitions(saving.map(toStored)), store);
    } catch (error) {
      this.#unsaved = [...saving, ...this.#unsaved];
      throw error;
    }
    return store;
  }

  #open(): Promise<TaskStore> {
    if (!this.#opened) {
      const opened = this.#openNow();
      this.#opened = opened;
      opened.catch(() => {
        this.#opened = undefined;
      });
    }
    return this.#opened;
  }

  async #openNow(): Promise<TaskStore> {
    try {
      this.#made ??= this.#make();
      const store = await this.#made;
      await store.open();
      await this.#take(store);
      return store;
    } catch (error) {
      this.#made = undefined;
      throw error;
    }
  }

  async #take(store: TaskStore): Promise<void> {
    try {
      await this.#onOpen(store);
      this.#refusal = undefined;
    } catch (error) {
      this.#refusal = error;
      await store.close();
      throw error;
    }
  }
}

/** The error of every call on a closed instance. */
export function closedError(): DureError {
  return new DureError("INSTANCE_CLOSED", "This instance was closed. Make another one with createDure.");
}

function toStored(definition: RegisteredDefinition): Omit<StoredDefinition, "createdAt" | "updatedAt"> {
  const { id, description, maxAttempts, queue, priority, timeoutMs, tags, rerunAfterCrash } = definition;
  const attributes = definition.attributes.map(({ name }) => name);
  const payloadSchema = payloadSchemaOf(definition.schema);
  return {
    ...{ id, maxAttempts, queue, priority, timeoutMs, tags, rerunAfterCrash },
    ...(description !== undefined && { description }),
    ...(attributes.length > 0 && { attributes }),
    ...(payloadSchema && { payloadSchema }),
  };
}
