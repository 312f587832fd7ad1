/** Programs in a folder of their own that use the built package as an installed one. */
import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";

export const root = resolve(import.meta.dirname, "../..");

/** What programs may import beside Node and `dure`. */
const packages = [
  ...["@types", "undici-types", "zod", "valibot"],
  ...["pg", "pg-types", "pg-protocol", "drizzle-orm", "kysely", "knex", "postgres"],
];

/** What `tsc` is told about such a program, beside its files. */
export const strictOptions = {
  target: "es2024",
  module: "nodenext",
  strict: true,
  noEmit: true,
  skipLibCheck: true,
  types: ["node"],
};

/** How a process ended. */
export interface Ended {
  code: number | null;
  stdout: string;
  stderr: string;
}

/** A folder with `dure` and some of the repository's packages in its node_modules. */
export class Project {
  readonly folder = mkdtempSync(join(tmpdir(), "dure-project-"));

  constructor() {
    this.write("package.json", JSON.stringify({ name: "a-program", private: true, type: "module" }));
    mkdirSync(join(this.folder, "node_modules"));
    symlinkSync(root, join(this.folder, "node_modules/dure"));
    for (const name of packages) {
      symlinkSync(join(root, "node_modules", name), join(this.folder, "node_modules", name));
    }
  }

  /** Writes a file and answers its path. */
  write(name: string, text: string): string {
    const path = join(this.folder, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
    return path;
  }

  /** Type-checks the files; answers what the compiler says, '' when nothing. */
  async check(files: readonly string[], options: object = {}): Promise<string> {
    const compilerOptions = { ...strictOptions, ...options };
    const config = this.write("tsconfig.json", JSON.stringify({ compilerOptions, files }));
    const tsc = join(root, "node_modules/.bin/tsc");
    return (await run(tsc, ["--pretty", "false", "-p", config], this.folder)).stdout;
  }

  /** Runs a program with Node, in a folder of its own. */
  async run(file: string, ...args: string[]): Promise<Ended> {
    return run(process.execPath, [file, ...args], mkdtempSync(join(this.folder, "cwd-")));
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 });
  }
}

/** Runs a command to its end, without the settings that this process was given for Dure or for colours. */
export function run(command: string, args: readonly string[], cwd: string): Promise<Ended> {
  const { DURE_DATABASE, NO_COLOR, FORCE_COLOR, NODE_OPTIONS, VITEST, ...env } = process.env;
  const child = spawn(command, args, { cwd, env, stdio: ["ignore", "pipe", "pipe"] });
  const ended: Ended = { code: null, stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"] as const) {
    child[name].setEncoding("utf8").on("data", (text: string) => {
      ended[name] += text;
    });
  }
  return new Promise((done, fail) => {
    child.on("error", fail);
    child.on("close", (code) => done({ ...ended, code }));
  });
}
