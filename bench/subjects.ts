/** Who is measured: Dure, bare SQLite, and the peers that are installed. Each measurement is a process of its own. */
import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync } from "node:fs";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Question } from "./questions.ts";
import { dataFolder } from "./support/data.ts";
import type { Figures } from "./support/figures.ts";

export interface Subject {
  name: string;
  title: string;
  /** Why it cannot be measured here. */
  missing?: string;
  /** Undefined when it has no answer to the question. */
  command(question: Question, database: string | undefined): string[] | undefined;
}

const folder = fileURLToPath(new URL("./", import.meta.url));
const peersFolder = join(folder, "peers");
const timeoutMs = 10 * 60_000;

export function findSubjects(): Subject[] {
  const node = nodeForPeers();
  return [
    {
      name: "dure",
      title: "Dure",
      command: (question, database) => [
        process.execPath,
        join(folder, "cases", `${question.case ?? question.name}.ts`),
        ...(database ? ["--database", database] : []),
      ],
    },
    {
      name: "bare",
      title: "bare SQLite",
      command: (question, database) =>
        question.bare
          ? [
              process.execPath,
              join(folder, "bare.ts"),
              question.bare,
              ...(database ? ["--database", database] : []),
            ]
          : undefined,
    },
    peer("plainjob", "plainjob", node, undefined),
    peer("bullmq", "BullMQ", node, hasRedis() ? undefined : "not installed: apt-get install redis-server"),
  ];
}

function peer(name: string, title: string, node: string | undefined, missing: string | undefined): Subject {
  const problem =
    missing ??
    (existsSync(join(peersFolder, "node_modules", name))
      ? undefined
      : "not installed: npm ci in bench/peers") ??
    (node ? undefined : "not installed: no Node on PATH that better-sqlite3 was built for");
  return {
    name,
    title,
    ...(problem ? { missing: problem } : {}),
    command: (question) =>
      question.peers
        ? [node!, join(peersFolder, "measure.js"), name, question.name, String(question.peerTasks ?? 100_000)]
        : undefined,
  };
}

/** The first Node on PATH with which the peers' native module loads; the repository's own is tried last. */
function nodeForPeers(): string | undefined {
  const folders = (process.env.PATH ?? "").split(delimiter).filter((path) => !path.includes("node_modules"));
  const candidates = [...folders.map((path) => join(path, "node")), process.execPath];
  const probe = "import('better-sqlite3').then(({ default: open }) => new open(':memory:').close())";
  return candidates.find(
    (node) => existsSync(node) && spawnSync(node, ["-e", probe], { cwd: peersFolder }).status === 0,
  );
}

function hasRedis(): boolean {
  return spawnSync("redis-server", ["--version"]).status === 0;
}

/** Runs one measurement; its last line of output is its figures. */
export function measure(command: readonly string[]): Promise<Figures> {
  mkdirSync(dataFolder, { recursive: true });
  const [program, ...parameters] = command;
  return new Promise((resolve, reject) => {
    const child = spawn(program!, parameters, {
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, DURE_BENCH_DATA: dataFolder },
      timeout: timeoutMs,
      killSignal: "SIGKILL",
    });
    let output = "";
    let errors = "";
    child.stdout.on("data", (chunk) => (output += chunk));
    child.stderr.on("data", (chunk) => (errors += chunk));
    child.once("error", reject);
    child.once("close", (code, signal) => {
      const line = output.trim().split("\n").at(-1) ?? "";
      if (code === 0 && line.startsWith("{")) resolve(JSON.parse(line));
      else
        reject(new Error(errors.trim().split("\n").slice(-6).join("\n") || `ended with ${signal ?? code}`));
    });
  });
}
