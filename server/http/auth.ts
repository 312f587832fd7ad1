/**
 * Who may call. A server of Dure's own asks for a token, or for the session that a token or a link has begun: passes.ts. A server
 * that mounts the API says by `authorize` who its callers are.
 */
import { createHash, timingSafeEqual } from "node:crypto";
import { addressOf } from "./asked-by.ts";
import type { Role } from "./contract.ts";
import { HttpError } from "./errors.ts";
import { Failures } from "./failures.ts";
import { type Admitted, type Pass, Passes, placeOf, sessionMsMax } from "./passes.ts";

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

/** Others say who calls; or tokens and links do, beside one that was given at the start. */
export type Access = { authorize: Authorize } | { token?: string; passes?: Passes };

/** With the port after it: browsers give a cookie to every port of a host, and each may have a dashboard of its own. */
const cookieName = "dure_session";
/** Of the token that a server was given at its start. */
const givenPlace = "given";

export class Gate {
  readonly #authorize: Authorize | undefined;
  readonly #given: { digest: Buffer; place: string } | undefined;
  readonly #passes: Passes | undefined;
  readonly #failures: Failures;

  constructor(access: Access, now: () => number = Date.now) {
    this.#failures = new Failures(now);
    if ("authorize" in access) {
      this.#authorize = access.authorize;
      return;
    }
    const { token, passes } = access;
    this.#passes = passes ?? new Passes(undefined, now);
    this.#given =
      token === undefined
        ? undefined
        : { digest: digest(token), place: placeOf("token", `${givenPlace} ${token}`) };
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
    return this.#sessionOf(request) !== undefined;
  }

  /** Tells one caller from another: by name, else by session; undefined where `authorize` names nobody. */
  whose(request: Request, { name }: Caller): string | undefined {
    return name ?? this.#sessionOf(request)?.place ?? (this.#authorize ? undefined : givenPlace);
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
    if (this.#authorize) {
      const caller = await this.#callerOf(request).catch(() => null);
      return caller !== null && (!seesPayloads || caller.payloads !== false);
    }
    const bearer = bearerOf(request);
    return bearer !== undefined
      ? this.#tokenOf(bearer) !== undefined
      : this.#sessionOf(request) !== undefined;
  }

  /** The cookie that takes the caller's session out of the browser; the server forgets it at once. */
  logout(request: Request): string {
    const session = this.#sessionOf(request);
    if (session) this.#passes?.end(session.place);
    return `${cookieNameOf(request)}=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0`;
  }

  /**
   * For the secret of a link, which is used up then, or a token: the cookie of a new session, and whose it is. Undefined where others say
   * who calls.
   * @throws HttpError 401, 429
   */
  login(request: Request, secret: string): { cookie: string; caller: Caller } | undefined {
    const passes = this.#passes;
    if (!passes) return undefined;
    const { caller, startedBy } = this.#looked(request, secret, () => {
      const link = passes.link(secret);
      if (link) return { caller: callerOf(link), startedBy: undefined };
      const token = this.#tokenOf(secret);
      return token && { caller: token.caller, startedBy: token.place };
    });
    const id = passes.newSession(caller, startedBy);
    const cookie = `${cookieNameOf(request)}=${id}; Path=/; HttpOnly; SameSite=Strict; Max-Age=${sessionMsMax / 1_000}`;
    return { cookie, caller };
  }

  #unknownCaller(): HttpError {
    return !this.#authorize
      ? new HttpError(
          401,
          "UNAUTHORIZED",
          "Log in by a token, or by the address that dure dashboard --link prints.",
        )
      : new HttpError(
          401,
          "UNAUTHORIZED",
          "This server does not know who is calling, or lets them see nothing here: its `authorize` answered null.",
          { authorize: true },
        );
  }

  async #callerOf(request: Request): Promise<Caller | null> {
    if (this.#authorize) {
      const caller = await this.#authorize(request);
      return typeof caller === "string" ? { role: caller } : (caller ?? null);
    }
    const bearer = bearerOf(request);
    if (bearer !== undefined) return this.#looked(request, bearer, () => this.#tokenOf(bearer)).caller;
    const session = this.#sessionOf(request);
    if (!session) return null;
    this.#passes?.noteUse(session.place);
    return callerOf(session.pass);
  }

  /** Of the caller, unless it has ended. */
  #sessionOf(request: Request): Admitted | undefined {
    const prefix = `${cookieNameOf(request)}=`;
    const cookies = (request.headers.get("cookie") ?? "").split(/; */);
    const id = cookies.find((cookie) => cookie.startsWith(prefix))?.slice(prefix.length);
    return id ? this.#passes?.session(id, (place) => place === this.#given?.place) : undefined;
  }

  #tokenOf(secret: string): { caller: Caller; place: string } | undefined {
    if (this.#given && timingSafeEqual(digest(secret), this.#given.digest))
      return { caller: { role: "admin" }, place: this.#given.place };
    const found = this.#passes?.token(secret);
    return found && { caller: callerOf(found.pass), place: found.place };
  }

  /**
   * After too many that are wrong nothing that somebody chose is looked at, and of what Dure made only whether it is right: nobody
   * guesses 256 bits, and whoever has them must not be kept out by others who guess.
   * @throws HttpError 401 when nothing is found, 429 after too many of those
   */
  #looked<Found>(request: Request, secret: string, look: () => Found | undefined): Found {
    const address = addressOf(request);
    if (this.#failures.areTooMany(address) && !this.#passes?.isMade(secret))
      throw new HttpError(429, "TOO_MANY_ATTEMPTS", "Too many wrong tokens; wait a minute.");
    const found = look();
    if (found !== undefined) return found;
    this.#failures.add(address);
    throw new HttpError(
      401,
      "UNAUTHORIZED",
      "That lets nobody in here (any more): a link opens once; dure dashboard --link prints another.",
    );
  }
}

function callerOf({ role, name }: Pass): Caller {
  return { role, ...(name !== undefined && { name }) };
}

function bearerOf(request: Request): string | undefined {
  return /^Bearer (.+)$/.exec(request.headers.get("authorization") ?? "")?.[1];
}

function cookieNameOf(request: Request): string {
  const host = request.headers.get("host") ?? new URL(request.url).host;
  const port = /:(\d+)$/.exec(host)?.[1];
  return port === undefined ? cookieName : `${cookieName}_${port}`;
}

function digest(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}
