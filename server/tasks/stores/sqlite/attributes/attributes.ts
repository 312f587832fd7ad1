/**
 * The rows of attributes follow their tasks, on the writing thread: each value of a task is one row, which says whether
 * the task has ended. The task itself keeps them as JSON, so that what a condition asks is in its row.
 *
 * New tasks are not in the index at first: it is filled behind the writes, in order of seq and many at a time, up to a
 * mark. So to enqueue costs nothing more, and what ends at once is indexed once. Searches look at the rows beyond the mark.
 */
import { lackingAttributes, lackingName } from "../../../core/attributes.ts";
import type { Attributes } from "../../../core/store.ts";
import type { Connection } from "../connection.ts";
import { onlyRow } from "../only-row.ts";
import { attributeSql as sql } from "../statements.ts";

/** A value as a key of the index. */
export type StoredKey = string | number | Uint8Array;

/** Tasks that are indexed in one transaction. */
const indexedAtOnce = 500;
/** More than this may not lie behind the mark: a search looks at each of them. */
const behindMax = 100_000;

const lackingJson = JSON.stringify(lackingAttributes);

/** The mark when every task is in the index. */
const allIndexed = Number.MAX_SAFE_INTEGER;

export class TaskAttributes {
  readonly #connection: Connection;
  readonly #byName = new Map<string, number>();
  /** Whether tasks of a lane may have any; known up to the newest attribute. */
  readonly #lanes = new Map<number, boolean>();
  readonly #types = new Map<number, string>();
  #knownUpTo = -1;
  /** As this transaction has it. */
  #mark: number | undefined;
  /** Tasks that this thread has left beyond the mark. */
  #behind = 0;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  /** Call when a transaction begins: other processes fill the index too. */
  begin(): void {
    this.#mark = undefined;
  }

  get isBehind(): boolean {
    return this.#behind > 0;
  }

  /** Whether searches have so many tasks to look at that writes must wait. */
  get isFarBehind(): boolean {
    return this.#behind > behindMax;
  }

  /** Another process may have left some, or this one before it died. */
  suspectBehind(): void {
    this.#behind = Math.max(1, this.#behind);
  }

  /** Indexes the next tasks beyond the mark, in a transaction of its own. */
  indexMore(): void {
    const first = this.#markNow();
    const rows = this.#connection
      .prepare(sql.attributesAfter)
      .all(first, indexedAtOnce) as unknown as NewEntry[];
    const keys = rows.flatMap(([seq, createdAt, json, status, type]) =>
      Array.from(this.#keysOf(type, json), ([attribute, value]): IndexRow => {
        return [attribute, value, stateOf(status), createdAt, seq];
      }),
    );
    const insert = this.#connection.prepare(sql.insertAttribute);
    // Neighbours in the index share its pages.
    for (const key of keys.sort(compareRows)) insert.run(...key);
    const isWhole = rows.length < indexedAtOnce;
    this.#setMark(isWhole ? allIndexed : rows.at(-1)![0]);
    this.#behind = isWhole ? 0 : Math.max(1, this.#behind - rows.length);
  }

  #markNow(): number {
    this.#mark ??= onlyRow<[number]>(this.#connection, sql.attributeMark)[0];
    return this.#mark;
  }

  #setMark(mark: number): void {
    if (mark !== this.#markNow()) this.#connection.prepare(sql.setAttributeMark).run(mark);
    this.#mark = mark;
  }

  /** A rolled-back transaction may have taken new names with it. */
  forget(): void {
    this.#mark = undefined;
    this.#byName.clear();
    this.#lanes.clear();
    this.#types.clear();
    this.#knownUpTo = -1;
  }

  /** Adds the rows of a new task; `json` is what its row has. */
  add(type: string, seq: number, createdAt: number, state: number, json: string): void {
    // No stored task has a greater seq.
    if (this.#markNow() === allIndexed) this.#setMark(seq - 1);
    if (seq > this.#markNow()) {
      // By its name searches know that there are such tasks.
      if (json === lackingJson) this.of(type, lackingName);
      this.#behind += 1;
      return;
    }
    // Its seq was that of a task before it.
    this.#insert(type, seq, createdAt, state, json);
  }

  #insert(type: string, seq: number, createdAt: number, state: number, json: string): void {
    const insert = this.#connection.prepare(sql.insertAttribute);
    for (const [attribute, value] of this.#keysOf(type, json)) {
      insert.run(attribute, value, state, createdAt, seq);
    }
  }

  /** The status of these tasks of a lane has changed. Without attributes in the lane this costs one look at their newest. */
  moved(lane: number, seqs: () => readonly number[], from: number, to: number): void {
    const before = stateOf(from);
    const after = stateOf(to);
    if (before === after || !this.#mayHave(lane)) return;
    const mark = this.#markNow();
    const indexed = seqs().filter((seq) => seq <= mark);
    if (indexed.length === 0) return;
    const update = this.#connection.prepare(sql.moveAttribute);
    this.#eachKey(lane, indexed, (attribute, value, createdAt, seq) => {
      update.run(after, attribute, value, before, createdAt, seq);
    });
  }

  /** Call before the tasks are deleted. */
  removing(lane: number, seq: number, status: number): void {
    if (!this.#mayHave(lane) || seq > this.#markNow()) return;
    const remove = this.#connection.prepare(sql.deleteAttribute);
    this.#eachKey(lane, [seq], (attribute, value, createdAt) => {
      remove.run(attribute, value, stateOf(status), createdAt, seq);
    });
  }

  /** Adds values to a task that may have some; those of a name that it has stay, and the new ones beside them. */
  extend(lane: number, seq: number, id: string, added: Attributes): void {
    const row = this.#connection.prepare(sql.attributesOfTask).get(seq, id) as TaskEntry | undefined;
    if (row) this.#extend(lane, row, row[2] === null ? {} : JSON.parse(row[2]), added);
  }

  /** The same for a task that lacks them, which it does no longer. */
  supply(lane: number, seq: number, id: string, added: Attributes): void {
    const row = this.#connection.prepare(sql.attributesOfTask).get(seq, id) as TaskEntry | undefined;
    if (!row || row[2] === null) return;
    const [, createdAt, json, status] = row;
    const { [lackingName]: isLacking, ...kept } = JSON.parse(json) as Attributes;
    if (isLacking === undefined) return;
    if (seq <= this.#markNow()) {
      const attribute = this.of(this.#typeOf(lane), lackingName);
      this.#connection.prepare(sql.deleteAttribute).run(attribute, yes, stateOf(status), createdAt, seq);
    }
    this.#extend(lane, row, kept, added);
  }

  #extend(
    lane: number,
    [seq, createdAt, json, status]: TaskEntry,
    kept: Attributes,
    added: Attributes,
  ): void {
    const merged = attributesJson(mergeAttributes(kept, added));
    if (merged === json) return;
    this.#connection.prepare(sql.setAttributes).run(merged, seq);
    if (merged !== null && seq <= this.#markNow())
      this.#insert(this.#typeOf(lane), seq, createdAt, stateOf(status), merged);
  }

  /** The number of an attribute; made when it is new. */
  of(type: string, name: string): number {
    const key = `${type} ${name}`;
    const known = this.#byName.get(key);
    if (known !== undefined) return known;
    const found = this.#connection.prepare(sql.findAttribute).get(type, name) as [number] | undefined;
    const [attribute] =
      found ?? (this.#connection.prepare(sql.insertAttributeName).get(type, name) as unknown as [number]);
    this.#byName.set(key, attribute);
    return attribute;
  }

  #eachKey(
    lane: number,
    seqs: readonly number[],
    each: (attribute: number, value: StoredKey, createdAt: number, seq: number) => void,
  ): void {
    const rows = this.#connection
      .prepare(sql.attributesOfTasks)
      .all(JSON.stringify(seqs)) as unknown as TaskEntry[];
    for (const [seq, createdAt, json] of rows) {
      for (const [attribute, value] of this.#keysOf(this.#typeOf(lane), json!)) {
        each(attribute, value, createdAt, seq);
      }
    }
  }

  *#keysOf(type: string, json: string): Generator<[attribute: number, value: StoredKey]> {
    const attributes = JSON.parse(json) as Attributes;
    for (const name of Object.keys(attributes)) {
      const attribute = this.of(type, name);
      const given = attributes[name]!;
      // What JSON has no form for came back as null.
      for (const value of [given].flat()) if (value !== null) yield [attribute, storedKey(value)];
    }
  }

  /** Other processes make names too; one that is new says that lanes must be looked at again. */
  #mayHave(lane: number): boolean {
    const [newest] = this.#connection.prepare(sql.newestAttribute).get() as unknown as [number];
    if (newest !== this.#knownUpTo) {
      this.#lanes.clear();
      this.#knownUpTo = newest;
    }
    if (newest === 0) return false;
    let may = this.#lanes.get(lane);
    if (may === undefined) {
      may = this.#connection.prepare(sql.hasAttributes).get(this.#typeOf(lane)) !== undefined;
      this.#lanes.set(lane, may);
    }
    return may;
  }

  #typeOf(lane: number): string {
    let type = this.#types.get(lane);
    if (type === undefined) {
      type = onlyRow<[string]>(this.#connection, sql.typeOfLane, lane)[0];
      this.#types.set(lane, type);
    }
    return type;
  }
}

type NewEntry = [seq: number, createdAt: number, attributes: string, status: number, type: string];
type IndexRow = [attribute: number, value: StoredKey, state: number, createdAt: number, seq: number];

/** Nearly as the index has them. */
function compareRows([a, x, s]: IndexRow, [b, y, t]: IndexRow): number {
  if (a !== b) return a - b;
  if (x === y) return s - t;
  return typeof x === typeof y ? (x < y ? -1 : 1) : typeof x < typeof y ? -1 : 1;
}

type TaskEntry = [seq: number, createdAt: number, attributes: string | null, status: number];

const no = new Uint8Array([0]);
const yes = new Uint8Array([1]);

export function storedKey(value: string | number | boolean): StoredKey {
  if (typeof value !== "boolean") return value;
  return value ? yes : no;
}

/** What a row of an attribute says of its task's status. */
export function stateOf(status: number): number {
  return status >= 3 ? status : 0;
}

/** All values of both, by name, each once. */
function mergeAttributes(kept: Attributes, added: Attributes): Attributes {
  const merged: Record<string, Attributes[string]> = { ...kept };
  for (const [name, given] of Object.entries(added)) {
    const before = merged[name];
    if (before === undefined) {
      merged[name] = given;
      continue;
    }
    const values = [...new Set([before, given].flat())];
    if (values.length > 1) merged[name] = values;
  }
  return merged;
}

/** As a task's row has them; null for none. Half a surrogate pair, which JSON writes as `\ud…`, is no character to databases: U+FFFD is kept. */
export function attributesJson(attributes: Attributes | undefined): string | null {
  if (!attributes) return null;
  const json = JSON.stringify(attributes);
  if (json.includes("\\ud")) return JSON.stringify(attributes, wellFormed);
  return json === "{}" ? null : json;
}

function wellFormed(_name: string, value: unknown): unknown {
  return typeof value === "string" ? value.toWellFormed() : value;
}
