/**
 * Statements that are sent in one write and answered together: what begins a transaction, what is asked in it, and what ends it where
 * that is known. The driver's own queries are one each, with a wait, an answer to be ready again and a description of the rows between.
 * Rows come as arrays; how their columns are read is learned once for each prepared statement of a connection.
 */
import type pg from "pg";
import { arrayText } from "../arrays.ts";
import { within } from "./ask.ts";

export interface Sent {
  text: string;
  /** Under which it is prepared, if it is. */
  name?: string;
  values: readonly unknown[];
  /** Whether nobody wants its rows. */
  isSilent?: boolean;
}

type Row = any[];
type Value = string | Buffer | null;

/** What the driver's connection can do beside what its types tell. */
interface SendingConnection {
  readonly stream: { cork(): void; uncork(): void };
  readonly parsedStatements: Record<string, string>;
  parse(query: { text: string; name: string | undefined }): void;
  bind(portal: { statement: string | undefined; values: readonly Value[] }): void;
  describe(portal: { type: "P" }): void;
  execute(portal: object): void;
  sync(): void;
}

/** A column whose text is not its value. */
interface Column {
  place: number;
  parse(text: string): unknown;
}

/** Answers the rows of each statement; of those that nobody wants none. Where one fails those behind it are not run. */
export type AtOnce = (
  client: pg.ClientBase,
  statements: readonly Sent[],
  timeoutMs: number,
) => Promise<Row[][]>;

/** @param types how a column is read */
export function makeAtOnce(types: pg.CustomTypesConfig): AtOnce {
  const reading = new Reading(types);
  return (client, statements, timeoutMs) =>
    within(timeoutMs, (answer) => {
      client.query(new Questions(statements, reading, answer) as unknown as pg.Submittable);
    });
}

const textType = 25;

type Learned = Map<string, readonly Column[]>;

/** How columns are read. */
class Reading {
  readonly #types: pg.CustomTypesConfig;
  readonly #learned = new WeakMap<object, Learned>();

  constructor(types: pg.CustomTypesConfig) {
    this.#types = types;
  }

  /** Those of each prepared statement of a connection. */
  learnedBy(connection: object): Learned {
    const learned: Learned = this.#learned.get(connection) ?? new Map();
    this.#learned.set(connection, learned);
    return learned;
  }

  columnsOf(fields: readonly pg.FieldDef[]): Column[] {
    const asText = this.#types.getTypeParser(textType);
    return fields
      .map(({ dataTypeID }, place) => ({
        place,
        parse: this.#types.getTypeParser(dataTypeID) as Column["parse"],
      }))
      .filter(({ parse }) => parse !== asText);
  }
}

/** As the driver has queries: it hands over each message, and reads `name` and `text` when one was parsed. */
class Questions {
  readonly callback: (error: Error | null, rows: Row[][]) => void;
  readonly #reading: Reading;
  readonly #statements: readonly Sent[];
  readonly #values: readonly Value[][];
  readonly #rows: Row[][] = [[]];
  #columns: readonly Column[] | undefined;
  #learned: Learned | undefined;
  #failure: Error | undefined;

  constructor(statements: readonly Sent[], reading: Reading, callback: Questions["callback"]) {
    this.#reading = reading;
    this.#statements = statements;
    this.#values = statements.map(({ values }) => values.map(asSent));
    this.callback = callback;
  }

  /** The one whose answer comes next. */
  get #current(): Sent | undefined {
    return this.#statements[this.#rows.length - 1];
  }

  get name(): string | undefined {
    return this.#current?.name;
  }

  get text(): string | undefined {
    return this.#current?.text;
  }

  submit(connection: SendingConnection): null {
    const learned = this.#reading.learnedBy(connection);
    this.#learned = learned;
    const parsed = new Set<string>();
    connection.stream.cork();
    try {
      for (const [place, { text, name, isSilent }] of this.#statements.entries()) {
        const isParsed =
          name !== undefined && (parsed.has(name) || connection.parsedStatements[name] !== undefined);
        if (!isParsed) connection.parse({ text, name });
        if (name !== undefined) parsed.add(name);
        connection.bind({ statement: name, values: this.#values[place]! });
        if (!isSilent && !(name !== undefined && learned.has(name))) connection.describe({ type: "P" });
        connection.execute({});
      }
      connection.sync();
    } finally {
      connection.stream.uncork();
    }
    this.#begin();
    return null;
  }

  #begin(): void {
    const { name, isSilent } = this.#current ?? {};
    this.#columns = name === undefined || isSilent ? undefined : this.#learned?.get(name);
  }

  handleRowDescription({ fields }: { fields: pg.FieldDef[] }): void {
    const name = this.#current?.name;
    this.#columns = this.#reading.columnsOf(fields);
    if (name !== undefined) this.#learned?.set(name, this.#columns);
  }

  handleDataRow({ fields }: { fields: Row }): void {
    if (!this.#columns) return;
    try {
      for (const { place, parse } of this.#columns)
        if (fields[place] !== null) fields[place] = parse(fields[place]);
    } catch (error) {
      this.#failure ??= error as Error;
    }
    this.#rows.at(-1)!.push(fields);
  }

  handleCommandComplete(): void {
    this.#rows.push([]);
    this.#begin();
  }

  handleError(error: Error): void {
    this.callback(error, []);
  }

  handleReadyForQuery(): void {
    if (this.#failure) this.callback(this.#failure, []);
    else this.callback(null, this.#rows);
  }
}

/** A value as it is sent: as the driver would, for what statements are given. */
function asSent(value: unknown): Value {
  if (typeof value === "string") return value;
  if (value === null || value === undefined) return null;
  if (Array.isArray(value)) return arrayText(value);
  if (value instanceof Uint8Array) return Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  if (typeof value === "object") throw new TypeError("A statement was given an object.");
  return String(value);
}
