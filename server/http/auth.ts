/**
 * Who may call. By default whoever has the token: it is random, made at the start, and exchanged for a cookie by opening
 * the address that carries it. A server that mounts the API says by `authorize` who its callers are.
 */
import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import type { Role } from "./contract.ts";
import { HttpError } from "./errors.ts";

export type { Role } from "./contract.ts";

const ranks: Record<Role, number> = { viewer: 1, operator: 2, admin: 3 };

/** Who is calling, when more is to be said than their role. */
export interface Caller {
  role: Role;
  /** Names them: each has a rate of their own, and the audit says who it was. Default: all of a role are one. */
  name?: string;
  /** Whether they see payloads, results, attributes, errors and logs, and may search in them. Default true. */
  payloads?: boolean;
  /** Where they call from, for the audit log; of a server of yours, which alone knows whom its proxies may be believed. */
  address?: string;
}

/** The caller, or their role; null for nobody who may call. */
export type Authorize = (request: Request) => Role | Caller | null | Promise<Role | Caller | null>;

export type Access = { authorize: Authorize } | { token: string };

/** With the port after it: browsers give a cookie to every port of a host, and each may have a dashboard of its own. */
const cookieName = "dure_session";
const sessionMsMax = 12 * 3_600_000;
const idleMsMax = 3_600_000;
const sessionsMax = 1_000;
/** Wrong tokens a minute, of all callers together. */
const failuresMax = 60;

interface Session {
  startedAt: number;
  seenAt: number;
}

export function newToken(): string {
  return randomBytes(32).toString("base64url");
}

export class Gate {
  readonly #access: Access;
  readonly #wanted: Buffer | undefined;
  readonly #now: () => number;
  readonly #sessions = new Map<string, Session>();
  #failures = 0;
  #failuresSince = 0;

  constructor(access: Access, now: () => number = Date.now) {
    this.#access = access;
    this.#wanted = "token" in access ? digest(access.token) : undefined;
    this.#now = now;
  }

  /** @throws HttpError 401, 403, 429 */
  async admit(request: Request, needed: Role): Promise<Caller> {
    const caller = await this.#callerOf(request);
    if (caller === null) throw this.#unknownCaller();
    this.check(caller.role, needed);
    return caller;
  }

  /** Whether the caller has a session of this server's, which can be ended. */
  hasSession(request: Request): boolean {
    return "token" in this.#access && this.#sessionOf(request) !== undefined;
  }

  /** @throws HttpError 403 */
  check(role: Role, needed: Role): void {
    if (ranks[role] >= ranks[needed]) return;
    throw new HttpError(403, "FORBIDDEN", `This needs the role ${needed}; yours is ${role}.`);
  }

  /**
   * Whether one who was admitted still is, and sees what they saw: for streams, which outlive the request that opened them.
   * @param seesPayloads whether the stream shows them payloads
   */
  async isStillAdmitted(request: Request, seesPayloads = false): Promise<boolean> {
    if ("authorize" in this.#access) {
      const caller = await this.#callerOf(request).catch(() => null);
      return caller !== null && (!seesPayloads || caller.payloads !== false);
    }
    return request.headers.has("authorization") || this.#sessionOf(request) !== undefined;
  }

  /** The cookie that takes the caller's session out of the browser; the server forgets it at once. */
  logout(request: Request): string {
    const id = this.#sessionOf(request);
    if (id !== undefined) this.#sessions.delete(id);
    return `${cookieNameOf(request)}=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0`;
  }

  /** For a right `?token=`, the cookie of a new session. @throws HttpError 401, 429 */
  login(request: Request, token: string): string | undefined {
    if (!("token" in this.#access)) return undefined;
    this.#checkToken(token, this.#wanted!);
    const id = newToken();
    const now = this.#now();
    if (this.#sessions.size >= sessionsMax) this.#sessions.delete(this.#sessions.keys().next().value!);
    this.#sessions.set(id, { startedAt: now, seenAt: now });
    return `${cookieNameOf(request)}=${id}; Path=/; HttpOnly; SameSite=Strict; Max-Age=${sessionMsMax / 1_000}`;
  }

  #unknownCaller(): HttpError {
    return "token" in this.#access
      ? new HttpError(401, "UNAUTHORIZED", "Open the address that was printed at the start, with its token.")
      : new HttpError(
          401,
          "UNAUTHORIZED",
          "This server does not know who is calling, or lets them see nothing here: its `authorize` answered null.",
          { authorize: true },
        );
  }

  async #callerOf(request: Request): Promise<Caller | null> {
    if ("authorize" in this.#access) {
      const caller = await this.#access.authorize(request);
      return typeof caller === "string" ? { role: caller } : caller;
    }
    const bearer = /^Bearer (.+)$/.exec(request.headers.get("authorization") ?? "")?.[1];
    if (bearer !== undefined) {
      this.#checkToken(bearer, this.#wanted!);
      return { role: "admin" };
    }
    const id = this.#sessionOf(request);
    if (id === undefined) return null;
    this.#sessions.get(id)!.seenAt = this.#now();
    return { role: "admin" };
  }

  /** The id of the caller's session, unless it has ended. */
  #sessionOf(request: Request): string | undefined {
    const prefix = `${cookieNameOf(request)}=`;
    const cookies = (request.headers.get("cookie") ?? "").split(/; */);
    const id = cookies.find((cookie) => cookie.startsWith(prefix))?.slice(prefix.length);
    const session = id === undefined ? undefined : this.#sessions.get(id);
    if (!session) return undefined;
    const now = this.#now();
    if (now - session.startedAt <= sessionMsMax && now - session.seenAt <= idleMsMax) return id;
    this.#sessions.delete(id!);
    return undefined;
  }

  #checkToken(given: string, wanted: Buffer): void {
    const now = this.#now();
    if (now - this.#failuresSince > 60_000) {
      this.#failuresSince = now;
      this.#failures = 0;
    }
    if (this.#failures >= failuresMax) {
      throw new HttpError(429, "TOO_MANY_ATTEMPTS", "Too many wrong tokens; wait a minute.");
    }
    if (timingSafeEqual(digest(given), wanted)) return;
    this.#failures += 1;
    throw new HttpError(
      401,
      "UNAUTHORIZED",
      "The token is not the one of this server; it prints a new one at each start.",
    );
  }
}

function cookieNameOf(request: Request): string {
  const host = request.headers.get("host") ?? new URL(request.url).host;
  const port = /:(\d+)$/.exec(host)?.[1];
  return port === undefined ? cookieName : `${cookieName}_${port}`;
}

function digest(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}
