/** Who asks for a change over HTTP, and from where, as the audit log keeps it. */
import { randomUUID } from "node:crypto";
import type { AskedBy } from "../tasks/core/port/store-audit.ts";
import type { Caller } from "./auth.ts";

/** The dashboard says of itself that it is one; who says so falsely deceives nobody but about the way they came. */
const viaHeader = "x-dure-via";
export const requestIdHeader = "x-request-id";

/** Of the other end of each connection of Dure's own server; a mounted handler is told by `authorize`. */
const addresses = new WeakMap<Request, string>();

export function setAddress(request: Request, address: string | undefined): Request {
  if (address !== undefined) addresses.set(request, address);
  return request;
}

/** Copies are made of requests. */
export function addressOf(request: Request): string | undefined {
  return addresses.get(request);
}

/** What a proxy has named the request, if that is a name; else a new one. */
export function requestIdOf(request: Request): string {
  const given = request.headers.get(requestIdHeader);
  return given !== null && /^[\w.:/+=-]{1,128}$/.test(given) ? given : randomUUID();
}

export function askedBy(request: Request, { role, name, address }: Caller, requestId: string): AskedBy {
  // Callers are what a server's own code answers: `null` from a database column, or a number for an id.
  const from = address ?? addressOf(request);
  return {
    who: String(name ?? role),
    via: request.headers.get(viaHeader) === "dashboard" ? "dashboard" : "http",
    ...(from !== undefined && { address: String(from) }),
    requestId,
  };
}
