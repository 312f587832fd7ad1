/**
 * What lets somebody in at a server of Dure's own: a token with a name, for programs and people; a link, which works once; the
 * session that either begins in a browser. Of all of them only digests are kept, so that whoever reads where they are
 * kept has none of them.
 */
import { createHash, randomBytes } from "node:crypto";
import type { Role } from "./contract.ts";

export type PassKind = "token" | "link" | "session";

export interface Pass {
  kind: PassKind;
  role: Role;
  /** Whose it is, for the audit log; of a token its own name. */
  name?: string;
  /** Milliseconds since 1970, as all that follow. */
  createdAt: number;
  /** Absent: never. */
  expiresAt?: number;
  /** Of a session: the place of the token that began it, with which it ends. */
  startedBy?: string;
}

/** Where passes are kept, each at its place: its kind and the digest of its secret. */
export interface PassShelf {
  put(place: string, pass: Pass): void;
  get(place: string): Pass | undefined;
  /** When it was last used, as far as is known. */
  usedAt(place: string): number | undefined;
  noteUse(place: string, at: number): void;
  /** Answers whether there was one; of several that ask at once, one is told so. */
  take(place: string): boolean;
  places(): string[];
}

class MemoryShelf implements PassShelf {
  readonly #passes = new Map<string, Pass>();
  readonly #uses = new Map<string, number>();

  put(place: string, pass: Pass): void {
    this.#passes.set(place, pass);
    this.#uses.set(place, pass.createdAt);
  }

  get(place: string): Pass | undefined {
    return this.#passes.get(place);
  }

  usedAt(place: string): number | undefined {
    return this.#uses.get(place);
  }

  noteUse(place: string, at: number): void {
    this.#uses.set(place, at);
  }

  take(place: string): boolean {
    this.#uses.delete(place);
    return this.#passes.delete(place);
  }

  places(): string[] {
    return [...this.#passes.keys()];
  }
}

/** Keeps in memory what the other has no room for, so that one can log in while a disk is full; the next start knows nothing of it. */
export class SpareShelf implements PassShelf {
  readonly #kept: PassShelf;
  readonly #spare = new MemoryShelf();
  readonly #tell: (error: unknown) => void;

  /** @param tell of what the other did not take */
  constructor(kept: PassShelf, tell: (error: unknown) => void) {
    this.#kept = kept;
    this.#tell = tell;
  }

  put(place: string, pass: Pass): void {
    try {
      this.#kept.put(place, pass);
    } catch (error) {
      this.#tell(error);
      this.#spare.put(place, pass);
    }
  }

  get(place: string): Pass | undefined {
    return this.#spare.get(place) ?? this.#kept.get(place);
  }

  usedAt(place: string): number | undefined {
    return this.#spare.usedAt(place) ?? this.#kept.usedAt(place);
  }

  noteUse(place: string, at: number): void {
    const shelf = this.#spare.get(place) ? this.#spare : this.#kept;
    shelf.noteUse(place, at);
  }

  take(place: string): boolean {
    return this.#spare.take(place) || this.#kept.take(place);
  }

  places(): string[] {
    return [...this.#spare.places(), ...this.#kept.places()];
  }
}

export const sessionMsMax = 12 * 3_600_000;
const idleMsMax = 3_600_000;
const linkMsMax = 12 * 3_600_000;
const sessionsMax = 1_000;

/** Who is let in, and by what. */
export interface Admitted {
  place: string;
  pass: Pass;
}

export class Passes {
  readonly #shelf: PassShelf;
  readonly #now: () => number;

  constructor(shelf: PassShelf = new MemoryShelf(), now: () => number = Date.now) {
    this.#shelf = shelf;
    this.#now = now;
  }

  /** The secret, which is told this once. The caller has seen to it that no other has the name. */
  newToken(name: string, role: Role, lifeMs: number | undefined): string {
    const createdAt = this.#now();
    return this.#new({
      ...{ kind: "token", name, role, createdAt },
      ...(lifeMs !== undefined && { expiresAt: createdAt + lifeMs }),
    });
  }

  /** What an address carries that logs in once, within twelve hours. */
  newLink(role: Role = "admin"): string {
    const createdAt = this.#now();
    return this.#new({ kind: "link", role, createdAt, expiresAt: createdAt + linkMsMax });
  }

  /** What the cookie of a session holds. @param startedBy the token or link; undefined for a token that is kept elsewhere */
  newSession({ role, name }: Pick<Pass, "role" | "name">, startedBy: string | undefined): string {
    this.#makeRoom();
    const createdAt = this.#now();
    return this.#new({
      ...{ kind: "session", role, createdAt, expiresAt: createdAt + sessionMsMax },
      ...(name !== undefined && { name }),
      ...(startedBy !== undefined && { startedBy }),
    });
  }

  token(secret: string): Admitted | undefined {
    return this.#at(placeOf("token", secret));
  }

  /** It has been used then. */
  link(secret: string): Pass | undefined {
    const found = this.#at(placeOf("link", secret));
    return found && this.#shelf.take(found.place) ? found.pass : undefined;
  }

  /** @param isKept whether the token that is kept elsewhere is still the one of that place */
  session(secret: string, isKept: (place: string) => boolean): Admitted | undefined {
    const found = this.#at(placeOf("session", secret));
    if (!found) return undefined;
    const { startedBy } = found.pass;
    const isOver =
      this.#now() - (this.#shelf.usedAt(found.place) ?? 0) > idleMsMax ||
      (startedBy !== undefined && !isKept(startedBy) && this.#at(startedBy) === undefined);
    if (!isOver) return found;
    this.#shelf.take(found.place);
    return undefined;
  }

  /** Whether it is of a token or a link that was made here, and lets in. */
  isMade(secret: string): boolean {
    return (["token", "link"] as const).some((kind) => this.#at(placeOf(kind, secret)) !== undefined);
  }

  noteUse(place: string): void {
    this.#shelf.noteUse(place, this.#now());
  }

  end(place: string): boolean {
    return this.#shelf.take(place);
  }

  /** By name. */
  tokens(): Admitted[] {
    const kept = this.#shelf.places().filter((place) => place.startsWith("token-"));
    const found = kept.map((place) => this.#at(place)).filter((one) => one !== undefined);
    return found.sort((a, b) => (a.pass.name! < b.pass.name! ? -1 : 1));
  }

  /** Forgets what lets nobody in any more. */
  forgetExpired(): void {
    for (const place of this.#shelf.places()) this.#at(place);
  }

  #new(pass: Pass): string {
    const secret = randomBytes(32).toString("base64url");
    this.#shelf.put(placeOf(pass.kind, secret), pass);
    return secret;
  }

  #at(place: string): Admitted | undefined {
    const pass = this.#shelf.get(place);
    if (!pass) return undefined;
    if (pass.expiresAt === undefined || this.#now() < pass.expiresAt) return { place, pass };
    this.#shelf.take(place);
    return undefined;
  }

  /** The oldest session makes room for a new one. */
  #makeRoom(): void {
    const sessions = this.#shelf.places().filter((place) => place.startsWith("session-"));
    if (sessions.length < sessionsMax) return;
    const kept = sessions.map((place) => this.#at(place)).filter((one) => one !== undefined);
    kept.sort((a, b) => a.pass.createdAt - b.pass.createdAt);
    for (const { place } of kept.slice(0, Math.max(0, kept.length - sessionsMax + 1)))
      this.#shelf.take(place);
  }
}

export function placeOf(kind: PassKind, secret: string): string {
  return `${kind}-${createHash("sha256").update(secret).digest("hex")}`;
}
