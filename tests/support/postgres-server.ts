/**
 * A real PostgreSQL of a test's own: started, stopped, killed, restarted, copied as a standby and promoted.
 * Listens on 127.0.0.1 alone, without passwords. It ends with the process that started it, however that ends.
 */
import type { ChildProcess } from "node:child_process";
import { spawn } from "node:child_process";
import {
  appendFileSync,
  chmodSync,
  cpSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import { giveTo, makeDataFolder, postgresBinaries } from "./postgres-binaries.ts";

/** Only what hangs takes so long. */
const startMaxMs = 50_000;

const backup = [
  "SELECT pg_backup_start('standby', true)",
  "SELECT labelfile FROM pg_backup_stop(false)",
] as const;
const backupBefore15 = [
  "SELECT pg_start_backup('standby', true, false)",
  "SELECT labelfile FROM pg_stop_backup(false)",
] as const;

/** Settings of the server by name, as in postgresql.conf. */
export type ServerSettings = Record<string, string | number>;

export interface PostgresServerOptions {
  settings?: ServerSettings;
  /** Whether a commit waits for the disk. Off unless a test is about that: a killed process loses nothing either way. */
  durable?: boolean;
  /** Where the data lie; else a folder among the temporary ones. Deleted by `remove`. */
  folder?: string;
}

const usual: ServerSettings = {
  listen_addresses: "127.0.0.1",
  unix_socket_directories: "",
  max_connections: 200,
  shared_buffers: "64MB",
  max_wal_size: "512MB",
  // Not UTC, so that a query that depends on the session's zone is found out.
  timezone: "Asia/Seoul",
};
const careless: ServerSettings = { fsync: "off", full_page_writes: "off" };

// The shell becomes the server; what it leaves behind ends the server when we are gone and our end of the pipe closes.
const startAndWatch = `exec 3<&0; ( ( cat <&3; kill -QUIT $$ ) >/dev/null 2>&1 & ); exec "$@" </dev/null 3<&-`;

export class PostgresServer {
  readonly folder: string;
  readonly #settings: ServerSettings;
  port = 0;
  #process: ChildProcess | undefined;
  #ended: Promise<void> = Promise.resolve();
  #admin: pg.Pool | undefined;

  private constructor(folder: string, settings: ServerSettings) {
    this.folder = folder;
    this.#settings = settings;
  }

  /** A new, empty server that accepts connections. */
  static async start(options: PostgresServerOptions = {}): Promise<PostgresServer> {
    const folder = mkdtempSync(join(options.folder ?? tmpdir(), "dure-postgres-"));
    giveTo(folder, postgresBinaries().user);
    const settings = { ...usual, ...(!options.durable && careless), ...options.settings };
    const server = new PostgresServer(folder, settings);
    makeDataFolder(server.#data);
    await server.start();
    return server;
  }

  get #data(): string {
    return join(this.folder, "data");
  }

  /** `postgres://postgres@127.0.0.1:<port>/<database>`. */
  url(database = "postgres", user = "postgres"): string {
    return `postgres://${user}@127.0.0.1:${this.port}/${database}`;
  }

  /** Asks as the superuser, in the database `postgres`; rows as objects. */
  async query<Row extends pg.QueryResultRow = any>(sql: string, values?: unknown[]): Promise<Row[]> {
    this.#admin ??= this.#connectAdmin();
    return (await this.#admin.query<Row>(sql, values)).rows;
  }

  #connectAdmin(): pg.Pool {
    const pool = new pg.Pool({ connectionString: this.url(), max: 2, application_name: "test" });
    pool.on("error", () => undefined);
    return pool;
  }

  /** The process id of the postmaster; undefined while it does not run. */
  get pid(): number | undefined {
    return this.#process?.pid;
  }

  /** A new database, and its URL. */
  async createDatabase(name: string, clauses = ""): Promise<string> {
    await this.query(`CREATE DATABASE "${name}" ${clauses}`);
    return this.url(name);
  }

  /** Ends every connection but our own. Answers how many. */
  async terminateBackends(condition = "true"): Promise<number> {
    const rows = await this.query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE backend_type = 'client backend' AND application_name <> 'test' AND ${condition}`,
    );
    return rows.length;
  }

  /** Starts a server that was stopped or killed, on the same port. */
  async start(): Promise<void> {
    const giveUpAt = performance.now() + startMaxMs;
    const isNew = this.port === 0;
    for (;;) {
      try {
        if (isNew) this.port = await freePort();
        return await this.#startOnce(giveUpAt);
      } catch (error) {
        // The port was taken meanwhile, or the last children of a killed server are still going: on a busy machine for long.
        if (performance.now() > giveUpAt) throw error;
        await sleep(100);
      }
    }
  }

  async #startOnce(giveUpAt: number): Promise<void> {
    const { folder, user } = postgresBinaries();
    const log = openSync(join(this.folder, "log"), "a");
    const settings = Object.entries({ ...this.#settings, port: this.port });
    const flags = settings.flatMap(([name, value]) => ["-c", `${name}=${value}`]);
    const child = spawn(
      "sh",
      ["-c", startAndWatch, "postgres", join(folder, "postgres"), "-D", this.#data, ...flags],
      { ...user, stdio: ["pipe", log, log], cwd: this.folder, env: { PATH: process.env.PATH } },
    );
    child.stdin!.on("error", () => undefined);
    this.#process = child;
    this.#ended = new Promise((done) => {
      child.on("exit", () => {
        child.stdin!.destroy();
        done();
      });
    });
    while (!this.#isReady()) {
      if (child.exitCode !== null || child.signalCode !== null || performance.now() > giveUpAt) {
        child.kill("SIGKILL");
        throw new Error(`PostgreSQL did not start:\n${this.log().slice(-4_000)}`);
      }
      await sleep(10);
    }
    child.unref();
    (child.stdin as unknown as { unref(): void }).unref();
  }

  /** What pg_ctl looks at: the last line of the server's own lock file. */
  #isReady(): boolean {
    try {
      const lines = readFileSync(join(this.#data, "postmaster.pid"), "utf8").split("\n");
      return Number(lines[0]) === this.#process?.pid && ["ready", "standby"].includes(lines[7]?.trim() ?? "");
    } catch {
      return false;
    }
  }

  /** "fast" ends every connection and writes everything down; "immediate" leaves that to the next start. */
  async stop(mode: "fast" | "immediate" = "fast"): Promise<void> {
    await this.#closeAdmin();
    this.#process?.ref();
    this.#process?.kill(mode === "fast" ? "SIGINT" : "SIGQUIT");
    await this.#ended;
  }

  async restart(mode?: "fast" | "immediate"): Promise<void> {
    await this.stop(mode);
    await this.start();
  }

  /** kill -9 of the server; `start` recovers what it had committed. */
  async kill(): Promise<void> {
    this.#process?.ref();
    this.#process?.kill("SIGKILL");
    await this.#ended;
    await this.#closeAdmin();
  }

  /** SIGSTOP: connections stay open and nothing answers on the port. The processes of open connections go on. */
  pause(): void {
    this.#process?.kill("SIGSTOP");
  }

  resume(): void {
    this.#process?.kill("SIGCONT");
  }

  /** Sets settings for all sessions, the running ones included. */
  async set(settings: ServerSettings): Promise<void> {
    for (const [name, value] of Object.entries(settings))
      await this.query(`ALTER SYSTEM SET ${name} = '${value}'`);
    await this.query("SELECT pg_reload_conf()");
    await sleep(50);
  }

  /** Replaces who may connect how: lines of pg_hba.conf. */
  async setAccess(lines: readonly string[]): Promise<void> {
    writeFileSync(join(this.#data, "pg_hba.conf"), `${lines.join("\n")}\n`);
    await this.query("SELECT pg_reload_conf()");
    await sleep(50);
  }

  /** A second server that follows this one and only reads, until it is promoted. */
  async createStandby(settings: ServerSettings = {}): Promise<PostgresServer> {
    const standby = new PostgresServer(mkdtempSync(join(tmpdir(), "dure-postgres-")), {
      ...this.#settings,
      hot_standby: "on",
      ...settings,
    });
    const client = new pg.Client({ connectionString: this.url(), application_name: "test" });
    await client.connect();
    try {
      const [{ version }] = await this.query(
        "SELECT current_setting('server_version_num')::integer AS version",
      );
      const [begin, end] = version < 150_000 ? backupBefore15 : backup;
      await client.query(begin);
      copyData(this.#data, standby.#data);
      const { rows } = await client.query(end);
      writeFileSync(join(standby.#data, "backup_label"), rows[0].labelfile);
    } finally {
      await client.end();
    }
    await standby.#follow(this);
    return standby;
  }

  /** Starts a server that was stopped in good order as a standby of the one that was promoted in its place. */
  becomeStandbyOf(primary: PostgresServer): Promise<void> {
    return this.#follow(primary);
  }

  async #follow(primary: PostgresServer): Promise<void> {
    const settings = [
      `primary_conninfo = 'host=127.0.0.1 port=${primary.port} user=postgres'`,
      "recovery_target_timeline = 'latest'",
    ];
    appendFileSync(join(this.#data, "postgresql.auto.conf"), `${settings.join("\n")}\n`);
    writeFileSync(join(this.#data, "standby.signal"), "");
    giveTo(this.folder, postgresBinaries().user);
    chmodSync(this.#data, 0o700);
    await this.start();
  }

  /** Resolves once the standby has everything that this server has written so far. */
  async caughtUp(standby: PostgresServer): Promise<void> {
    const [written] = await this.query("SELECT pg_current_wal_lsn() AS lsn");
    for (;;) {
      const [{ done }] = await standby.query("SELECT pg_last_wal_replay_lsn() >= $1::pg_lsn AS done", [
        written.lsn,
      ]);
      if (done) return;
      await sleep(10);
    }
  }

  /** Makes a standby the server that takes writes. */
  async promote(): Promise<void> {
    await this.query("SELECT pg_promote(true, 30)");
  }

  /** What the server wrote to its log. */
  log(): string {
    return readFileSync(join(this.folder, "log"), "utf8");
  }

  /** Ends the server and deletes its data. */
  async remove(): Promise<void> {
    await this.stop("immediate");
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 });
  }

  async #closeAdmin(): Promise<void> {
    const admin = this.#admin;
    this.#admin = undefined;
    await admin?.end().catch(() => undefined);
  }
}

/** Files come and go while a server runs; what its log of changes needs is all there. */
function copyData(from: string, to: string): void {
  const left = new Set(["postmaster.pid", "postmaster.opts", "backup_label", "standby.signal"]);
  cpSync(from, to, {
    recursive: true,
    filter: (source) => !left.has(source.slice(from.length + 1)) && !source.includes("pgsql_tmp"),
  });
  for (const entry of readdirSync(join(to, "pg_replslot")))
    rmSync(join(to, "pg_replslot", entry), { recursive: true });
}

/** A port of this machine that nobody listens on. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const { port } = server.address() as { port: number };
  await new Promise((done) => server.close(done));
  return port;
}
