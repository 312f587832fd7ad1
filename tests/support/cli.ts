/** Real `dure` processes on a folder of their own, from the built package, which modules there import as "dure". */
import type { ChildProcess } from "node:child_process";
import { spawn, spawnSync } from "node:child_process";
import {
  cpSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { commandHere, runsHere } from "./command-here.ts";

const root = resolve(import.meta.dirname, "../..");
const main = join(root, "dist/server/cli/main.js");
const migrations = ["sqlite", "postgres"].map((store) => `server/tasks/stores/${store}/migrations`);
/** Only what hangs takes so long. */
const waitMaxMs = 40_000;

/** What a command that ended left behind. */
export interface Ended {
  code: number | null;
  stdout: string;
  stderr: string;
}

export interface RunOptions {
  input?: string;
  env?: Record<string, string>;
}

/** A command that goes on. */
export interface Running {
  readonly child: ChildProcess;
  /** Resolves once stdout and stderr together hold the text so often. */
  sees(text: string, times?: number): Promise<void>;
  readonly ended: Promise<Ended>;
}

export class Workspace {
  readonly folder: string;
  readonly #children: ChildProcess[] = [];

  constructor() {
    this.folder = mkdtempSync(join(tmpdir(), "dure-cli-"));
    mkdirSync(join(this.folder, "node_modules"));
    symlinkSync(root, join(this.folder, "node_modules/dure"));
  }

  /** Writes a file and answers its path. */
  write(name: string, text: string): string {
    const path = join(this.folder, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
    return path;
  }

  /** Runs a command to its end: in this process, unless something tells a process of its own apart from that. */
  dure(args: readonly string[], options: RunOptions = {}): Promise<Ended> {
    if (options.input !== undefined || !runsHere(args)) return this.start(args, options).ended;
    return commandHere(args, { folder: this.folder, env: environment(options) });
  }

  /** The document that a command with --json printed. */
  async json(...args: string[]): Promise<any> {
    const { stdout, stderr, code } = await this.dure([...args, "--json"]);
    if (stdout === "") throw new Error(`dure ${args.join(" ")} exited ${code}: ${stderr}`);
    return JSON.parse(stdout);
  }

  /** Starts a process for it. */
  start(args: readonly string[], options: RunOptions = {}): Running {
    const child = spawn(process.execPath, [main, ...args], {
      cwd: this.folder,
      env: environment(options),
      stdio: ["pipe", "pipe", "pipe"],
    });
    this.#children.push(child);
    child.stdin!.on("error", () => {});
    child.stdin!.end(options.input);
    return watched(child);
  }

  /** Ends what still runs and deletes the folder. */
  async remove(): Promise<void> {
    for (const child of this.#children) if (child.exitCode === null) child.kill("SIGKILL");
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 });
  }
}

function environment({ env = {} }: RunOptions): NodeJS.ProcessEnv {
  const { NO_COLOR, FORCE_COLOR, DURE_DATABASE, ...inherited } = process.env;
  return { ...inherited, ...env };
}

function watched(child: ChildProcess): Running {
  const said = { stdout: "", stderr: "" };
  const listeners = new Set<() => void>();
  for (const name of ["stdout", "stderr"] as const) {
    child[name]!.setEncoding("utf8").on("data", (text: string) => {
      said[name] += text;
      for (const listener of listeners) listener();
    });
  }
  const ended = new Promise<Ended>((done) => child.on("close", (code) => done({ code, ...said })));
  return {
    child,
    ended,
    sees: (text, times = 1) =>
      new Promise((done, fail) => {
        const timer = setTimeout(
          () => fail(new Error(`"${text}" was never said:\n${said.stdout}${said.stderr}`)),
          waitMaxMs,
        );
        const look = () => {
          if (`${said.stdout}${said.stderr}`.split(text).length <= times) return;
          clearTimeout(timer);
          listeners.delete(look);
          done();
        };
        listeners.add(look);
        look();
      }),
  };
}

/** Builds the package when what is in dist is older than the source; processes take turns. */
export async function ensureBuilt(): Promise<void> {
  const lock = join(root, "node_modules/.dure-build-lock");
  while (!tryLock(lock)) await new Promise((done) => setTimeout(done, 100));
  try {
    if (builtAt() < newestSourceAt()) build();
  } finally {
    rmSync(lock, { recursive: true, force: true });
  }
}

function tryLock(lock: string): boolean {
  const age = Date.now() - (statSync(lock, { throwIfNoEntry: false })?.mtimeMs ?? Date.now());
  if (age > 120_000) rmSync(lock, { recursive: true, force: true });
  try {
    mkdirSync(lock);
    return true;
  } catch {
    return false;
  }
}

function build(): void {
  const tsc = join(root, "node_modules/.bin/tsc");
  const { status, stdout } = spawnSync(tsc, ["-p", "tsconfig.build.json"], { cwd: root, encoding: "utf8" });
  if (status !== 0) throw new Error(`The build failed:\n${stdout}`);
  for (const folder of migrations)
    cpSync(join(root, folder), join(root, "dist", folder), { recursive: true });
}

function builtAt(): number {
  return statSync(main, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}

function newestSourceAt(): number {
  const files = globSync("server/**/*.{ts,sql}", { cwd: root });
  return Math.max(...files.map((file) => statSync(join(root, file)).mtimeMs));
}
