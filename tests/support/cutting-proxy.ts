/**
 * A network between clients and a PostgreSQL that fails on demand: it cuts, falls silent, delays, refuses, and loses
 * the answer to a statement that the server has carried out.
 */
import type { Server, Socket } from "node:net";
import { connect, createServer } from "node:net";
import { StatementReader, type WireMessage, WireReader } from "./postgres-wire.ts";

/** A statement whose answer is lost. */
interface Loss {
  pattern: RegExp;
  left: number;
  forward: boolean;
  happened: (text: string) => void;
}

export interface LossOptions {
  /** Which of the statements that match from now on. Default 1: the next one. */
  nth?: number;
  /** Whether the server gets to see the statement. Default true: it is carried out, and nobody is told. */
  forward?: boolean;
}

export class CuttingProxy {
  /** How long every piece of data waits on its way, in each direction. */
  delayMs = 0;
  /** New connections are ended at once. */
  refuses = false;
  /** Notifications are left out of what the server sends. */
  dropsNotifications = false;
  /** How many were left out. */
  dropped = 0;
  readonly #server: Server;
  readonly #target: { host: string; port: number };
  readonly #connections = new Set<Connection>();
  readonly #losses = new Set<Loss>();
  /** Bytes that the server has sent. */
  received = 0;
  /** How many connections were accepted so far. */
  accepted = 0;

  private constructor(server: Server, target: { host: string; port: number }) {
    this.#server = server;
    this.#target = target;
    server.on("connection", (client) => this.#accept(client));
  }

  /** A proxy to the host and port of a URL. */
  static async start(url: string): Promise<CuttingProxy> {
    const { hostname, port } = new URL(url);
    const server = createServer({ allowHalfOpen: true });
    await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
    return new CuttingProxy(server, { host: hostname, port: Number(port || 5432) });
  }

  /** The URL that leads through the proxy. */
  url(url: string): string {
    const through = new URL(url);
    const { port } = this.#server.address() as { port: number };
    through.host = `127.0.0.1:${port}`;
    return through.href;
  }

  get connections(): number {
    return this.#connections.size;
  }

  /** Ends all connections, or those that have run a statement like this. Answers how many. */
  cut(pattern?: RegExp): number {
    const hit = this.#those(pattern);
    for (const connection of hit) connection.cut();
    return hit.length;
  }

  /** The statements like this that open connections have run lately. */
  statements(pattern: RegExp): string[] {
    return [...this.#connections].flatMap(({ ran }) => ran.filter((text) => pattern.test(text)));
  }

  /** From now on nothing passes on these connections, and neither side is told; `heal` doesn't bring them back. */
  silence(pattern?: RegExp): number {
    const hit = this.#those(pattern);
    for (const connection of hit) connection.silent = true;
    return hit.length;
  }

  /** New connections are accepted and stay silent. */
  silencesNew = false;

  /** Loses the answer to a statement and cuts its connection. Resolves with the statement's text when that has happened. */
  loseAnswer(pattern: RegExp, { nth = 1, forward = true }: LossOptions = {}): Promise<string> {
    return new Promise((happened) => this.#losses.add({ pattern, left: nth, forward, happened }));
  }

  /** Everything passes again, on new connections. */
  heal(): void {
    this.delayMs = 0;
    this.refuses = false;
    this.silencesNew = false;
    this.dropsNotifications = false;
    this.#losses.clear();
  }

  async close(): Promise<void> {
    for (const connection of [...this.#connections]) connection.cut();
    await new Promise((done) => this.#server.close(done));
  }

  /** The loss that a statement is to suffer. */
  lossOf(text: string): Loss | undefined {
    for (const loss of this.#losses) {
      if (!loss.pattern.test(text)) continue;
      loss.left -= 1;
      if (loss.left > 0) continue;
      this.#losses.delete(loss);
      return loss;
    }
    return undefined;
  }

  #those(pattern: RegExp | undefined): Connection[] {
    return [...this.#connections].filter(({ ran }) => !pattern || ran.some((text) => pattern.test(text)));
  }

  #accept(client: Socket): void {
    this.accepted += 1;
    if (this.refuses) {
      client.on("error", () => undefined);
      client.resetAndDestroy();
      return;
    }
    const connection = new Connection(this, client, connect({ ...this.#target, allowHalfOpen: true }));
    connection.silent = this.silencesNew;
    this.#connections.add(connection);
    client.on("close", () => this.#connections.delete(connection));
  }
}

/** How many of a connection's statements are remembered. */
const remembered = 200;

class Connection {
  silent = false;
  /** The texts of the statements so far. */
  readonly ran: string[] = [];
  readonly #proxy: CuttingProxy;
  readonly #client: Socket;
  readonly #server: Socket;
  readonly #statements = new StatementReader();
  #loss: { loss: Loss; text: string } | undefined;
  /** Servers answer a request for encryption by one byte that is no message. */
  #answersRaw = false;

  constructor(proxy: CuttingProxy, client: Socket, server: Socket) {
    this.#proxy = proxy;
    this.#client = client;
    this.#server = server;
    const fromClient = new WireReader("client");
    const fromServer = new WireReader("server");
    client.on("data", (bytes: Buffer) => {
      for (const message of fromClient.read(bytes)) this.#toServer(message);
    });
    server.on("data", (bytes: Buffer) => {
      proxy.received += bytes.length;
      if (this.#answersRaw) {
        this.#answersRaw = false;
        this.#send(this.#client, bytes);
      } else for (const message of fromServer.read(bytes)) this.#toClient(message);
    });
    for (const [socket, other] of [
      [client, server],
      [server, client],
    ] as const) {
      socket.setNoDelay(true);
      socket.on("end", () => this.#later(() => other.end()));
      socket.on("error", () => this.#later(() => other.destroy()));
    }
  }

  cut(): void {
    this.#client.resetAndDestroy();
    this.#server.destroy();
  }

  #toServer(message: WireMessage): void {
    if (this.silent) return;
    if (message.letter === "" && message.bytes.length === 8) this.#answersRaw = true;
    const text = this.#statements.textOf(message);
    if (text !== undefined) {
      this.ran.push(text);
      if (this.ran.length > remembered) this.ran.shift();
      const loss = this.#proxy.lossOf(text);
      if (loss) this.#loss = { loss, text };
    }
    if (this.#loss?.loss.forward === false) this.#lose();
    else this.#send(this.#server, message.bytes);
  }

  #toClient({ letter, bytes }: WireMessage): void {
    if (this.silent) return;
    if (this.#loss) {
      if (letter === "Z") this.#lose();
      return;
    }
    if (letter === "A" && this.#proxy.dropsNotifications) {
      this.#proxy.dropped += 1;
      return;
    }
    this.#send(this.#client, bytes);
  }

  #lose(): void {
    this.cut();
    this.#loss!.loss.happened(this.#loss!.text);
  }

  #send(socket: Socket, bytes: Buffer): void {
    this.#later(() => socket.write(bytes));
  }

  #later(act: () => void): void {
    if (this.silent) return;
    if (this.#proxy.delayMs > 0) setTimeout(act, this.#proxy.delayMs);
    else act();
  }
}
