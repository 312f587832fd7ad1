/**
 * A map by id for entries that come and go by the thousand a second: a hash table with chains, which leaves no garbage
 * but its entries. The language's own two leave more (docs/design/storage.md). A `Map` makes a new table every few hundred
 * entries, each pointing to the next, and once one has grown old all that follow are kept with everything in them. An
 * object used as a table makes every id a property name, which is kept apart, and for long.
 */
export class IdMap<Value> {
  #chains: (Entry<Value> | undefined)[] = new Array(chainsMin).fill(undefined);
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get(id: string): Value | undefined {
    let entry = this.#chains[this.#placeOf(id)];
    while (entry !== undefined && entry.id !== id) entry = entry.next;
    return entry?.value;
  }

  set(id: string, value: Value): void {
    const place = this.#placeOf(id);
    const first = this.#chains[place];
    let entry = first;
    while (entry !== undefined && entry.id !== id) entry = entry.next;
    if (entry !== undefined) {
      entry.value = value;
      return;
    }
    this.#chains[place] = new Entry(id, value, first);
    this.#size += 1;
    if (this.#size > this.#chains.length) this.#grow();
  }

  /** Whether there was one. */
  delete(id: string): boolean {
    const place = this.#placeOf(id);
    let before: Entry<Value> | undefined;
    let entry = this.#chains[place];
    while (entry !== undefined && entry.id !== id) {
      before = entry;
      entry = entry.next;
    }
    if (entry === undefined) return false;
    if (before === undefined) this.#chains[place] = entry.next;
    else before.next = entry.next;
    this.#size -= 1;
    return true;
  }

  /** As they are now, in no order to rely on. */
  values(): Value[] {
    const values: Value[] = [];
    for (const first of this.#chains) {
      for (let entry = first; entry !== undefined; entry = entry.next) values.push(entry.value);
    }
    return values;
  }

  #placeOf(id: string): number {
    return hash(id) & (this.#chains.length - 1);
  }

  /** Twice the chains. They are never made fewer: how many attempts run at once has a bound. */
  #grow(): void {
    const before = this.#chains;
    this.#chains = new Array(before.length * 2).fill(undefined);
    for (const first of before) {
      let entry = first;
      while (entry !== undefined) {
        const { next } = entry;
        const place = this.#placeOf(entry.id);
        entry.next = this.#chains[place];
        this.#chains[place] = entry;
        entry = next;
      }
    }
  }
}

class Entry<Value> {
  readonly id: string;
  value: Value;
  next: Entry<Value> | undefined;

  constructor(id: string, value: Value, next: Entry<Value> | undefined) {
    this.id = id;
    this.value = value;
    this.next = next;
  }
}

/** A power of two. */
const chainsMin = 64;

/** FNV-1a over UTF-16 code units, its high half folded into the low one, which picks the chain. */
function hash(id: string): number {
  let sum = 0x811c9dc5;
  for (let index = 0; index < id.length; index++) sum = Math.imul(sum ^ id.charCodeAt(index), 0x01000193);
  return sum ^ (sum >>> 15);
}

export type ReadonlyIdMap<Value> = Pick<IdMap<Value>, "size" | "get" | "values">;
