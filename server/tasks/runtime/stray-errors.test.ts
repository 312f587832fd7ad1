import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { expect, test } from "vitest";

const folder = import.meta.dirname;

/** Runs code in a process of its own, beside an attempt `attempt` whose stray errors are taken. */
async function runChild(code: string): Promise<{ exitCode: number; taken: string[]; stderr: string }> {
  const program = `
    import { takeStrayErrors } from ${JSON.stringify(`${folder}/stray-errors.ts`)};
    import { attemptStorage, RunningAttempt } from ${JSON.stringify(`${folder}/running-attempt.ts`)};
    const host = { clock: undefined, reported() {} };
    const attempt = new RunningAttempt({ task: { id: "a" }, fence: 1 }, { abortGraceMs: 0 }, "worker", host);
    const inAttempt = (code) => attemptStorage.run(attempt, code);
    const later = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
    const stop = takeStrayErrors(host, (of, error) => console.log(of.task.id, error?.message ?? error));
    ${code}
  `;
  const run = promisify(execFile)(process.execPath, ["--input-type=module", "-e", program], {
    timeout: 20_000,
  });
  const { stdout, stderr, code: exitCode = 0 } = await run.catch((error) => error);
  return { exitCode, taken: stdout.split("\n").filter(Boolean), stderr };
}

test("errors that a handler's code throws where nobody can catch them are its attempt's, and the process lives", async () => {
  const { exitCode, taken } = await runChild(`
    inAttempt(() => void Promise.reject(new Error("promise")));
    inAttempt(async () => { await later(5); Promise.reject(null); });
    inAttempt(() => setTimeout(() => { throw new Error("timer"); }, 10));
    inAttempt(() => setImmediate(() => { throw new Error("immediate"); }));
    inAttempt(() => process.nextTick(() => { throw new Error("tick"); }));
    inAttempt(() => (globalThis.file = import("node:fs").then(({ createReadStream }) => { createReadStream("/no/such/file"); })));
    await later(100);
    console.log("alive");
  `);
  expect(exitCode).toBe(0);
  expect(taken.pop()).toBe("alive");
  expect(taken.sort()).toEqual([
    "a ENOENT: no such file or directory, open '/no/such/file'",
    "a immediate",
    "a null",
    "a promise",
    "a tick",
    "a timer",
  ]);
});

test("an error of anyone else ends the process as it would have without a worker", async () => {
  for (const code of [
    `setTimeout(() => { throw new Error("somebody else's"); }, 5); await later(1_000); console.log("alive");`,
    `Promise.reject(new Error("somebody else's")); await later(1_000); console.log("alive");`,
  ]) {
    const { exitCode, taken, stderr } = await runChild(code);
    expect(exitCode).toBe(1);
    expect(taken).toEqual([]);
    expect(stderr).toContain("somebody else's");
  }
});

test("a program that listens for such errors itself keeps them", async () => {
  const { exitCode, taken } = await runChild(`
    process.on("uncaughtException", (error) => console.log("program", error.message));
    process.on("unhandledRejection", (error) => console.log("program", error.message));
    setTimeout(() => { throw new Error("timer"); }, 5);
    Promise.reject(new Error("promise"));
    await later(50);
  `);
  expect(exitCode).toBe(0);
  expect(taken).toEqual(["program promise", "program timer"]);
});

test("without a worker nothing of ours listens", async () => {
  const { exitCode, taken } = await runChild(`
    stop();
    console.log(process.listenerCount("uncaughtException"), process.listenerCount("unhandledRejection"));
    inAttempt(() => void Promise.reject(new Error("promise")));
    await later(50);
  `);
  expect(taken).toEqual(["0 0"]);
  expect(exitCode).toBe(1);
});
