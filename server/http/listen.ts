/** The API and the dashboard on a port of their own. */
import type { IncomingMessage, Server } from "node:http";
import { serve } from "@hono/node-server";
import type { Dure } from "../dure.ts";
import { DureError } from "../tasks/core/errors.ts";
import { createApp, type HttpOptions } from "./app.ts";
import { setAddress } from "./asked-by.ts";
import { dashboardPort } from "./dashboard-port.ts";
import { linkTo } from "./link.ts";
import { PassFolder } from "./pass-folder.ts";
import { Passes } from "./passes.ts";

/** Of `listen`. */
export interface ListenOptions extends HttpOptions {
  /** Default 127.0.0.1: nobody else on the network reaches it. */
  host?: string;
  /** Default 3340; 0 for any that is free. */
  port?: number;
  /** One that lets an admin in, for as long as the server runs. At least 16 characters. Default: none. */
  token?: string;
  /**
   * A folder that keeps sessions and the tokens of `dure tokens`, so that the next start has them, too. Made when it is not there; only
   * its owner may look into it. Default: none, in memory.
   */
  accessFolder?: string;
}

/** A server that listens. */
export interface Listening {
  /** Opening it logs in, once. */
  url: string;
  /** Another such address. */
  link(): string;
  port: number;
  /** Resolves when no connection is left. The instance stays open. */
  close(): Promise<void>;
}

const loopback = ["127.0.0.1", "::1", "localhost"];

/** @throws DureError INVALID_OPTION, or the system's error when the port is taken */
export async function listen(dure: Dure, options: ListenOptions = {}): Promise<Listening> {
  const { host = "127.0.0.1", port = dashboardPort, token, accessFolder, hosts, ...rest } = options;
  if (token !== undefined && token.length < 16) {
    throw new DureError(
      "INVALID_OPTION",
      "The token is too short; give at least 16 characters, or none: then links and the tokens of dure tokens let in.",
    );
  }
  const named = hosts ?? (loopback.includes(host) ? undefined : [host]);
  const passes = new Passes(accessFolder === undefined ? undefined : new PassFolder(accessFolder));
  passes.forgetExpired();
  const access = { passes, ...(token !== undefined && { token }) };
  const handler = createApp(dure, access, { ...rest, ...(named !== undefined && { hosts: named }) });
  const server = await start(handler, host, port);
  const address = server.address() as { port: number };
  const link = () => linkTo(host, address.port, passes.newLink());
  return {
    url: link(),
    link,
    port: address.port,
    close: () => closed(server),
  };
}

function start(
  handler: (request: Request) => Promise<Response>,
  hostname: string,
  port: number,
): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = serve({
      // Only what is older than HTTP/1.1 may leave its host unsaid, and no browser does.
      fetch: (request, env) => {
        if (!request.headers.has("host")) return new Response(null, { status: 400 });
        const { incoming } = env as { incoming: IncomingMessage };
        return handler(setAddress(request, incoming.socket.remoteAddress));
      },
      hostname,
      port,
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
    server.once("error", reject);
    server.once("listening", () => resolve(server));
  });
}

function closed(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
