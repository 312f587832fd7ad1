/**
 * A pooler in transaction mode, as PgBouncer is one: clients share few connections to the server, and get another one
 * for every transaction, in turn, so that whoever relies on a session's state is found out. As with PgBouncer, start
 * parameters that it does not know are refused, and prepared statements and LISTEN stay on whichever connection they
 * happened to meet. Without passwords.
 */
import type { Server, Socket } from "node:net";
import { connect, createServer } from "node:net";
import {
  errorMessage,
  kindOfStart,
  startMessage,
  startParameters,
  type WireMessage,
  WireReader,
  wireMessage,
} from "./postgres-wire.ts";

const knownParameters = new Set([
  "user",
  "database",
  "client_encoding",
  "application_name",
  "datestyle",
  "timezone",
  "standard_conforming_strings",
]);

export class Pooler {
  readonly #listener: Server;
  readonly #target: { host: string; port: number };
  readonly #size: number;
  readonly #pools = new Map<string, Pool>();
  readonly #clients = new Set<Socket>();

  private constructor(listener: Server, target: { host: string; port: number }, size: number) {
    this.#listener = listener;
    this.#target = target;
    this.#size = size;
    listener.on("connection", (socket) => {
      this.#clients.add(socket);
      socket.on("close", () => this.#clients.delete(socket));
      new Client(socket, (parameters) => this.#poolOf(parameters));
    });
  }

  /** A pooler with so many connections to the server of a URL, per user and database. */
  static async start(url: string, { size = 3 } = {}): Promise<Pooler> {
    const { hostname, port } = new URL(url);
    const listener = createServer();
    await new Promise<void>((done) => listener.listen(0, "127.0.0.1", done));
    return new Pooler(listener, { host: hostname, port: Number(port || 5432) }, size);
  }

  /** The URL that leads through the pooler. */
  url(url: string): string {
    const through = new URL(url);
    const { port } = this.#listener.address() as { port: number };
    through.host = `127.0.0.1:${port}`;
    return through.href;
  }

  async close(): Promise<void> {
    for (const socket of this.#clients) socket.destroy();
    for (const pool of this.#pools.values()) pool.close();
    await new Promise((done) => this.#listener.close(done));
  }

  #poolOf(parameters: ReadonlyMap<string, string>): Pool {
    const key = `${parameters.get("user")} ${parameters.get("database")}`;
    let pool = this.#pools.get(key);
    if (!pool) {
      pool = new Pool(
        () => connect(this.#target),
        this.#size,
        new Map(["user", "database"].map((name) => [name, parameters.get(name) ?? ""])),
      );
      this.#pools.set(key, pool);
    }
    return pool;
  }
}

/** One connection of a client; has one to the server while a transaction goes on. */
class Client {
  readonly #socket: Socket;
  readonly #poolOf: (parameters: ReadonlyMap<string, string>) => Pool;
  readonly #waiting: Buffer[] = [];
  #pool: Pool | undefined;
  #backend: Backend | undefined;
  #asking = false;
  /** Requests that the server has not yet said to have finished. */
  #open = 0;

  constructor(socket: Socket, poolOf: (parameters: ReadonlyMap<string, string>) => Pool) {
    this.#socket = socket;
    this.#poolOf = poolOf;
    const reader = new WireReader("client");
    socket.setNoDelay(true);
    socket.on("data", (bytes: Buffer) => {
      for (const message of reader.read(bytes)) this.#take(message);
    });
    socket.on("error", () => undefined);
    socket.on("close", () => this.#backend?.destroy());
  }

  #take({ letter, bytes }: WireMessage): void {
    if (letter === "") this.#start(bytes);
    else if (letter === "X") this.#socket.end();
    else {
      if (letter === "Q" || letter === "S") this.#open += 1;
      this.#waiting.push(bytes);
      void this.#forward();
    }
  }

  #start(bytes: Buffer): void {
    const kind = kindOfStart(bytes);
    if (kind === "encrypt") this.#socket.write("N");
    else if (kind === "cancel") this.#socket.end();
    else {
      const parameters = startParameters(bytes);
      const unknown = [...parameters.keys()].find((name) => !knownParameters.has(name.toLowerCase()));
      if (unknown !== undefined)
        this.#socket.end(errorMessage("FATAL", "08P01", `unsupported startup parameter: ${unknown}`));
      else void this.#welcome(this.#poolOf(parameters));
    }
  }

  async #welcome(pool: Pool): Promise<void> {
    this.#pool = pool;
    try {
      const backend = await pool.take();
      pool.giveBack(backend);
      this.#socket.write(
        Buffer.concat([wireMessage("R", 0), ...backend.parameters, wireMessage("K", 1, 1), ready]),
      );
    } catch (error) {
      if (error instanceof Refused) this.#socket.write(error.bytes);
      this.#socket.end();
    }
  }

  async #forward(): Promise<void> {
    if (!this.#backend && !this.#asking) {
      this.#asking = true;
      try {
        const backend = await this.#pool!.take();
        if (this.#socket.destroyed) return this.#pool!.giveBack(backend);
        this.#backend = backend;
        backend.serve(
          (message) => this.#answer(message),
          () => this.#socket.resetAndDestroy(),
        );
      } catch {
        this.#socket.end(errorMessage("FATAL", "08P01", "server login failed"));
        return;
      } finally {
        this.#asking = false;
      }
    }
    if (!this.#backend) return;
    for (const bytes of this.#waiting.splice(0)) this.#backend.write(bytes);
  }

  #answer({ letter, bytes }: WireMessage): void {
    this.#socket.write(bytes);
    if (letter !== "Z") return;
    this.#open -= 1;
    const isIdle = bytes.toString("latin1", 5) === "I";
    if (this.#open > 0 || !isIdle) return;
    const backend = this.#backend!;
    this.#backend = undefined;
    this.#pool!.giveBack(backend);
  }
}

const ready = wireMessage("Z", Buffer.from("I"));

/** The server did not let the pooler in; the message that says why. */
class Refused extends Error {
  readonly bytes: Buffer;

  constructor(bytes: Buffer) {
    super("The server refused the connection.");
    this.bytes = bytes;
  }
}

/** The connections to the server of one user and database. Whichever has rested longest is next. */
class Pool {
  readonly #connect: () => Socket;
  readonly #size: number;
  readonly #parameters: ReadonlyMap<string, string>;
  readonly #idle: Backend[] = [];
  readonly #all = new Set<Backend>();
  readonly #queue: { resolve: (backend: Backend) => void; reject: (error: unknown) => void }[] = [];

  constructor(connectTo: () => Socket, size: number, parameters: ReadonlyMap<string, string>) {
    this.#connect = connectTo;
    this.#size = size;
    this.#parameters = parameters;
  }

  take(): Promise<Backend> {
    // All of them are opened before one is used again, so that the turns are taken from the start.
    if (this.#all.size < this.#size) return this.#open();
    const next = this.#idle.shift();
    if (next) return Promise.resolve(next);
    return new Promise((resolve, reject) => this.#queue.push({ resolve, reject }));
  }

  giveBack(backend: Backend): void {
    backend.rest();
    if (backend.ended) return;
    const next = this.#queue.shift();
    if (next) next.resolve(backend);
    else this.#idle.push(backend);
  }

  close(): void {
    for (const backend of this.#all) backend.destroy();
  }

  #open(): Promise<Backend> {
    const backend = new Backend(this.#connect(), this.#parameters, () => this.#forget(backend));
    this.#all.add(backend);
    return backend.ready.then(() => backend);
  }

  #forget(backend: Backend): void {
    this.#all.delete(backend);
    const place = this.#idle.indexOf(backend);
    if (place >= 0) this.#idle.splice(place, 1);
    const next = this.#queue.shift();
    if (next) this.#open().then(next.resolve, next.reject);
  }
}

/** One connection to the server. */
class Backend {
  readonly ready: Promise<void>;
  /** What the server says of itself, for clients that connect. */
  readonly parameters: Buffer[] = [];
  ended = false;
  readonly #socket: Socket;
  #onMessage: ((message: WireMessage) => void) | undefined;
  #onLoss: (() => void) | undefined;

  constructor(socket: Socket, parameters: ReadonlyMap<string, string>, onEnd: () => void) {
    this.#socket = socket;
    socket.setNoDelay(true);
    socket.write(startMessage(parameters));
    const reader = new WireReader("server");
    this.ready = new Promise((done, refuse) => {
      let isReady = false;
      socket.on("data", (bytes: Buffer) => {
        for (const message of reader.read(bytes)) {
          if (isReady) this.#onMessage?.(message);
          else if (message.letter === "S") this.parameters.push(Buffer.from(message.bytes));
          else if (message.letter === "E") refuse(new Refused(Buffer.from(message.bytes)));
          else if (message.letter === "Z") {
            isReady = true;
            done();
          }
        }
      });
      socket.on("error", () => undefined);
      socket.on("close", () => {
        this.ended = true;
        refuse(new Refused(errorMessage("FATAL", "08006", "the server closed the connection")));
        this.#onLoss?.();
        onEnd();
      });
    });
    this.ready.catch(() => undefined);
  }

  serve(onMessage: (message: WireMessage) => void, onLoss: () => void): void {
    this.#onMessage = onMessage;
    this.#onLoss = onLoss;
  }

  rest(): void {
    this.#onMessage = undefined;
    this.#onLoss = undefined;
  }

  write(bytes: Buffer): void {
    this.#socket.write(bytes);
  }

  destroy(): void {
    this.#socket.destroy();
  }
}
