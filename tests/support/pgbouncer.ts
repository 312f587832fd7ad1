/** The real PgBouncer in transaction mode, where one is installed. See pooler.ts for where none is. */
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { RunningPooler } from "./poolers.ts";
import { giveTo, postgresBinaries } from "./postgres-binaries.ts";
import { freePort } from "./postgres-server.ts";

const startMaxMs = 5_000;

/** Its first line about itself, or undefined when it isn't installed. */
export function pgbouncerVersion(): string | undefined {
  const { status, stdout } = spawnSync("pgbouncer", ["--version"], { encoding: "utf8" });
  return status === 0 ? stdout.split("\n")[0] : undefined;
}

/** PgBouncer before the server of a URL; few connections to it serve all clients. */
export async function startPgbouncer(url: string, { size = 3 } = {}): Promise<RunningPooler> {
  const { hostname, port: serverPort } = new URL(url);
  const folder = mkdtempSync(join(tmpdir(), "dure-pgbouncer-"));
  const port = await freePort();
  writeFileSync(join(folder, "users"), '"postgres" ""\n');
  writeFileSync(
    join(folder, "pgbouncer.ini"),
    [
      "[databases]",
      `* = host=${hostname} port=${serverPort || 5432}`,
      "[pgbouncer]",
      "listen_addr = 127.0.0.1",
      `listen_port = ${port}`,
      "unix_socket_dir =",
      "auth_type = trust",
      `auth_file = ${join(folder, "users")}`,
      "pool_mode = transaction",
      `default_pool_size = ${size}`,
      "max_client_conn = 500",
      "server_round_robin = 1",
      `logfile = ${join(folder, "log")}`,
    ].join("\n"),
  );
  const { user } = postgresBinaries();
  giveTo(folder, user);
  const child = spawn("pgbouncer", [join(folder, "pgbouncer.ini")], {
    ...user,
    stdio: "ignore",
    cwd: folder,
  });
  const ended = new Promise((done) => child.on("exit", done));
  const giveUpAt = performance.now() + startMaxMs;
  while (!(await answers(port))) {
    if (child.exitCode !== null || performance.now() > giveUpAt) {
      child.kill("SIGKILL");
      throw new Error(`PgBouncer did not start:\n${readFileSync(join(folder, "log"), "utf8")}`);
    }
    await sleep(10);
  }
  return {
    url: (direct) => {
      const through = new URL(direct);
      through.host = `127.0.0.1:${port}`;
      return through.href;
    },
    close: async () => {
      child.kill("SIGKILL");
      await ended;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function answers(port: number): Promise<boolean> {
  return new Promise((done) => {
    const socket = connect(port, "127.0.0.1");
    socket.on("connect", () => done(true)).on("error", () => done(false));
    socket.on("connect", () => socket.destroy());
  });
}
