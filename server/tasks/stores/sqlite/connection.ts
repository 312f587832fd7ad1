/**
 * One connection to the database file: opening it safely, its pragmas, transactions, and prepared statements.
 *
 * The file is WAL with synchronous=FULL unless told otherwise, so that what is acknowledged is on the disk. Write
 * transactions are BEGIN IMMEDIATE, never a bare BEGIN: a read that becomes a write can fail at once, however long
 * the busy timeout. Waiting for another process's write is our own loop with short, random sleeps: SQLite's own
 * handler backs off to 100 ms and then starves beside a busy writer.
 */
import {
  chmodSync,
  closeSync,
  existsSync,
  lstatSync,
  mkdirSync,
  openSync,
  statfsSync,
  statSync,
} from "node:fs";
import { dirname } from "node:path";
import { DatabaseSync, type SQLInputValue, type StatementSync } from "node:sqlite";
import { DureError } from "../../core/errors.ts";
import {
  type Migration,
  olderWorkersError,
  pendingMigrations,
  readMigrations,
  readNewestSchema,
  stopsOlderWorkers,
} from "../migrate.ts";
import { OneLibrary } from "./one-library.ts";
import { SameFile } from "./same-file.ts";
import { isBusy, toDureError } from "./sqlite-errors.ts";
import { WorkerLocks } from "./worker-locks.ts";

export interface ConnectionOptions {
  /** A file, or ':memory:'. */
  path: string;
  durability: "full" | "normal";
  /** 'writer' makes and migrates the file; 'reader' may only read; 'salvager' reads a damaged one and leaves it as it is. */
  role: "writer" | "reader" | "salvager";
  /** How long a write waits for another process's, in milliseconds. Default a minute; tests give less. */
  busyWaitMs?: number;
}

/** `Dure` in ASCII, in the header of every database of ours. */
export const applicationId = 0x44757265;
/** A process that is stopped in the instant of its own write keeps the lock; callers are told after this long. */
const busyWaitMsMax = 60_000;
/** Statements of one text kept for borrowing. */
const sparesMax = 32;
/** Things that were read once: beyond that all are read again. */
const readsMax = 100;
/** Claims and settlements touch the edges of the indexes only: a larger cache made them no faster. */
const cacheKiB = { writer: 4_096, reader: 16_384, salvager: 16_384 };
const writeAheadBytesMax = 64 * 1024 * 1024;

/** File systems whose locks or shared memory cannot be trusted, by the magic number that statfs gives. */
const networkFileSystems = new Map([
  [0x6969, "NFS"],
  [0x517b, "SMB"],
  [0xff534d42, "CIFS"],
  [0xfe534d42, "SMB2"],
  [0x01021997, "9p"],
  [0x65735546, "FUSE"],
  [0x00c36400, "Ceph"],
  [0x5346414f, "AFS"],
]);

const beatingWorkers = `SELECT id, coalesce(name, host || ' ' || pid) FROM workers
  WHERE state = 'alive' AND beat_at > ? - 2 * lease_ms ORDER BY worker`;
const folder = new URL("./migrations/", import.meta.url);
const migrations = readMigrations(folder);
/** The number of the newest schema that this program knows. */
export const newestSchema = migrations.length;

export class Connection {
  readonly path: string;
  readonly #database: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();
  readonly #spares = new Map<string, StatementSync[]>();
  readonly #sameFile: SameFile;
  readonly #oneLibrary: OneLibrary;
  readonly #busyWaitMs: number;
  /** What was read once in the snapshot at hand, by its name. */
  #readOnce: Map<string, unknown> | undefined;
  /** The same of the snapshots since another connection has committed. */
  #reads = new Map<string, unknown>();
  #readsVersion = Number.NaN;
  readonly #isReader: boolean;
  readonly #lasting = new Map<string, unknown>();

  constructor(options: ConnectionOptions) {
    this.path = options.path;
    this.#isReader = options.role === "reader";
    this.#busyWaitMs = options.busyWaitMs ?? busyWaitMsMax;
    checkSqliteVersion();
    if (options.path !== ":memory:") prepareFile(options.path, options.role);
    let database: DatabaseSync | undefined;
    try {
      database = new DatabaseSync(options.path, { timeout: 5_000, readOnly: options.role === "salvager" });
      this.#database = database;
      this.#configure(options);
      if (options.role === "writer") this.#migrate();
      // A reader waits too: for another process that recovers the log, or that leaves the file as the last one.
      if (options.role === "writer") this.#database.exec("PRAGMA busy_timeout = 0");
    } catch (error) {
      database?.close();
      throw toDureError(error, options.path);
    }
    this.#sameFile = new SameFile(options.path);
    this.#oneLibrary = new OneLibrary(options.path);
  }

  close(): void {
    this.#statements.clear();
    this.#spares.clear();
    this.#sameFile.close();
    if (this.#database.isOpen) this.#database.close();
  }

  /** A prepared statement whose rows are arrays, made once. */
  prepare(sql: string): StatementSync {
    let statement = this.#statements.get(sql);
    if (!statement) {
      statement = this.#prepareArrays(sql);
      this.#statements.set(sql, statement);
    }
    return statement;
  }

  /** A statement that nobody else uses until it is given back; for one iterated beside others of the same text. */
  borrow(sql: string): StatementSync {
    const spare = this.#spares.get(sql)?.pop();
    if (spare) return spare;
    return this.#prepareArrays(sql);
  }

  giveBack(sql: string, statement: StatementSync): void {
    const spares = this.#spares.get(sql);
    if (!spares) this.#spares.set(sql, [statement]);
    else if (spares.length < sparesMax) spares.push(statement);
  }

  /** All rows as objects, for what is asked rarely. */
  rows(sql: string, ...values: SQLInputValue[]): Record<string, SQLInputValue>[] {
    return this.#database.prepare(sql).all(...values) as Record<string, SQLInputValue>[];
  }

  /** One whose rows are objects; the caller keeps it. */
  prepareObjects(sql: string): StatementSync {
    return this.#database.prepare(plannedOnce(sql));
  }

  #prepareArrays(sql: string): StatementSync {
    const statement = this.#database.prepare(plannedOnce(sql));
    statement.setReturnArrays(true);
    return statement;
  }

  exec(sql: string): void {
    this.#database.exec(sql);
  }

  /** Waits while another process holds the write lock. @throws DureError DATABASE_UNAVAILABLE when it has for a minute */
  beginWrite(): void {
    // First, since a second library may be what takes the log away.
    this.#oneLibrary.check();
    this.#sameFile.check();
    this.#execWhenFree("BEGIN IMMEDIATE");
  }

  commit(): void {
    this.#database.exec("COMMIT");
  }

  /** Moves what is left of the write-ahead log into the file; see checkpointer.ts. */
  checkpoint(): void {
    this.#database.exec("PRAGMA wal_checkpoint(PASSIVE)");
  }

  rollback(): void {
    if (this.#database.isTransaction) this.#database.exec("ROLLBACK");
  }

  get inTransaction(): boolean {
    return this.#database.isTransaction;
  }

  /** Runs `read` in one snapshot. Do not hold it long: the write-ahead log cannot shrink meanwhile. */
  snapshot<Value>(read: () => Value): Value {
    if (this.#database.isTransaction) return read();
    // First, since a second library may be what takes the log away.
    this.#oneLibrary.check();
    this.#sameFile.check();
    this.#database.exec("BEGIN");
    try {
      this.#readOnce = this.#isReader ? this.#readsSoFar() : new Map();
      return read();
    } finally {
      this.#readOnce = undefined;
      this.#database.exec("COMMIT");
    }
  }

  /** Two snapshots between which nobody commits are the same one; a connection's own commits do not count here. */
  #readsSoFar(): Map<string, unknown> {
    const version = this.dataVersion();
    if (version !== this.#readsVersion || this.#reads.size > readsMax) this.#reads = new Map();
    this.#readsVersion = version;
    return this.#reads;
  }

  /** The same again for as long as a snapshot lasts, and of a reader until somebody commits; nobody may change what it gives. */
  once<Value>(name: string, read: () => Value): Value {
    if (!this.#readOnce) return read();
    if (!this.#readOnce.has(name)) this.#readOnce.set(name, read());
    return this.#readOnce.get(name) as Value;
  }

  /** What does not change once it is committed, of a connection that sees only that; of another one as `once`. */
  lasting<Value>(name: string, read: () => Value, isWhole: (kept: Value) => boolean): Value {
    if (!this.#isReader) return this.once(name, read);
    const kept = this.#lasting.get(name) as Value | undefined;
    if (kept !== undefined && isWhole(kept)) return kept;
    const value = read();
    this.#lasting.set(name, value);
    return value;
  }

  /** What `once` has read of that name in this snapshot. */
  known<Value>(name: string): Value | undefined {
    return this.#readOnce?.get(name) as Value | undefined;
  }

  /** A number that differs from the last one when another connection has committed in between. */
  dataVersion(): number {
    return (this.prepare("PRAGMA data_version").get() as unknown as [number])[0];
  }

  /** Whether a newer Dure has brought the file up to date since this one opened it. */
  get isOutdated(): boolean {
    return (this.prepare("PRAGMA user_version").get() as unknown as [number])[0] > migrations.length;
  }

  /** @throws DureError DATABASE_VERSION when it is outdated */
  refuseNewer(): void {
    if (!this.isOutdated) return;
    const { stored, known } = this.schemaVersion();
    throw new DureError(
      "DATABASE_VERSION",
      `A newer Dure has brought ${this.path} up to schema ${stored}, and this program knows schemas up to ${known}: it starts no ` +
        "further tasks. What runs goes on to its end; restart the program with the newer version.",
      { details: { stored, known, location: this.path } },
    );
  }

  schemaVersion(): { stored: number; known: number } {
    return { stored: this.#number("PRAGMA user_version"), known: migrations.length };
  }

  #configure({ durability, role }: ConnectionOptions): void {
    this.#database.exec(
      `PRAGMA cache_size = -${cacheKiB[role]}; PRAGMA mmap_size = 0; PRAGMA temp_store = MEMORY`,
    );
    if (role !== "writer") {
      this.#database.exec("PRAGMA query_only = 1");
      return;
    }
    this.#checkOwner();
    if (this.path !== ":memory:") this.#execWhenFree("PRAGMA journal_mode = WAL");
    this.#database.exec(
      `PRAGMA synchronous = ${durability === "full" ? "FULL" : "NORMAL"};
       PRAGMA wal_autocheckpoint = 0; PRAGMA journal_size_limit = ${writeAheadBytesMax}`,
    );
  }

  /** Refuses a database that another program made. */
  #checkOwner(): void {
    const owner = this.#number("PRAGMA application_id");
    const tables = this.#number("SELECT count(*) FROM sqlite_schema");
    if (owner === applicationId || (owner === 0 && tables === 0)) return;
    throw new DureError(
      "DATABASE_CORRUPT",
      `${this.path} is an SQLite database of another program; Dure does not touch it. Choose another file.`,
      { details: { location: this.path, applicationId: owner } },
    );
  }

  /** Under the write lock, so that of many processes that start together one migrates and the others wait. */
  #migrate(): void {
    const pending = pendingMigrations(migrations, this.#number("PRAGMA user_version"), this.path);
    // Whoever only wants to look must not wait for a writer that holds the lock.
    if (pending.length === 0) return;
    this.#execWhenFree("BEGIN IMMEDIATE");
    try {
      const stored = this.#number("PRAGMA user_version");
      const left = pendingMigrations(migrations, stored, this.path);
      if (stored > 0 && left.some(stopsOlderWorkers)) this.#refuseWorkers(stored);
      for (const { number, sql } of stored > 0 ? left : stepsOfNew()) {
        this.#database.exec(sql);
        this.#database.exec(`PRAGMA user_version = ${number}; PRAGMA application_id = ${applicationId}`);
      }
      this.#database.exec("COMMIT");
    } catch (error) {
      this.rollback();
      throw error;
    }
  }

  /** One whose process is gone, or that has been silent for two leases, is no worker any more. */
  #refuseWorkers(stored: number): void {
    const locks = new WorkerLocks(this.path);
    const alive = this.prepare(beatingWorkers).all(Date.now()) as unknown as [id: string, shown: string][];
    const workers = alive.filter(([id]) => !locks.isFree(id)).map(([, shown]) => shown);
    if (workers.length > 0) throw olderWorkersError(this.path, stored, workers);
  }

  /**
   * Waits while another process holds the lock. SQLite's own timeout does not: the change to WAL is refused at once
   * when two processes make it together.
   */
  #execWhenFree(sql: string): void {
    const giveUpAt = performance.now() + this.#busyWaitMs;
    for (let waits = 0; ; waits++) {
      try {
        this.#database.exec(sql);
        return;
      } catch (error) {
        if (!isBusy(error)) throw error;
        if (performance.now() > giveUpAt) throw this.#heldError(error);
        pause(waits < 100 ? 0.2 + Math.random() * 0.8 : 2 + Math.random() * 8);
      }
    }
  }

  #heldError(cause: unknown): DureError {
    const waitedMs = this.#busyWaitMs;
    return new DureError(
      "DATABASE_UNAVAILABLE",
      `Another process has held the write lock of ${this.path} for ${waitedMs / 1_000} seconds: one that is stopped (state T in ps), ` +
        "or a program with a long transaction. Let it go on, or end it. Nothing was changed.",
      { details: { location: this.path, waitedMs }, cause },
    );
  }

  #number(sql: string): number {
    return Object.values(this.#database.prepare(sql).get() ?? {})[0] as number;
  }
}

/**
 * The planner looks at what is bound as a LIMIT, so that SQLite plans such a statement anew each time it is bound: a small one
 * takes 7 microseconds for 4 rows then, instead of 1.7 (docs/design/storage.md). Into an expression it does not look.
 */
export function plannedOnce(sql: string): string {
  return sql.replace(/\bLIMIT (\?\d*)/g, "LIMIT $1 + 0");
}

/** @throws DureError DATABASE_UNSAFE before 3.51.3, where a reset of the write-ahead log could corrupt the file. */
export function checkSqliteVersion(version: string = process.versions.sqlite ?? "0.0.0"): void {
  const [major = 0, minor = 0, patch = 0] = version.split(".").map(Number);
  const safe = major > 3 || (major === 3 && (minor > 51 || (minor === 51 && patch >= 3)));
  const backported = (minor === 50 && patch >= 7) || (minor === 44 && patch >= 6);
  if (safe || (major === 3 && backported)) return;
  throw new DureError(
    "DATABASE_UNSAFE",
    `This Node, ${process.version}, has SQLite ${version}, which can corrupt a database that several connections write; ` +
      `3.51.3 or later is needed. Use a newer Node: 24.15 or 26 and later have it.`,
    { details: { sqlite: version, needed: "3.51.3" } },
  );
}

/** The name of the network file system that a statfs magic number stands for, or undefined for a local one. */
export function networkFileSystem(magic: number): string | undefined {
  return networkFileSystems.get(magic >>> 0);
}

function prepareFile(path: string, role: ConnectionOptions["role"]): void {
  const folder = dirname(path);
  try {
    if (role === "writer") mkdirSync(folder, { recursive: true, mode: 0o700 });
    refuseLink(path);
    refuseNetwork(folder);
    if (role === "writer") makeFile(path);
  } catch (error) {
    if (error instanceof DureError) throw error;
    throw new DureError("DATABASE_UNAVAILABLE", `${path} cannot be opened: ${(error as Error).message}.`, {
      details: { location: path },
      cause: error,
    });
  }
}

/** SQLite would make the file by the umask; ours is for its owner alone. Its -wal and -shm take the same mode. */
function makeFile(path: string): void {
  if (existsSync(path)) {
    // In this order: a process that makes the file right now writes the log after the file.
    const writeAhead = statSync(`${path}-wal`, { throwIfNoEntry: false })?.size ?? 0;
    const { size } = statSync(path);
    if (size === 0 && writeAhead > 0) {
      throw new DureError(
        "DATABASE_CORRUPT",
        `${path} is empty, but its write-ahead log is not: the file was cut off. Nothing was changed; restore both from a backup.`,
        { details: { location: path } },
      );
    }
    return;
  }
  try {
    closeSync(openSync(path, "wx", 0o600));
    chmodSync(path, 0o600);
  } catch (error) {
    // Another process was faster; an existing file is never opened here, see worker-locks.ts.
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  }
}

function refuseLink(path: string): void {
  const entry = lstatSync(path, { throwIfNoEntry: false });
  if (!entry?.isSymbolicLink()) return;
  throw new DureError("DATABASE_UNSAFE", `${path} is a symbolic link; name the file itself.`, {
    details: { location: path },
  });
}

function refuseNetwork(folder: string): void {
  if (process.env.DURE_ALLOW_NETWORK_FILESYSTEM === "1" || !existsSync(folder)) return;
  const name = networkFileSystem(Number(statfsSync(folder).type));
  if (!name) return;
  throw new DureError(
    "DATABASE_UNSAFE",
    `${folder} is on a network or shared file system (${name}), where SQLite's locks cannot be trusted. ` +
      `Put the database on a local disk, or use PostgreSQL for several machines. ` +
      `DURE_ALLOW_NETWORK_FILESYSTEM=1 overrides this at your own risk.`,
    { details: { folder, fileSystem: name } },
  );
}

const sleepCell = new Int32Array(new SharedArrayBuffer(4));

/** Blocks this thread; only the store's own threads may. */
function pause(ms: number): void {
  Atomics.wait(sleepCell, 0, 0, ms);
}

/** A new database begins with the newest schema, of which a migration may not be a part yet. */
function stepsOfNew(): Pick<Migration, "number" | "sql">[] {
  const newest = readNewestSchema(folder);
  return [newest, ...migrations.slice(newest.number)];
}
