/**
 * Task rows within a number of bytes. They are read one after another, so that of payloads that are too large for an answer
 * none but the first that does not fit is brought to JavaScript.
 */
import type { SQLInputValue } from "node:sqlite";
import type { Connection } from "../connection.ts";
import { type Row, restOf } from "../rows.ts";
import { sql } from "../statements.ts";
import type { Key } from "./search-key.ts";

const portionBytesMax = 4 * 1024 * 1024;
/** So little is read in one go, which is twice as fast as one by one. */
const smallBytesMax = 1024 * 1024;

/** Of the payload, the result and the error as they are stored. */
export function valueBytes(row: Row): number {
  const [, , , payloadTypes, resultTypes] = restOf(row);
  return [row[14], payloadTypes, row[15], resultTypes, row[16]].reduce(
    (sum: number, text) => (text === null ? sum : sum + Buffer.byteLength(text)),
    0,
  );
}

/** Counts what an answer holds. */
export class Room {
  readonly #bytesMax: number;
  #bytes = 0;
  #isEmpty = true;

  constructor(bytesMax = Number.POSITIVE_INFINITY) {
    this.#bytesMax = bytesMax;
  }

  /** Whether the next row fits, which then is counted; the first one does. */
  takes(row: Row): boolean {
    if (this.#bytesMax === Number.POSITIVE_INFINITY) return true;
    this.#bytes += valueBytes(row);
    const fits = this.#isEmpty || this.#bytes <= this.#bytesMax;
    this.#isEmpty = false;
    return fits;
  }
}

/** The tasks of these numbers in their order, up to the one that does not fit. */
export function readTasks(
  connection: Connection,
  seqs: readonly number[],
  bytesMax: number | undefined,
): { rows: Row[]; cutAt?: number } {
  const wanted = JSON.stringify(seqs);
  if (bytesMax === undefined) return { rows: allRows(connection, sql.readPage, [wanted]) };
  const rows: Row[] = [];
  const room = new Room(bytesMax);
  for (const row of rowsOf(connection, sql.readPage, [wanted])) {
    if (!room.takes(row)) return { rows, cutAt: row[0] };
    rows.push(row);
  }
  return { rows };
}

/** @param wanted their numbers, as JSON */
export function areSmall(connection: Connection, wanted: string): boolean {
  const [bytes] = connection.prepare(sql.valueBytes).get(wanted) as unknown as [number];
  return bytes <= smallBytesMax;
}

export function allRows(connection: Connection, text: string, values: readonly SQLInputValue[]): Row[] {
  return connection.prepare(text).all(...values) as unknown as Row[];
}

/** One by one; `return` lets go of the statement. */
export function* rowsOf(
  connection: Connection,
  text: string,
  values: readonly SQLInputValue[],
): Generator<Row, undefined> {
  const statement = connection.borrow(text);
  const rows = statement.iterate(...values) as unknown as IterableIterator<Row>;
  try {
    yield* rows;
    return undefined;
  } finally {
    rows.return?.();
    connection.giveBack(text, statement);
  }
}

/** A key, and its row if there is one. */
interface WithRow {
  key: Key;
  row?: Row;
}

/**
 * The keys with those of their rows that there are, in order; by portions, where the rows come one by one.
 * @param bytesMax what the answer has room for: little more is read than fits
 */
export function* inPortions(
  keys: readonly Key[],
  rows: readonly Row[] | Generator<Row, undefined>,
  bytesMax = Number.POSITIVE_INFINITY,
): Generator<WithRow[], undefined> {
  if ("length" in rows) {
    let next = 0;
    yield keys.map((key): WithRow => (rows[next]?.[0] === key[2] ? { key, row: rows[next++]! } : { key }));
    return undefined;
  }
  try {
    let { value: row } = rows.next();
    const portionMax = Math.min(bytesMax / 4, portionBytesMax);
    let room = new Room(portionMax);
    let portion: WithRow[] = [];
    for (const key of keys) {
      if (row?.[0] !== key[2]) {
        portion.push({ key });
        continue;
      }
      if (!room.takes(row)) {
        yield portion;
        portion = [];
        room = new Room(portionMax);
        room.takes(row);
      }
      portion.push({ key, row });
      row = rows.next().value;
    }
    yield portion;
    return undefined;
  } finally {
    rows.return(undefined);
  }
}

export function rowsIn(portion: readonly { row?: Row }[]): Row[] {
  return portion.flatMap(({ row }) => (row ? [row] : []));
}
