/** `dure/http`: the API and the dashboard, as a request handler to mount in a server of your own, or on a port. */
import type { Dure } from "./dure.ts";
import { createApp, type HttpHandler, type HttpOptions } from "./http/app.ts";
import type { Authorize } from "./http/auth.ts";
import { DureError } from "./tasks/core/errors.ts";

export type { AuditEntry, HttpHandler, HttpOptions } from "./http/app.ts";
export type { Authorize, Caller } from "./http/auth.ts";
export type { Role } from "./http/contract.ts";
export type { Redact } from "./http/documents.ts";
export type { Listening, ListenOptions } from "./http/listen.ts";
export { listen } from "./http/listen.ts";

/** Of `createHttpHandler`. */
export interface HandlerOptions extends HttpOptions {
  /** Who is calling, by your own server's rules: a role, a `Caller` who has a name or sees no payloads, or null for nobody who may. */
  authorize: Authorize;
}

/**
 * A handler for any server that speaks `Request` and `Response`. Mount it under the path that `basePath` names.
 * @throws DureError INVALID_OPTION without `authorize`: what is mounted in a server must know who calls
 */
export function createHttpHandler(dure: Dure, options: HandlerOptions): HttpHandler {
  const { authorize, ...rest } = options ?? {};
  if (typeof authorize !== "function") {
    throw new DureError(
      "INVALID_OPTION",
      "createHttpHandler(dure, { authorize }): say who may call, such as authorize: (request) => isAdmin(request) ? 'admin' : null.",
    );
  }
  return createApp(dure, { authorize }, { hosts: "any", ...rest });
}
