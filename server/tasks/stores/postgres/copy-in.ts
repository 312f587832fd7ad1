/** `COPY … FROM STDIN` by the driver's own connection: the fastest way in for many rows, since nothing of them is parsed as SQL. */
import type pg from "pg";

/** What the driver's connection can do beside what its types tell. */
interface CopyConnection {
  query(text: string): void;
  sendCopyFromChunk(chunk: Buffer): void;
  endCopyFrom(): void;
}

/**
 * Sends rows, as `copyLine` writes them, to a COPY statement; resolves when the server has taken them all.
 * @throws an error of the server's: nothing of the statement was stored
 */
export function copyIn(client: pg.ClientBase, text: string, lines: string, timeoutMs: number): Promise<void> {
  return new Promise((resolve, reject) => {
    client.query(new CopyIn(text, lines, timeoutMs, (error) => (error ? reject(error) : resolve())));
  });
}

/** A row in the text format of COPY, its end included. */
export function copyLine(columns: readonly (string | number | boolean | null | undefined)[]): string {
  return `${columns.map(copyValue).join("\t")}\n`;
}

function copyValue(value: string | number | boolean | null | undefined): string {
  if (value === null || value === undefined) return "\\N";
  if (typeof value === "boolean") return value ? "t" : "f";
  if (typeof value === "number") return String(value);
  return special.test(value) ? value.replace(specials, (character) => escapes[character]!) : value;
}

const special = /[\\\t\n\r]/;
const specials = /[\\\t\n\r]/g;
const escapes: Readonly<Record<string, string>> = { "\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r" };

/** A query as the driver's queue takes it. The driver puts its time limit around `callback`. */
class CopyIn {
  readonly query_timeout: number;
  callback: (error?: Error) => void;
  readonly #text: string;
  readonly #lines: Buffer;
  #error: Error | undefined;

  constructor(text: string, lines: string, timeoutMs: number, callback: (error?: Error) => void) {
    this.#text = text;
    this.#lines = Buffer.from(lines);
    this.query_timeout = timeoutMs;
    this.callback = callback;
  }

  /** The server passes over the rows of a statement that it refused, so nothing need be waited for before they are sent. */
  submit(connection: unknown): void {
    const { query, sendCopyFromChunk, endCopyFrom } = connection as CopyConnection;
    query.call(connection, this.#text);
    sendCopyFromChunk.call(connection, this.#lines);
    endCopyFrom.call(connection);
  }

  handleCopyInResponse(): void {}

  handleCommandComplete(): void {}

  handleReadyForQuery(): void {
    this.callback(this.#error);
  }

  handleError(error: Error): void {
    this.#error = error;
    this.callback(error);
  }
}
