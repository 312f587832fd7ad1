/** The API and the dashboard on a port of their own. */
import type { IncomingMessage, Server } from "node:http";
import type { AddressInfo } from "node:net";
import { createAdaptorServer } from "@hono/node-server";
import type { Dure } from "../dure.ts";
import { DureError } from "../tasks/core/errors.ts";
import { createApp, type HttpHandler, type HttpOptions } from "./app.ts";
import { setAddress } from "./asked-by.ts";
import { dashboardPort } from "./dashboard-port.ts";
import { linkTo } from "./link.ts";
import { PassFolder } from "./pass-folder.ts";
import { Passes, type PassShelf, SpareShelf } from "./passes.ts";

/** Of `listen`. */
export interface ListenOptions extends HttpOptions {
  /** Default localhost, which is 127.0.0.1 and ::1: nobody else on the network reaches it. */
  host?: string;
  /** Default 3340; 0 for any that is free. */
  port?: number;
  /** A socket of the file system instead of a port, for a proxy of the same user; only its owner may use it. `host` is what it is called by. */
  socket?: string;
  /** One that lets an admin in, for as long as the server runs. At least 16 characters. Default: none. */
  token?: string;
  /**
   * A folder that keeps sessions and the tokens of `dure tokens`, so that the next start has them, too. Made when it is not there; only
   * its owner may look into it. Default: none, in memory.
   */
  accessFolder?: string;
  /** Further names that it is called by, beside where it listens: a tunnel's `localhost:8080`. Each as in `hosts`. */
  allowHosts?: readonly string[];
}

/** A server that listens. */
export interface Listening {
  /** Opening it logs in, once. */
  url: string;
  /** Another such address. */
  link(): string;
  /** 0 for a socket of the file system. */
  port: number;
  /** Resolves when no connection is left. The instance stays open. */
  close(): Promise<void>;
}

const loopback = ["localhost", "127.0.0.1", "[::1]"];

/** @throws DureError INVALID_OPTION, or the system's error when the port is taken */
export async function listen(dure: Dure, options: ListenOptions = {}): Promise<Listening> {
  const { host = "localhost", port = dashboardPort, socket, token, accessFolder, ...others } = options;
  const { hosts, allowHosts = [], ...rest } = others;
  if (token !== undefined && token.length < 16) {
    throw new DureError(
      "INVALID_OPTION",
      "The token is too short; give at least 16 characters, or none: then links and the tokens of dure tokens let in.",
    );
  }
  const { onError = console.error } = rest;
  const passes = new Passes(accessFolder === undefined ? undefined : shelfIn(accessFolder, onError));
  passes.forgetExpired();
  const access = { passes, ...(token !== undefined && { token }) };
  // Which port it is may not be known before it listens; until then nobody can ask.
  const own: string[] = [...allowHosts];
  const names = hosts === undefined ? own : hosts === "any" ? hosts : [...hosts, ...allowHosts];
  const handler = createApp(dure, access, { ...rest, hosts: names });
  const servers = socket
    ? [await start(handler, { path: socket })]
    : await startAll(handler, host === "localhost" ? ["127.0.0.1", "::1"] : [host], port);
  const address = servers[0]!.address() as AddressInfo | string;
  const shownPort = typeof address === "string" ? 0 : address.port;
  own.push(...namesOf(host, shownPort));
  const link = () => linkTo(host, shownPort, passes.newLink());
  return {
    url: link(),
    link,
    port: shownPort,
    close: async () => void (await Promise.all(servers.map(closed))),
  };
}

/** What is called by a socket of the file system has whatever port stands before it. */
function namesOf(host: string, port: number): string[] {
  const name = host.includes(":") && !host.startsWith("[") ? `[${host}]` : host;
  const names = loopback.includes(name) ? loopback : [name];
  return port === 0 ? names : names.map((one) => `${one}:${port}`);
}

/** One can log in where nothing can be written, too. @throws DureError INVALID_OPTION for a folder that must not be used */
function shelfIn(folder: string, onError: (message: string) => void): PassShelf | undefined {
  const tell = (error: unknown) =>
    onError(
      `Log-ins are kept in memory, and end with this process: nothing can be written to ${folder}: ${(error as Error).message}`,
    );
  try {
    return new SpareShelf(new PassFolder(folder), tell);
  } catch (error) {
    if (error instanceof DureError) throw error;
    tell(error);
    return undefined;
  }
}

/** A port of an address, or a socket of the file system. */
type Place = { host: string; port: number } | { path: string };

/** On each of the addresses, by the same port. */
async function startAll(handler: HttpHandler, hosts: readonly string[], port: number): Promise<Server[]> {
  const [first = "", ...others] = hosts;
  for (let tries = 1; ; tries += 1) {
    const servers = [await start(handler, { host: first, port })];
    const taken = (servers[0]!.address() as AddressInfo).port;
    try {
      for (const host of others) servers.push(...(await startIfThere(handler, { host, port: taken })));
      return servers;
    } catch (error) {
      await Promise.all(servers.map(closed));
      // Another has the port that was found free at the other address.
      if (port !== 0 || tries >= triesMax || codeOf(error) !== "EADDRINUSE") throw error;
    }
  }
}

const triesMax = 5;

/** Not every machine has IPv6. */
async function startIfThere(handler: HttpHandler, place: Place): Promise<Server[]> {
  try {
    return [await start(handler, place)];
  } catch (error) {
    if (["EADDRNOTAVAIL", "EAFNOSUPPORT", "EINVAL"].includes(codeOf(error) ?? "")) return [];
    throw error;
  }
}

function codeOf(error: unknown): string | undefined {
  return (error as { code?: string }).code;
}

function start(handler: HttpHandler, place: Place): Promise<Server> {
  const server = createAdaptorServer({
    // Only what is older than HTTP/1.1 may leave its host unsaid, and no browser does.
    fetch: (request, env) => {
      if (!request.headers.has("host")) return new Response(null, { status: 400 });
      const { incoming } = env as { incoming: IncomingMessage };
      return handler(setAddress(request, incoming.socket.remoteAddress));
    },
    serverOptions: {
      headersTimeout: 10_000,
      // Node looks whether they are over this often; by itself every thirty seconds.
      connectionsCheckingInterval: 2_000,
      requestTimeout: 30_000,
      keepAliveTimeout: 5_000,
      maxHeaderSize: 16_384,
    },
  }) as Server;
  server.maxConnections = 256;
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.once("listening", () => resolve(server));
    if ("path" in place) listenAsOwner(server, place.path);
    else server.listen(place.port, place.host);
  });
}

/** The socket is its owner's from the first moment: it is made before `listen` returns. */
function listenAsOwner(server: Server, path: string): void {
  const before = process.umask(0o177);
  try {
    server.listen(path);
  } finally {
    process.umask(before);
  }
}

function closed(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
