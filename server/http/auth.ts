/**
 * Who may call. By default whoever has the token: it is random, made at the start, and exchanged for a cookie by opening
 * the address that carries it. A server that mounts the API says by `authorize` who its callers are.
 */
import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import type { Role } from "./contract.ts";
import { HttpError } from "./errors.ts";

export type { Role } from "./contract.ts";

const ranks: Record<Role, number> = { viewer: 1, operator: 2, admin: 3 };

/** The caller's role, or null for nobody who may call. */
export type Authorize = (request: Request) => Role | null | Promise<Role | null>;

export type Access = { authorize: Authorize } | { token: string };

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
  readonly #now: () => number;
  readonly #sessions = new Map<string, Session>();
  #failures = 0;
  #failuresSince = 0;

  constructor(access: Access, now: () => number = Date.now) {
    this.#access = access;
    this.#now = now;
  }

  /** @throws HttpError 401, 403, 429 */
  async admit(request: Request, needed: Role): Promise<Role> {
    const role = await this.#roleOf(request);
    if (role === null)
      throw new HttpError(
        401,
        "UNAUTHORIZED",
        "Open the address that was printed at the start, with its token.",
      );
    this.check(role, needed);
    return role;
  }

  /** @throws HttpError 403 */
  check(role: Role, needed: Role): void {
    if (ranks[role] >= ranks[needed]) return;
    throw new HttpError(403, "FORBIDDEN", `This needs the role ${needed}; yours is ${role}.`);
  }

  /** For a right `?token=`, the cookie of a new session. @throws HttpError 401, 429 */
  login(token: string): string | undefined {
    if (!("token" in this.#access)) return undefined;
    this.#checkToken(token, this.#access.token);
    const id = newToken();
    const now = this.#now();
    if (this.#sessions.size >= sessionsMax) this.#sessions.delete(this.#sessions.keys().next().value!);
    this.#sessions.set(id, { startedAt: now, seenAt: now });
    return `${cookieName}=${id}; Path=/; HttpOnly; SameSite=Strict; Max-Age=${sessionMsMax / 1_000}`;
  }

  async #roleOf(request: Request): Promise<Role | null> {
    if ("authorize" in this.#access) return this.#access.authorize(request);
    const bearer = /^Bearer (.+)$/.exec(request.headers.get("authorization") ?? "")?.[1];
    if (bearer !== undefined) {
      this.#checkToken(bearer, this.#access.token);
      return "admin";
    }
    return this.#isInSession(request) ? "admin" : null;
  }

  #isInSession(request: Request): boolean {
    const cookies = (request.headers.get("cookie") ?? "").split(/; */);
    const id = cookies.find((cookie) => cookie.startsWith(`${cookieName}=`))?.slice(cookieName.length + 1);
    const session = id === undefined ? undefined : this.#sessions.get(id);
    if (!session) return false;
    const now = this.#now();
    if (now - session.startedAt > sessionMsMax || now - session.seenAt > idleMsMax) {
      this.#sessions.delete(id!);
      return false;
    }
    session.seenAt = now;
    return true;
  }

  #checkToken(given: string, wanted: string): void {
    const now = this.#now();
    if (now - this.#failuresSince > 60_000) {
      this.#failuresSince = now;
      this.#failures = 0;
    }
    if (this.#failures >= failuresMax) {
      throw new HttpError(429, "TOO_MANY_ATTEMPTS", "Too many wrong tokens; wait a minute.");
    }
    if (timingSafeEqual(digest(given), digest(wanted))) return;
    this.#failures += 1;
    throw new HttpError(
      401,
      "UNAUTHORIZED",
      "The token is not the one of this server; it prints a new one at each start.",
    );
  }
}

function digest(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}
