/**
 * A command of `dure` in this process: the function that its own process would call, with the folder, the environment and the
 * outputs that this process would have. Starting a process takes ten times the work of most commands.
 */
import type { Ended } from "./cli.ts";

const streams = ["stdout", "stderr"] as const;

/** They load modules, which a process loads but once. */
const loading = ["run", "worker", "dev"];

let isUnderWay = false;

/** Whether the command can run here, now: one at a time, since the folder and the outputs are those of the process. */
export function runsHere(args: readonly string[]): boolean {
  return !isUnderWay && !loading.includes(args[0] ?? "");
}

/** Runs it to its end. @param options.env all of the environment; its own is this process's */
export async function commandHere(
  args: readonly string[],
  { folder = process.cwd(), env = process.env }: { folder?: string; env?: NodeJS.ProcessEnv } = {},
): Promise<Ended> {
  isUnderWay = true;
  const said = { stdout: "", stderr: "" };
  const { runCommandLine } = await import("../../server/cli/program.ts");
  const before = { env: process.env, folder: process.cwd(), exit: process.exit, exitCode: process.exitCode };
  const restored = streams.map((name) => capture(name, (text) => (said[name] += text)));
  try {
    process.env = env;
    process.chdir(folder);
    process.exitCode = undefined;
    const code = await new Promise<number>((ended, failed) => {
      process.exit = ((given) => ended(Number(given ?? process.exitCode ?? 0))) as typeof process.exit;
      runCommandLine(args).catch(failed);
    });
    return { code, ...said };
  } finally {
    process.exit = before.exit;
    process.exitCode = before.exitCode;
    process.env = before.env;
    process.chdir(before.folder);
    for (const restore of restored) restore();
    isUnderWay = false;
  }
}

/** What is written goes to the listener alone. Answers how to undo it. */
function capture(name: (typeof streams)[number], listener: (text: string) => void): () => void {
  const stream = process[name];
  const { write } = stream;
  const errorListeners = stream.listeners("error");
  stream.write = ((text: string | Uint8Array, ...rest: unknown[]) => {
    listener(typeof text === "string" ? text : Buffer.from(text).toString());
    const done = rest.find((each) => typeof each === "function");
    if (done) queueMicrotask(done as () => void);
    return true;
  }) as typeof stream.write;
  return () => {
    stream.write = write;
    for (const added of stream.listeners("error"))
      if (!errorListeners.includes(added)) stream.off("error", added as () => void);
  };
}
