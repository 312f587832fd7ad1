/**
 * A map by id for entries that come and go by the thousand a second. `Map` would do but for the garbage collector: under
 * such change it makes a new table every few hundred entries, and each table it leaves points to the next. Once one of
 * them has grown old, all that follow are kept with everything in them until the next full collection: a third of a
 * drain's time and 40 MB (docs/design/storage.md).
 */
export class IdMap<Value> {
  readonly #values: Record<string, Value> = Object.create(null);
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get(id: string): Value | undefined {
    return this.#values[id];
  }

  set(id: string, value: Value): void {
    if (!(id in this.#values)) this.#size += 1;
    this.#values[id] = value;
  }

  /** Whether there was one. */
  delete(id: string): boolean {
    if (!(id in this.#values)) return false;
    delete this.#values[id];
    this.#size -= 1;
    return true;
  }

  /** As they are now, in no order to rely on. */
  values(): Value[] {
    return Object.values(this.#values);
  }
}

export type ReadonlyIdMap<Value> = Pick<IdMap<Value>, "size" | "get" | "values">;
