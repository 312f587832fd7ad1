/** `COPY … FROM STDIN` by the driver's own connection: the fastest way in for many rows, since nothing of them is parsed as SQL. */
import type { Duplex } from "node:stream";

/** What the driver's connection can do beside what its types tell. */
interface CopyConnection {
  readonly stream: Duplex;
  query(text: string): void;
  sendCopyFromChunk(chunk: Buffer): void;
  endCopyFrom(): void;
  sendCopyFail(message: string): void;
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

/**
 * A COPY that is under way, on a connection that does nothing else meanwhile: rows are sent while the server stores those
 * before. A query as the driver's queue takes it. End it with `end` or `abort`.
 */
export class CopyIn {
  callback: (error?: Error) => void;
  readonly #text: string;
  /** How long the server may take nothing, or leave the end unanswered. */
  readonly #timeoutMs: number;
  readonly #over: Promise<void>;
  #connection: CopyConnection | undefined;
  #isOver = false;
  #error: Error | undefined;
  #waiting: string[] = [];
  #goOn: () => void = () => undefined;

  constructor(text: string, timeoutMs: number) {
    this.#text = text;
    this.#timeoutMs = timeoutMs;
    let over: () => void;
    this.#over = new Promise((resolve) => {
      over = resolve;
    });
    this.callback = (error) => {
      this.#isOver = true;
      this.#error ??= error;
      this.#goOn();
      over();
    };
  }

  /** Resolves when there is room for more. @throws an error of the server's: nothing of the statement was stored */
  async send(lines: string): Promise<void> {
    if (!this.#connection) this.#waiting.push(lines);
    else if (!this.#isOver) this.#connection.sendCopyFromChunk(Buffer.from(lines));
    if (!this.#isOver && this.#connection?.stream.writableNeedDrain) await this.#within(this.#drained());
    if (this.#error) throw this.#error;
  }

  /** Resolves when the server has taken all rows. @throws as `send` */
  async end(): Promise<void> {
    if (!this.#isOver) this.#connection!.endCopyFrom();
    await this.#within(this.#over);
    if (this.#error) throw this.#error;
  }

  /** Nothing of the statement is stored. Never rejects. */
  async abort(): Promise<void> {
    if (!this.#isOver) this.#connection!.sendCopyFail("The caller has no more rows.");
    await this.#within(this.#over).catch(() => undefined);
  }

  /** The server passes over the rows of a statement that it refused, so nothing need be waited for before they are sent. */
  submit(connection: unknown): void {
    this.#connection = connection as CopyConnection;
    this.#connection.query(this.#text);
    for (const lines of this.#waiting.splice(0)) this.#connection.sendCopyFromChunk(Buffer.from(lines));
  }

  handleCopyInResponse(): void {}

  handleCommandComplete(): void {}

  handleReadyForQuery(): void {
    this.callback(this.#error);
  }

  handleError(error: Error): void {
    this.callback(error);
  }

  #drained(): Promise<void> {
    const { stream } = this.#connection!;
    return new Promise((resolve) => {
      this.#goOn = () => {
        stream.off("drain", this.#goOn);
        resolve();
      };
      stream.on("drain", this.#goOn);
    });
  }

  /** @throws what the driver throws when it waits for an answer in vain */
  async #within(work: Promise<void>): Promise<void> {
    let timer: NodeJS.Timeout;
    const late = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => reject(new Error("Query read timeout")), this.#timeoutMs);
    });
    await Promise.race([work, late]).finally(() => clearTimeout(timer));
  }
}
