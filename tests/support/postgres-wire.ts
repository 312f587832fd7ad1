/** PostgreSQL's wire protocol, as far as the proxy and the pooler of the tests read it. */

/** One message: its letter ("" for the first ones of a client, which have none) and all of its bytes. */
export interface WireMessage {
  letter: string;
  bytes: Buffer;
}

const sslRequest = 80877103;
const gssRequest = 80877104;
const cancelRequest = 80877102;

/** Cuts a stream of bytes into messages. */
export class WireReader {
  #rest: Buffer = Buffer.alloc(0);
  /** Whether what comes next has no letter: a client's first messages. */
  #starting: boolean;

  constructor(side: "client" | "server") {
    this.#starting = side === "client";
  }

  /** The messages that these bytes complete. */
  *read(bytes: Buffer): Iterable<WireMessage> {
    this.#rest = Buffer.concat([this.#rest, bytes]);
    for (;;) {
      const head = this.#starting ? 0 : 1;
      if (this.#rest.length < head + 4) return;
      const length = head + this.#rest.readInt32BE(head);
      if (this.#rest.length < length) return;
      const message = this.#rest.subarray(0, length);
      this.#rest = this.#rest.subarray(length);
      const letter = this.#starting ? "" : String.fromCharCode(message[0]!);
      if (this.#starting && kindOfStart(message) === "start") this.#starting = false;
      yield { letter, bytes: message };
    }
  }
}

/** What a client's message without a letter is. */
export function kindOfStart(bytes: Buffer): "start" | "encrypt" | "cancel" {
  const code = bytes.readInt32BE(4);
  if (code === sslRequest || code === gssRequest) return "encrypt";
  return code === cancelRequest ? "cancel" : "start";
}

/** The parameters of a start message, such as user and database. */
export function startParameters(bytes: Buffer): Map<string, string> {
  const texts = bytes.toString("utf8", 8).split("\0");
  const parameters = new Map<string, string>();
  for (let place = 0; texts[place]; place += 2) parameters.set(texts[place]!, texts[place + 1]!);
  return parameters;
}

/** Follows a client's messages to know the text of every statement, prepared ones included. */
export class StatementReader {
  readonly #prepared = new Map<string, string>();

  /** The text of the statement that this message has run, if it has. */
  textOf({ letter, bytes }: WireMessage): string | undefined {
    if (letter === "Q") return textAt(bytes, 5);
    if (letter === "P") {
      const name = textAt(bytes, 5);
      this.#prepared.set(name, textAt(bytes, 6 + Buffer.byteLength(name)));
    }
    if (letter === "B") return this.#prepared.get(textAt(bytes, 6 + Buffer.byteLength(textAt(bytes, 5))));
    return undefined;
  }
}

function textAt(bytes: Buffer, start: number): string {
  return bytes.toString("utf8", start, bytes.indexOf(0, start));
}

/** A message of the server's: the letter, the length, the content. */
export function wireMessage(letter: string, ...parts: (string | number | Buffer)[]): Buffer {
  const content = Buffer.concat(parts.map(encoded));
  const head = Buffer.alloc(5);
  head.write(letter, 0, "latin1");
  head.writeInt32BE(content.length + 4, 1);
  return Buffer.concat([head, content]);
}

/** Texts end with a zero byte, numbers have 32 bits. */
function encoded(part: string | number | Buffer): Buffer {
  if (typeof part === "string") return Buffer.from(`${part}\0`);
  if (typeof part !== "number") return part;
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(part);
  return bytes;
}

/** A client's start message. */
export function startMessage(parameters: ReadonlyMap<string, string>): Buffer {
  const content = Buffer.concat([encoded(196_608), ...[...parameters].flat().map(encoded), Buffer.from([0])]);
  return Buffer.concat([encoded(content.length + 4), content]);
}

/** An error as the server sends it. */
export function errorMessage(severity: string, code: string, message: string): Buffer {
  return wireMessage("E", `S${severity}`, `V${severity}`, `C${code}`, `M${message}`, Buffer.from([0]));
}
