/** The packed package in an empty folder, with a database that secrets were put into, and its dashboard on a free port. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { install, pack } from "../../packaging/install.ts";
import { run } from "../../support/project.ts";

/** Stands in every place of a task that is known to hold a secret. */
export const canary = "canary-7d1f";
const seed = `import { createDure } from "dure";
const dure = createDure();
dure.defineTask("send-receipt", async (task, { log }) => {
  log.info("sending", { token: "${canary}" });
  return { sent: true, headers: { authorization: "Bearer ${canary}" } };
});
await dure.start();
const payload = { order: 17, user: { password: "${canary}", cards: [{ cardNumber: "${canary}" }] } };
await dure.enqueueTask("send-receipt", payload, { id: "order-17" });
await dure.waitForTask("order-17");
await dure.stop();
await dure.enqueueTask("send-receipt", payload, { id: "order-18", delay: "1h" });
await dure.close();`;

const main = "node_modules/dure/dist/server/cli/main.js";

export interface Operation {
  method: string;
  path: string;
  isStream: boolean;
}

export class FreshInstall {
  readonly #folder: string;
  readonly #dashboard: ChildProcess;
  /** Where the package is installed. */
  readonly program: string;
  port = 0;
  /** Of an admin. */
  token = "";
  /** The address that was printed, which logs in once. */
  url = "";
  /** All that the dashboard printed so far. */
  said = "";

  private constructor(folder: string, program: string) {
    this.#folder = folder;
    this.program = program;
    this.#dashboard = spawn(process.execPath, [main, "dashboard", "--port", "0"], { cwd: program });
    for (const stream of [this.#dashboard.stdout!, this.#dashboard.stderr!])
      stream.setEncoding("utf8").on("data", (text: string) => {
        this.said += text;
      });
  }

  /** Ends once the dashboard has printed its address. */
  static async start(): Promise<FreshInstall> {
    const folder = mkdtempSync(join(tmpdir(), "dure-fresh-"));
    const program = join(folder, "app");
    const { tarball } = await pack(folder);
    await install(tarball, program);
    writeFileSync(join(program, "seed.mjs"), seed);
    const seeded = await run("sh", ["-c", `umask 000; exec '${process.execPath}' seed.mjs`], program);
    if (seeded.stderr !== "") throw new Error(seeded.stderr);
    const fresh = new FreshInstall(folder, program);
    for (let waited = 0; !/http:\S+\n/.test(fresh.said) && waited < 20_000; waited += 50) await pause(50);
    fresh.url = /http:\S+/.exec(fresh.said)![0];
    fresh.port = Number(new URL(fresh.url).port);
    fresh.token = await fresh.dure("tokens", "create", "tests", "--role", "admin");
    return fresh;
  }

  /** A command's output, without its last line break. */
  async dure(...args: string[]): Promise<string> {
    const { stdout } = await run(process.execPath, [main, ...args], this.program);
    return stdout.trimEnd();
  }

  /** An address that logs in once. */
  link(): Promise<string> {
    return this.dure("dashboard", "--port", String(this.port), "--link");
  }

  remove(): void {
    this.#dashboard.kill("SIGKILL");
    rmSync(this.#folder, { recursive: true, force: true });
  }

  at(path: string): string {
    return `http://127.0.0.1:${this.port}/${path}`;
  }

  ask(path: string, init: RequestInit = {}): Promise<Response> {
    return fetch(this.at(path), { redirect: "manual", ...init });
  }

  asAdmin(path: string, init: RequestInit = {}): Promise<Response> {
    const headers = { authorization: `Bearer ${this.token}`, ...(init.headers as Record<string, string>) };
    return this.ask(path, { ...init, headers });
  }

  /** Every operation of the API, with something in the place of each parameter. Streams have no end to read to. */
  async operations(): Promise<Operation[]> {
    const described = await (await this.asAdmin("api/openapi.json")).json();
    const { paths } = described as { paths: Record<string, object> };
    const own = Object.entries(paths).filter(([path]) => path.startsWith("/api/"));
    return own.flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, operation]) => ({
        method: method.toUpperCase(),
        path: path.replace(/^\//, "").replaceAll(/\{\w+\}/g, "order-18"),
        isStream: JSON.stringify(operation).includes("text/event-stream"),
      })),
    );
  }

  async statusOf(id: string): Promise<string> {
    const { task } = (await (await this.asAdmin(`api/tasks/${id}`)).json()) as { task: { status: string } };
    return task.status;
  }

  /** Bytes over a socket, and what comes back until the other side has said all. */
  exchange(head: string, isLast = true): Promise<string> {
    return new Promise((done) => {
      let answer = "";
      const socket = connect(this.port, "127.0.0.1", () =>
        socket.write(isLast ? head.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n") : head),
      );
      socket.setEncoding("utf8").on("data", (text: string) => {
        answer += text;
      });
      socket.on("error", () => done(answer));
      socket.on("close", () => done(answer));
    });
  }
}
